"""Imports point one way, and `import faceinp` and quick commands bring nothing heavy along."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
HEAVY = (
    *("torch", "torchvision", "scipy", "skimage", "facenet_pytorch", "gradio", "webdataset", "matplotlib"),
    *("onnx", "onnxruntime", "openvino", "tensorrt", "tensorrt_rtx"),
)
BREACHES = {  # a file, and an import that the house forbids there
    "networks know engines": ("faceinp/nets/dcgan.py", "import faceinp.engines.base"),
    "networks know files": ("faceinp/nets/dcgan.py", "import faceinp.models.weights"),
    "an engine imports the pipeline": ("faceinp/engines/base.py", "import faceinp.pipeline"),
    "the contract knows an engine": ("faceinp/engines/base.py", "import faceinp.engines.foreign"),
    "an engine knows the list": ("faceinp/engines/landmark.py", "import faceinp.engines.loading"),
    "an engine needs the training": ("faceinp/engines/base.py", "import faceinp.train.loop"),
    "training imports the pipeline": ("faceinp/train/loop.py", "import faceinp.pipeline"),
    "the page goes behind the public names": ("demo/app.py", "from faceinp import photo"),
    "an exporter calls the shell": ("export/__init__.py", "import faceinp.cli.main"),
}


def lint_imports(tree: Path) -> subprocess.CompletedProcess[str]:
    code = "import sys\nfrom importlinter.cli import lint_imports\nsys.exit(lint_imports(no_cache=True))"
    return subprocess.run([sys.executable, "-c", code], cwd=tree, capture_output=True, text=True, check=False)


def heavy_after(code: str) -> list[str]:
    """Which heavy packages a fresh interpreter holds after ``code``."""
    code = f"import sys\n{code}\nprint('\\nheavy:', *[name for name in {HEAVY} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    return done.stdout.rpartition("heavy:")[2].split()


def test_imports_point_one_way() -> None:
    linted = lint_imports(ROOT)
    assert linted.returncode == 0, linted.stdout


@pytest.mark.parametrize("breach", BREACHES)
def test_an_import_against_the_direction_is_found(breach: str, tmp_path: Path) -> None:
    for package in ("faceinp", "demo", "export"):
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    file, statement = BREACHES[breach]
    with (tmp_path / file).open("a") as source:
        source.write(f"\n{statement}\n")
    linted = lint_imports(tmp_path)
    module, imported = file.removesuffix(".py").removesuffix("/__init__").replace("/", "."), statement.split()
    name = ".".join(imported[1::2])  # "import x" or "from x import y"
    assert linted.returncode == 1 and f"{module} -> {name} " in linted.stdout, linted.stdout


@pytest.mark.parametrize(
    "code",
    [
        "import faceinp",
        "import faceinp\nfor name in faceinp.__all__: getattr(faceinp, name)",
        "import faceinp\nfaceinp.list_engines()",
        "from faceinp.cli.main import main\ntry: main(['--help'])\nexcept SystemExit: pass",
        "from faceinp.cli.main import main\ntry: main(['train', '--help'])\nexcept SystemExit: pass",
        "from faceinp.cli.main import main\ntry: main(['export', '--help'])\nexcept SystemExit: pass",
        "from faceinp.cli.main import main\ntry: main(['demo', '--help'])\nexcept SystemExit: pass",
        "from faceinp.cli.main import main\nmain(['engines'])",
    ],
)
def test_nothing_heavy_is_imported(code: str) -> None:
    assert heavy_after(code) == []


def test_help_answers_at_once() -> None:
    before = os.times()
    subprocess.run([sys.executable, "-m", "faceinp", "--help"], cwd=ROOT, capture_output=True, check=True)
    after = os.times()  # processor time, so that a busy machine does not count
    assert after.children_user + after.children_system - before.children_user - before.children_system < 0.5
