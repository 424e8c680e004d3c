"""The package as it is installed: the wheel, an editable install and a checkout, beside somebody else's code."""

import os
import re
import shutil
import subprocess
import sys
import time
import urllib.request
import zipfile
from collections.abc import Callable
from email.message import Message
from email.parser import HeaderParser
from pathlib import Path

import pytest
import skimage.data
from PIL import Image
from serving import serving

from faceinp.models import catalogue

pytest.importorskip("hatchling", reason="the extra 'dev' is not installed")

ROOT = Path(__file__).parent.parent
LARGEST = 500e6  # bytes of the files that `pip install faceinp` brings, before Python compiles any
Run = Callable[..., subprocess.CompletedProcess[str]]


def call(*command: str | Path, cwd: Path, path: str = "") -> subprocess.CompletedProcess[str]:
    """Run ``command``. path: its PYTHONPATH, in place of ours."""
    variables = os.environ | {"PYTHONPATH": path}
    return subprocess.run(command, cwd=cwd, env=variables, capture_output=True, text=True, check=False)


def install(folder: Path, *what: str | Path, alone: bool = False) -> Path:
    """The Python of a new virtual environment into which pip installed ``what``; unless ``alone``, it sees all packages
    of this environment but faceinp, so that nothing is downloaded.
    """
    made = call(Path(sys.base_prefix) / "bin" / "python3", "-m", "venv", folder, cwd=folder.parent)
    assert made.returncode == 0, made.stderr
    python = folder / "bin" / "python"
    if not alone:
        ours = [path for path in sys.path if Path(path).name == "site-packages"]
        (packages(python) / "ours.pth").write_text("\n".join(ours))  # no .pth file in these is read
        what = ("--no-deps", "--no-index", "--no-build-isolation", *what)
    done = call(python, "-m", "pip", "install", "--disable-pip-version-check", *what, cwd=folder.parent)
    assert done.returncode == 0, done.stderr[-3000:]
    return python


def packages(python: Path) -> Path:
    (folder,) = (python.parent.parent / "lib").glob("python*/site-packages")
    return folder


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    command = (sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder)
    done = call(*command, cwd=ROOT, path=os.environ.get("PYTHONPATH", ""))
    assert done.returncode == 0, done.stderr
    (file,) = folder.glob("*.whl")
    return file


@pytest.fixture(scope="module")
def metadata(wheel: Path) -> Message:
    with zipfile.ZipFile(wheel) as files:
        (name,) = [name for name in files.namelist() if name.endswith(".dist-info/METADATA")]
        return HeaderParser().parsestr(files.read(name).decode())


