"""Photos in CelebA's layout, and in a folder."""

from pathlib import Path

import pytest
from built_shards import FIVE, NAMES
from PIL import Image
from skimage import data as pictures


@pytest.fixture
def celeba(tmp_path: Path) -> Path:
    """Six pictures in CelebA's layout: persons 7 and 8, four in the training part, the fifth unreadable."""
    root = tmp_path / "celeba"
    for folder in ("img_celeba", "Anno", "Eval"):
        (root / folder).mkdir(parents=True)
    for name in NAMES:
        Image.fromarray(pictures.astronaut()).save(root / "img_celeba" / name, quality=95)
    (root / "img_celeba" / NAMES[4]).write_bytes(b"not a picture")
    row = "  ".join(str(int(number)) for number in FIVE.ravel())
    landmarks = "\n".join(f"{name} {row}" for name in NAMES)
    head = "lefteye_x lefteye_y righteye_x righteye_y nose_x nose_y leftmouth_x leftmouth_y rightmouth_x rightmouth_y"
    (root / "Anno/list_landmarks_celeba.txt").write_text(f"{len(NAMES)}\n{head} \n{landmarks}\n")
    (root / "Anno/identity_CelebA.txt").write_text("".join(f"{name} {7 + i % 2}\n" for i, name in enumerate(NAMES)))
    split = zip(NAMES, (0, 0, 1, 0, 0, 2), strict=True)
    (root / "Eval/list_eval_partition.txt").write_text("".join(f"{name} {part}\n" for name, part in split))
    return root


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of photos with one person's subfolder, a photo without a face, and files that are no photos."""
    root = tmp_path / "my photos"
    (root / "eileen.c").mkdir(parents=True)
    Image.fromarray(pictures.astronaut()).save(root / "eileen.c" / "portrait.in.space.png")
    Image.fromarray(pictures.coffee()).save(root / "coffee.png")
    (root / "read me.txt").write_text("no photo")
    return root
