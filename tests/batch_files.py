"""Small photos with their masks as files, shards and tables, and what a batch writes of them."""

import io
import tarfile
from pathlib import Path

import numpy as np
import skimage.data
from PIL import Image

from faceinp.batch import record, worker

FACE = np.asarray(Image.fromarray(skimage.data.astronaut()).crop((145, 35, 305, 195)).resize((96, 96)))
HOLE = np.zeros((96, 96), np.uint8)
HOLE[40:60, 30:50] = 255


def settings(out: object, **changed: object) -> worker.Settings:
    given = {"engine": "telea", "judge": "", "aligned": True}
    return worker.Settings(str(out), **(given | changed))


def encoded(array: np.ndarray, format: str = "PNG") -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(array).save(buffer, format)
    return buffer.getvalue()


def photo(number: int) -> np.ndarray:
    return np.roll(FACE, 3 * number, axis=1)


def put_tar(file: Path, contents: dict[str, bytes]) -> None:
    with tarfile.open(file, "w") as tar:
        for name, content in contents.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))


def put_album(folder: Path) -> None:
    for number in range(5):
        file = folder / "in" / ("a" if number % 2 else "b/c") / f"{number}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(encoded(photo(number)))
        mask = folder / "masks" / file.relative_to(folder / "in").with_suffix(".webp")
        mask.parent.mkdir(parents=True, exist_ok=True)
        mask.write_bytes(encoded(HOLE, "WEBP"))
    (folder / "in" / "a" / "damaged.jpg").write_bytes(encoded(FACE, "JPEG")[:300])
    (folder / "masks" / "a" / "damaged.png").write_bytes(encoded(HOLE))
    (folder / "in" / "alone.png").write_bytes(encoded(FACE))
    (folder / "in" / "notes.txt").write_text("no photo")


def manifest(out: object) -> dict[str, dict]:
    return {line["name"]: line for line in record.Target(str(out)).lines()}


def quiet(_: str) -> None:
    pass
