"""What several tests need: a cache of their own, exported files of small networks, and the served page."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from serving import ROOT, Server, serving


@pytest.fixture(scope="session", autouse=True)
def _cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What engines make at first use does not stay in the cache of whoever runs the tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FACEINP_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session")
def small_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights of small networks."""
    from export_files import put_all

    folder = tmp_path_factory.mktemp("weights")
    put_all(folder)
    return folder


@pytest.fixture
def small_weights(small_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Small networks are the package's weights."""
    monkeypatch.setenv("FACEINP_WEIGHTS", str(small_folder))
    return small_folder


@pytest.fixture(scope="session")
def exported(small_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """``exported(name, precision, size)``: the ONNX file of a small network, of 128 pixels a side."""
    pytest.importorskip("onnxscript", reason="the extra 'export' is not installed")
    pytest.importorskip("onnxruntime", reason="the extra 'export' is not installed")
    from export_files import SIDE

    from export import onnx

    folder, made = tmp_path_factory.mktemp("exported"), {}

    def get(name: str, precision: str = "fp32", size: int = SIDE) -> Path:
        if (name, precision, size) not in made:
            with pytest.MonkeyPatch.context() as patch:
                patch.setenv("FACEINP_WEIGHTS", str(small_folder))
                made[name, precision, size] = onnx.export(name, folder / str(size), precision=precision, size=size)
        return made[name, precision, size]

    return get


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """``python -m demo`` with every engine that runs here."""
    pytest.importorskip("gradio", reason="the extra 'demo' is not installed")
    with serving(tmp_path_factory.mktemp("server"), FACEINP_WEIGHTS=str(ROOT / "weights")) as served:
        yield served
