"""Many people at once: each gets the right picture, nobody waits for one who left, and memory stays flat."""

import os
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skimage.data
from PIL import Image
from serving import ROOT, SLOWLY, Server, serving

import faceinp

gradio_client = pytest.importorskip("gradio_client", reason="the extra 'demo' is not installed")

CLIENTS = 20
FILLS = 200
WARM = 80  # fills until allocators and caches of four threads have what they keep: it levels off by 250
LIMIT = 1500 << 20  # bytes of memory


@pytest.fixture
def fresh_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Nobody's but this test's: which engines others loaded before would count as memory of its fills."""
    with serving(tmp_path_factory.mktemp("fresh"), FACEINP_WEIGHTS=str(ROOT / "weights")) as served:
        yield served


def photo_and_hole(number: int) -> tuple[np.ndarray, np.ndarray]:
    """A face and a hole that no other number has."""
    photo = np.roll(skimage.data.astronaut()[:256, 94:350], 3 * number, axis=1)
    photo = np.clip(photo.astype(int) + number, 0, 255).astype(np.uint8)
    hole = np.zeros((256, 256), np.bool_)
    hole[100 : 130 + number, 60 + number : 120 + 2 * number] = True
    return photo, hole


def saved(folder: Path, name: str, pixels: np.ndarray) -> Any:
    Image.fromarray(pixels).save(folder / name)
    return gradio_client.handle_file(folder / name)


def fill(server: Server, folder: Path, number: int, engine: str) -> np.ndarray:
    client = gradio_client.Client(
        server.url, verbose=False, download_files=folder / f"got-{number}", httpx_kwargs=SLOWLY
    )
    photo, hole = photo_and_hole(number)
    filled, facts = client.predict(
        photo=saved(folder, f"photo-{number}.png", photo),
        mask=saved(folder, f"mask-{number}.png", hole),
        engine=engine,
        aligned=True,
        api_name="/fill",
    )
    assert facts["changed_pixels"] == 0
    return np.asarray(Image.open(filled))


def test_twenty_at_once_get_their_own_result_to_the_pixel(server: Server, tmp_path: Path) -> None:
    engines = ["telea", "navier-stokes", "mirror"]
    with ThreadPoolExecutor(CLIENTS) as pool:
        jobs = [pool.submit(fill, server, tmp_path, n, engines[n % 3]) for n in range(CLIENTS)]
        filled = [job.result(240) for job in jobs]
    for number, pixels in enumerate(filled):
        photo, hole = photo_and_hole(number)
        alone = faceinp.fill(photo, hole, engine=engines[number % 3], face=faceinp.FaceLocation.aligned()).image
        assert np.array_equal(pixels, alone), number


def test_who_leaves_in_the_middle_of_a_search_frees_its_place(server: Server, tmp_path: Path) -> None:
    client = gradio_client.Client(server.url, verbose=False, httpx_kwargs=SLOWLY)
    photo, hole = photo_and_hole(0)
    files = {"photo": saved(tmp_path, "photo.png", photo), "mask": saved(tmp_path, "mask.png", hole)}
    search: dict[str, Any] = {"engine": "structural", "aligned": True, "api_name": "/fill"}
    gone = client.submit(**files, **search, iterations=5000)
    ends = time.monotonic() + 120
    while not gone.outputs() or not gone.outputs()[-1][1]["share"]:
        assert time.monotonic() < ends
        time.sleep(0.2)
    client.close()
    gone.cancel()
    other = gradio_client.Client(server.url, verbose=False, httpx_kwargs=SLOWLY)
    _, facts = other.submit(**files, **search, iterations=50).result(timeout=120)
    assert facts["state"] == "done"


@pytest.mark.slow
def test_memory_and_files_stay_what_they_were(fresh_server: Server, tmp_path: Path) -> None:
    client = gradio_client.Client(fresh_server.url, verbose=False, download_files=False, httpx_kwargs=SLOWLY)

    def once(number: int) -> None:
        photo, hole = photo_and_hole(number % 7)
        files = [saved(tmp_path, f"{kind}-{number}.png", p) for kind, p in (("photo", photo), ("mask", hole))]
        _, facts = client.predict(photo=files[0], mask=files[1], engine="landmark", aligned=True, api_name="/fill")
        assert facts["changed_pixels"] == 0

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(once, range(WARM)))
        before = resident(fresh_server)
        list(pool.map(once, range(WARM, FILLS)))
    after = resident(fresh_server)
    print(f"resident: {before >> 20} MB after {WARM} fills, {after >> 20} MB after {FILLS}")
    assert after < 1.1 * before and after < LIMIT
    assert all("/result-" in str(file) for file in fresh_server.files()), "only results wait to be fetched"
    for entry in fresh_server.folder.glob("faceinp-demo-*/result-*"):
        for file in (entry, *entry.rglob("*")):
            os.utime(file, (0, 0))  # as if they had waited for long
    ends = time.monotonic() + 90
    while fresh_server.files() and time.monotonic() < ends:
        time.sleep(1)
    assert not fresh_server.files()


def resident(server: Server) -> int:
    """Bytes of memory that the server holds."""
    pages = int(Path(f"/proc/{server.process.pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")
