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


def run(script: str, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """An example, run by a Python without faceinp and torch."""
    copied = shutil.copy(EXAMPLES / script, folder)
    code = (
        "import sys, runpy; sys.modules['faceinp'] = sys.modules['torch'] = None; "
        f"runpy.run_path({copied!r}, run_name='__main__')"
    )
    command = [sys.executable, "-I", "-c", code, "photo.png", "mask.png", *arguments]
    return subprocess.run(command, cwd=folder, check=False, capture_output=True, text=True)


def fill_with_python(folder: Path) -> np.ndarray:
    """What ``fill.py`` makes with onnxruntime and Pillow alone."""
    done = run("fill.py", folder, "python.png")
    assert done.returncode == 0, done.stderr
    return np.asarray(Image.open(folder / "python.png"))


def test_python_fills_with_onnxruntime_and_pillow_alone(folder: Path) -> None:
    filled = fill_with_python(folder)
    before, hole = np.asarray(Image.open(folder / "photo.png")), np.asarray(Image.open(folder / "mask.png")) > 0
    assert np.array_equal(filled[~hole], before[~hole]) and (filled[hole] != before[hole]).mean() > 0.9
    lines = (EXAMPLES / "fill.py").read_text().splitlines()
    assert sum(bool(line.strip()) and not line.startswith(('"""', "Needs")) for line in lines) <= 25


@pytest.mark.parametrize("protocol", ["http", "grpc"])
def test_a_triton_server_fills_as_onnxruntime_does(protocol: str, folder: Path) -> None:
    for package in ("tritonclient", {"http": "geventhttpclient", "grpc": "grpc"}[protocol]):
        pytest.importorskip(package, reason="the extra 'triton' is not installed")
    from triton_server import by_grpc, by_http

    options = ["--grpc"] if protocol == "grpc" else []
    with {"http": by_http, "grpc": by_grpc}[protocol](folder / "restorer.onnx") as server:
        done = run("triton.py", folder, "triton.png", "--server", server, *options)
        assert done.returncode == 0, done.stderr
        unknown = run("triton.py", folder, "no.png", "--server", server, "--model", "upscaler", *options)
    assert np.array_equal(np.asarray(Image.open(folder / "triton.png")), fill_with_python(folder))
    gone = run("triton.py", folder, "no.png", "--server", server, *options)
    for refused, model in ((unknown, "upscaler"), (gone, "restorer")):
        assert refused.returncode == 1 and refused.stderr.startswith(f"{server} did not fill the photo (")
        assert refused.stderr.endswith(f"Is Triton running there, with the model {model}?\n")
    Image.new("L", (10, 10)).save(folder / "mask.png")
    small = run("triton.py", folder, "no.png", *options)
    assert small.stderr == "mask.png is not of the size of photo.png. Give a mask of its size.\n"
    assert not (folder / "no.png").exists()


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
