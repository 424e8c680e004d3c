"""The Space as it is on a hub: a new environment gets what ``requirements.txt`` asks for, and ``app.py`` is started."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import skimage.data
from PIL import Image
from serving import PATIENCE, SLOWLY, Server, serving

gradio_client = pytest.importorskip("gradio_client", reason="the extra 'demo' is not installed")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.browser,
    pytest.mark.skipif(
        not os.environ.get("FACEINP_INSTALL_SPACE"),
        reason="it downloads and installs several gigabytes: set FACEINP_INSTALL_SPACE=1 to have it done",
    ),
]


def pip(python: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [str(python), "-m", "pip", "install", "--no-input", "--quiet", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def space(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The Space, built, installed and started: none of its files are ours, and no package is."""
    folder = tmp_path_factory.mktemp("space")
    subprocess.run([sys.executable, "-m", "faceinp.demo.space", "build", folder / "app"], check=True)
    subprocess.run([Path(sys.base_prefix) / "bin" / "python3", "-m", "venv", folder / "venv"], check=True)
    python = folder / "venv" / "bin" / "python"
    asked = pip(python, "--dry-run", "--no-deps", "--ignore-installed", "safetensors")
    if asked.returncode:
        pytest.skip(f"the package index is not reached: {(asked.stderr.strip().splitlines() or ['no answer'])[-1]}")
    started = time.perf_counter()
    done = pip(python, "-r", str(folder / "app" / "requirements.txt"))
    assert done.returncode == 0, done.stderr[-3000:]
    print(f"installed in {time.perf_counter() - started:.0f} s")
    command, alone = (str(python), "app.py"), {"PYTHONPATH": "", "FACEINP_WEIGHTS": ""}
    with serving(folder, command=command, cwd=folder / "app", **alone) as served:
        yield served


def test_a_program_fills_a_face_on_it(space: Server, tmp_path: Path) -> None:
    Image.fromarray(skimage.data.astronaut()).save(tmp_path / "photo.png")
    photo = gradio_client.handle_file(tmp_path / "photo.png")
    client = gradio_client.Client(space.url, verbose=False, download_files=tmp_path, httpx_kwargs=SLOWLY)
    _, facts = client.predict(photo=photo, preset="eyes", api_name="/fill")
    assert facts["changed_pixels"] == 0 and facts["identity"] and facts["engine"] == "landmark"


def test_a_person_fills_a_face_on_it(space: Server, browser: Any) -> None:
    page = browser.new_page()
    page.set_default_timeout(PATIENCE * 1000)
    page.goto(space.url)
    page.get_by_role("button", name="Generated face").click()
    page.wait_for_selector("#fill:not([disabled])")
    page.locator("#preset input").click()
    page.get_by_role("option", name="centre:").click()
    page.wait_for_selector("#share span")
    page.wait_for_timeout(1500)  # for the editor, which says nothing
    page.click("#fill")
    page.wait_for_selector("#outcome .known:not(.broken)")
    page.close()
