"""The examples for other people's programs run as they are, and give what the network gives."""

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import skimage.data
from PIL import Image

EXAMPLES = Path(__file__).parent.parent / "export" / "examples"


@pytest.fixture
def folder(exported: Callable[..., Path], tmp_path: Path) -> Path:
    """A photo, a mask and the network, as somebody would have them."""
    Image.fromarray(skimage.data.astronaut()[20:212, 130:322]).save(tmp_path / "photo.png")
    hole = np.zeros((192, 192), np.uint8)
    hole[60:100, 50:140] = 255
    Image.fromarray(hole).save(tmp_path / "mask.png")
    shutil.copy(exported("restorer"), tmp_path / "restorer.onnx")
    return tmp_path


def fill_with_python(folder: Path) -> np.ndarray:
    """What ``fill.py`` makes, by a Python that has onnxruntime and Pillow; none of faceinp is on its way."""
    script = shutil.copy(EXAMPLES / "fill.py", folder)
    code = (
        "import sys, runpy; sys.modules['faceinp'] = sys.modules['torch'] = None; "
        f"runpy.run_path({script!r}, run_name='__main__')"
    )
    command = [sys.executable, "-I", "-c", code, "photo.png", "mask.png", "python.png"]
    subprocess.run(command, cwd=folder, check=True)
    return np.asarray(Image.open(folder / "python.png"))


def test_python_fills_with_onnxruntime_and_pillow_alone(folder: Path) -> None:
    filled = fill_with_python(folder)
    before, hole = np.asarray(Image.open(folder / "photo.png")), np.asarray(Image.open(folder / "mask.png")) > 0
    assert np.array_equal(filled[~hole], before[~hole]) and (filled[hole] != before[hole]).mean() > 0.9
    lines = (EXAMPLES / "fill.py").read_text().splitlines()
    assert sum(bool(line.strip()) and not line.startswith(('"""', "Needs")) for line in lines) <= 25


def test_node_fills_as_python_does(folder: Path) -> None:
    node = shutil.which("node")
    if not node or not (EXAMPLES / "node_modules").is_dir():
        pytest.skip("Node is not here, or its packages are not: run npm install in export/examples")
    shutil.copy(EXAMPLES / "fill.mjs", folder)
    (folder / "node_modules").symlink_to(EXAMPLES / "node_modules")
    subprocess.run([node, "fill.mjs", "photo.png", "mask.png", "node.png"], cwd=folder, check=True)
    ours, theirs = fill_with_python(folder).astype(int), np.asarray(Image.open(folder / "node.png")).astype(int)
    hole = np.asarray(Image.open(folder / "mask.png")) > 0
    assert np.array_equal(ours[~hole], theirs[~hole])
    assert np.abs(ours - theirs).max() <= 1
