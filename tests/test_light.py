"""Everything around an engine works where nothing but the core is installed."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image, ImageDraw
from skimage import data

ROOT = Path(__file__).parent.parent
ABSENT = (
    *("torch", "torchvision", "facenet_pytorch", "safetensors", "skimage", "onnx", "onnxscript", "openvino"),
    *("dlib", "webdataset", "gradio", "huggingface_hub", "pyarrow"),
)


def run(code: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """A program that can import the core's packages alone."""
    blocked = f"import sys\nsys.modules.update(dict.fromkeys({ABSENT}))\n"
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", blocked + code]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    photo, mask = Image.fromarray(data.astronaut()), Image.new("L", (512, 512))
    photo.save(tmp_path / "photo.png")
    ImageDraw.Draw(mask).ellipse((185, 85, 225, 115), fill=255)
    mask.save(tmp_path / "mask.png")
    scratched = photo.copy()
    ImageDraw.Draw(scratched).line((150, 40, 300, 320), fill="white", width=3)
    scratched.save(tmp_path / "scratched.png")
    return tmp_path


def test_a_photo_is_filled_with_real_pixels_first(photos: Path) -> None:
    done = run(
        "import faceinp, json\n"
        "result = faceinp.fill('photo.png', 'mask.png', references=['photo.png'])\n"
        "facts = {'runtime': result.runtime, 'changed': result.changed_pixels, 'sources': sorted(result.shares)}\n"
        "print(json.dumps(facts | {'torch': sys.modules.get('torch') is not None}))\n",
        photos,
    )
    assert done.returncode == 0, done.stderr
    facts = json.loads(done.stdout)
    assert facts["runtime"].startswith("onnxruntime") and facts["runtime"].endswith("cpu fp32")
    assert facts["changed"] == 0 and not facts["torch"]
    assert 10 in facts["sources"]  # the judge let the reference pass, and its pixels were taken


def test_a_fill_leaves_no_file_and_tells_nobody(photos: Path) -> None:
    """onnxruntime's telemetry, where it is on, keeps a session file among the temporary ones."""
    temporary = photos / "temporary"
    temporary.mkdir()
    code = "import os\nfor name in ('CI', 'ORT_DISABLE_TELEMETRY', 'ORT_RUNNING_UNIT_TESTS'): os.environ.pop(name, 0)\n"
    code += f"os.environ['TMPDIR'] = {str(temporary)!r}\nimport faceinp\nfaceinp.fill('photo.png', 'mask.png')\n"
    done = run(code + "print(os.environ['ORT_DISABLE_TELEMETRY'])", photos)
    assert done.stdout == "1\n", done.stderr
    assert not list(temporary.iterdir())


@pytest.mark.parametrize(
    ("command", "says"),
    [
        ("find scratched.png -o found.png", "found.png"),
        ("fill scratched.png --find damage -o out.png", "known pixels changed: 0 of"),
        ("fill photo.png --preset eyes --engine patchmatch -o out.png", "known pixels changed: 0 of"),
        ("identity photo.png scratched.png --judge bundled", "Probably the same person"),
        ("batch photo.png filled --masks mask.png --workers 1", ""),
        ("engines", "landmark runs here on: onnxruntime\n"),
        ("weights verify", "completion: as recorded"),
    ],
)
def test_the_shell_does_its_work(command: str, says: str, photos: Path) -> None:
    done = run(f"from faceinp.cli.main import main\nsys.exit(main({command.split()!r}))\n", photos)
    assert done.returncode == 0 and says in done.stdout, done.stderr
    if command.startswith("batch"):
        assert Image.open(photos / "filled" / "photo.png").size == (512, 512)


@pytest.mark.parametrize(
    ("command", "extra"),
    [
        ("fill photo.png --mask mask.png --engine structural -o out.png", "torch"),
        ("fill photo.png --mask mask.png --engine biharmonic -o out.png", "classical"),
        ("fill photo.png --mask mask.png --set runtime=torch -o out.png", "torch"),
        ("fill photo.png --mask mask.png --engine landmark-openvino -o out.png", "openvino"),
        ("identity photo.png scratched.png --judge facenet", "torch"),
        ("train landmarks --data photo.png", "train"),
        ("export onnx restorer", "export"),
        ("weights pack nowhere -o out.safetensors", "torch"),
        ("weights pull me/faces --onnx", "hub"),
    ],
)
def test_what_needs_more_says_what(command: str, extra: str, photos: Path) -> None:
    done = run(f"from faceinp.cli.main import main\nsys.exit(main({command.split()!r}))\n", photos)
    assert done.returncode and f"pip install 'faceinp[{extra}]'" in done.stderr, done.stderr
    assert "Traceback" not in done.stderr
