"""The public names are those of ``faceinp.__all__``: each is there and documented, and nothing else is offered."""

import ast
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
    modules = "face.faces photo.photos mask.masks formulas.metrics blend.blending models.weights cli engines.base"
    for module in ("pipeline", *modules.split()):
        importlib.import_module(f"faceinp.{module}")  # as a program may have done
    offered = {
        name
        for name, value in inspect.getmembers(faceinp)
        if not name.startswith("_")
        and (isinstance(value, types.UnionType) or getattr(value, "__module__", "").split(".")[0] == "faceinp")
    }
    assert offered == set(faceinp.__all__) - {"__version__"}


def test_type_checkers_see_the_names_that_a_program_gets() -> None:
    """What is imported for them, what is fetched when first used, and ``__all__`` are one list."""
    module = ast.parse((ROOT / "faceinp" / "__init__.py").read_text())
    blocks = [node for node in module.body if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"]
    imported = {
        alias.asname or alias.name: f"{node.module}:{alias.name}" if alias.asname else node.module
        for block in blocks
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert imported == faceinp._PUBLIC
    assert sorted(faceinp.__all__) == sorted(["__version__", *imported])
    assert (ROOT / "faceinp" / "py.typed").is_file()


@pytest.mark.process
def test_a_type_checker_finds_a_misspelt_name(tmp_path: Path) -> None:
    pytest.importorskip("mypy", reason="the extra 'dev' is not installed")
    program = tmp_path / "program.py"
    program.write_text("\n".join(["import faceinp", *(f"faceinp.{name}" for name in (*faceinp.__all__, "find_facez"))]))
    command = [sys.executable, "-m", "mypy", "--config-file=", "--cache-dir", str(tmp_path), "--follow-imports=skip"]
    checked = subprocess.run(
        [*command, "faceinp/__init__.py", str(program)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    (error, summary) = checked.stdout.splitlines()
    assert 'Module has no attribute "find_facez"' in error and summary.startswith("Found 1 error")


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'file'"):
        faceinp.file  # noqa: B018
    with pytest.raises(ImportError):
        from faceinp import file  # noqa: F401


@pytest.mark.process
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
