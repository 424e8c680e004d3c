"""Where a package is missing, one sentence says which, and which extra brings it."""

import os
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from faceinp.engines import loading
from faceinp.errors import EXTRAS, MissingPackageError, missing_package

ROOT = Path(__file__).parent.parent


def brought(extra: str, extras: dict[str, list[str]]) -> set[str]:
    """The names of all that ``extra`` installs."""
    names: set[str] = set()
    for line in extras[extra]:
        wanted = Requirement(line)
        names.add(canonicalize_name(wanted.name))
        for inner in wanted.extras if wanted.name == "faceinp" else ():
            names |= brought(inner, extras)
    return names


@pytest.fixture(scope="module")
def project() -> dict[str, list[str]]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]


@pytest.mark.parametrize("package", EXTRAS)
def test_each_extra_that_is_named_brings_the_package(package: str, project: dict[str, list[str]]) -> None:
    distributions = packages_distributions().get(package) or [package]
    for extra in EXTRAS[package]:
        assert {canonicalize_name(name) for name in distributions} & brought(extra, project)


def test_engines_name_the_extra_that_brings_what_they_need() -> None:
    assert loading.known_engine("structural").needs.extra == "torch"
    assert loading.known_engine("biharmonic").needs.extra == "classical"


@pytest.mark.process
@pytest.mark.parametrize(
    ("package", "command", "extra"),
    [
        ("torch", "train dcgan --help", "train"),
        ("torch", "weights pack run -o out.safetensors", "torch"),
        ("torch", "evaluate quick --data shards", "eval"),
        ("torch", "export onnx all", "export"),
        ("torch", "export trt completion", "export"),
        ("torch", "export triton models", "export"),
        ("gradio", "demo", "demo"),
    ],
)
def test_without_a_package_a_command_says_what_to_install(
    package: str, command: str, extra: str, tmp_path: Path
) -> None:
    code = (
        f"import sys\nsys.modules[{package!r}] = None\nfrom faceinp.cli.main import main\nsys.exit(main(sys.argv[1:]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *command.split()], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.stderr == f"faceinp: The package {package} is not installed. Run: pip install 'faceinp[{extra}]'\n"
    assert done.returncode == 5


@pytest.mark.process
def test_without_torch_an_exporter_run_as_a_module_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text("import sys\nsys.modules['torch'] = None\n")
    environment = os.environ | {"PYTHONPATH": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-m", "export.onnx", "all"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == "export: The package torch is not installed. Run: pip install 'faceinp[export]'\n"
    assert done.returncode == MissingPackageError.exit_code


def test_what_no_extra_brings_is_no_missing_extra() -> None:
    assert missing_package(ModuleNotFoundError("of somebody else", name="theirs")) is None
    assert missing_package(ModuleNotFoundError("ours", name="faceinp.nothing"), "train") is None


def test_the_extra_is_that_of_the_command() -> None:
    error = ModuleNotFoundError("No module named 'webdataset.writer'", name="webdataset.writer")
    found = [missing_package(error, command) for command in ("batch", "data", "evaluate", "fill")]
    assert [one.extra for one in found if one] == ["batch", "train", "eval", "train"]
    assert str(MissingPackageError("onnxruntime", "")).endswith("Run: pip install faceinp")
