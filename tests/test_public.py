"""The public names are those of ``faceinp.__all__``: each is there and documented, and nothing else is offered."""

import importlib
import inspect
import pickle
import subprocess
import sys
import types
from pathlib import Path

import pytest

import faceinp

ROOT = Path(__file__).parent.parent


@pytest.mark.parametrize("name", faceinp.__all__)
def test_every_public_name_is_there_and_documented(name: str) -> None:
    value = getattr(faceinp, name)
    assert not isinstance(value, types.ModuleType)
    assert isinstance(value, str) or inspect.getdoc(value)
    assert name in dir(faceinp)


def test_nothing_else_is_public() -> None:
    for module in ("pipeline", "faces", "photo", "masks", "metrics", "blend", "weights", "cli", "engines.base"):
        importlib.import_module(f"faceinp.{module}")  # as a program may have done
    offered = {
        name
        for name, value in inspect.getmembers(faceinp)
        if not name.startswith("_") and getattr(value, "__module__", "").split(".")[0] == "faceinp"
    }
    assert offered == set(faceinp.__all__) - {"__version__"}


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'file'"):
        faceinp.file  # noqa: B018
    with pytest.raises(ImportError):
        from faceinp import file  # noqa: F401


def test_fill_stays_a_function_whatever_is_imported_first() -> None:
    code = "import faceinp.pipeline\nassert callable(faceinp.fill)\nfrom faceinp import *\nassert fill is faceinp.fill"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


def test_every_error_is_a_faceinp_error_with_an_exit_code_of_its_own() -> None:
    public = [getattr(faceinp, name) for name in faceinp.__all__]
    errors = [value for value in public if isinstance(value, type) and issubclass(value, Exception)]
    assert all(issubclass(error, faceinp.FaceinpError) for error in errors)
    codes = [error.exit_code for error in errors if error is not faceinp.MissingPackageError]  # it is an EngineError
    assert len(set(codes)) == len(codes)


def test_errors_come_whole_out_of_another_process() -> None:
    error = pickle.loads(pickle.dumps(faceinp.MissingPackageError("ray", "ray")))
    assert (str(error), error.package) == (str(faceinp.MissingPackageError("ray", "ray")), "ray")