@pytest.fixture(scope="module")
def installed_wheel(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return install(tmp_path_factory.mktemp("installed") / "venv", wheel)


@pytest.fixture(scope="module")
def theirs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of somebody who has an ``export.py`` and a ``demo`` of their own."""
    folder = tmp_path_factory.mktemp("theirs")
    (folder / "demo").mkdir()
    for file in ("export.py", "demo/__init__.py", "demo/app.py"):
        (folder / file).write_text("THEIRS = True\n")
    return folder


@pytest.fixture(scope="module", params=["wheel", "editable", "checkout"])
def python(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, theirs: Path) -> Run:
    """Calls Python in their folder, which comes first on its path."""
    if request.param == "checkout":
        return lambda *arguments: call(sys.executable, *arguments, cwd=theirs, path=str(ROOT))
    if request.param == "wheel":
        found = request.getfixturevalue("installed_wheel")
    else:
        found = install(tmp_path_factory.mktemp("editable") / "venv", "-e", ROOT)
    return lambda *arguments: call(found, *arguments, cwd=theirs)


def test_the_wheel_holds_one_package_with_weights_and_their_cards(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as files:
        names = files.namelist()
    assert {name.partition("/")[0].partition("-")[0] for name in names} == {"faceinp"}
    cards = {
        f"{Path(file.file).stem}.md" for file in catalogue.CATALOGUE.values() if file.licence == "research use only"
    }
    wanted = {file.name for file in (ROOT / "weights").iterdir()}
    assert cards <= wanted and {file.file for file in catalogue.CATALOGUE.values()} <= wanted
    assert {f"faceinp/_weights/{name}" for name in wanted} <= set(names)
    page = {
        file.relative_to(ROOT)
        for file in (ROOT / "demo").rglob("*")
        if file.suffix in (".py", ".js", ".css", ".png", ".json")
    }
    assert {f"faceinp/{file}" for file in page} <= set(names)
    recipes = {file.name for file in (ROOT / "faceinp" / "train" / "recipes").iterdir()}
    assert {f"faceinp/train/recipes/{name}" for name in recipes} <= set(names)
    assert not [name for name in names if "__pycache__" in name or "node_modules" in name]


def test_its_licence_covers_code_and_weights(wheel: Path, metadata: Message) -> None:
    assert metadata["License-Expression"] == "Apache-2.0 AND LicenseRef-faceinp-weights-research-only AND MIT"
    files = metadata.get_all("License-File") or []
    assert {"LICENSE", "weights/LICENSE"} <= set(files)
    with zipfile.ZipFile(wheel) as inside:
        (weights_licence,) = [name for name in inside.namelist() if name.endswith("licenses/weights/LICENSE")]
        assert b"research use only" in inside.read(weights_licence)


def test_the_core_asks_for_no_torch(metadata: Message) -> None:
    core = [line for line in metadata.get_all("Requires-Dist") or () if "extra ==" not in line]
    names = {re.split(r"[^\w-]", line)[0] for line in core}
    assert "onnxruntime" in names and not names & {"torch", "torchvision", "safetensors", "facenet-pytorch"}
    assert "scikit-image" not in names


@pytest.mark.parametrize(
    ("command", "says"),
    [
        ("export --help", "onnx      write ONNX files"),
        ("export onnx --help", "usage: faceinp export onnx "),
        ("demo --help", "usage: faceinp demo "),
        ("engines", "landmark runs here on: onnxruntime"),
    ],
)
def test_commands_work_beside_their_modules(python: Run, command: str, says: str) -> None:
    done = python("-m", "faceinp", *command.split())
    assert done.returncode == 0 and says in done.stdout, done.stderr


def test_imports_get_ours_and_theirs(python: Run) -> None:
    code = "import export, demo.app, faceinp.export.shell, faceinp.demo.space, faceinp.demo.server.rates, sys\n"
    code += "print(export.THEIRS, demo.app.THEIRS, *[name for name in sys.modules if name.startswith('demo')])"
    done = python("-c", code)
    assert done.stdout == "True True demo demo.app\n", done.stderr


def test_a_copy_of_the_package_does_not_take_their_export_for_ours(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "faceinp", tmp_path / "faceinp", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "theirs"\n')
    (tmp_path / "export.py").write_text("THEIRS = True\n")
    done = call(sys.executable, "-c", "import faceinp.export", cwd=tmp_path)
    assert "No module named 'faceinp.export'" in done.stderr


def test_the_scripts_command_is_the_same(installed_wheel: Path, theirs: Path) -> None:
    done = call(installed_wheel.parent / "faceinp", "export", "trt", "--help", cwd=theirs)
    assert done.returncode == 0 and "usage: faceinp export trt " in done.stdout, done.stderr


def test_the_wheel_serves_the_page_beside_their_modules(installed_wheel: Path, theirs: Path, tmp_path: Path) -> None:
    command = (str(installed_wheel), "-m", "faceinp", "demo")
    with serving(tmp_path, command=command, cwd=theirs, PYTHONPATH="") as served:
        assert urllib.request.urlopen(served.url, timeout=60).status == 200


def test_the_image_installs_from_what_it_copies(tmp_path: Path) -> None:
    shown, source = (ROOT / ".dockerignore").read_text().splitlines(), tmp_path / "app"
    source.mkdir()
    for names in re.findall(r"^COPY (.*) \S+$", (ROOT / "Dockerfile").read_text(), re.MULTILINE):
        for name in names.split():
            assert f"!{name}" in shown
            copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
            copy(ROOT / name, source / name)
    found = install(tmp_path / "venv", "-e", source)
    done = call(found.parent / "faceinp", "demo", "--help", cwd=tmp_path)
    assert done.returncode == 0 and "usage: faceinp demo " in done.stdout, done.stderr
    assert "\n\t$(BIN)/faceinp demo $(ARGS)\n" in (source / "Makefile").read_text()  # the image starts `make demo`


@pytest.mark.slow  # it downloads some 150 MB
def test_a_small_installation_fills_a_photo(wheel: Path, theirs: Path, tmp_path: Path) -> None:
    started = time.perf_counter()
    found = install(tmp_path / "venv", wheel, alone=True)
    print(f"installed in {time.perf_counter() - started:.0f} s")
    names = {folder.name for folder in packages(found).iterdir()}
    assert "faceinp" in names and not names & {"torch", "torchvision", "skimage", "export", "demo"}
    files = [file for file in packages(found).rglob("*") if file.is_file()]
    own = {"pip", "setuptools", "pkg_resources"}  # what a new environment holds
    brought = [
        file for file in files if file.suffix != ".pyc" and file.relative_to(packages(found)).parts[0] not in own
    ]
    size, whole = (sum(file.stat().st_size for file in counted) for counted in (brought, files))
    print(f"{size / 1e6:.0f} MB; with pip and compiled files {whole / 1e6:.0f} MB")
    assert size < LARGEST
    Image.fromarray(skimage.data.astronaut()).save(tmp_path / "photo.png")
    command = ("fill", tmp_path / "photo.png", "--preset", "eyes", "-o", tmp_path / "out.png")
    done = call(found.parent / "faceinp", *command, cwd=theirs)
    assert done.returncode == 0 and "known pixels changed: 0 of " in done.stdout, done.stderr
