"""A client of the served page."""

from pathlib import Path
from typing import Any

import pytest
from api_calls import PORTRAIT, hole, png, uploads
from serving import SLOWLY, Server


@pytest.fixture(scope="session")
def client(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Any:
    gradio_client = pytest.importorskip("gradio_client", reason="the extra 'demo' is not installed")
    folder = tmp_path_factory.mktemp("downloads")
    return gradio_client.Client(server.url, verbose=False, download_files=folder, httpx_kwargs=SLOWLY)


@pytest.fixture
def send(client: Any, tmp_path: Path) -> Any:
    """``send(photo, mask, **more)`` -> (filled, facts): bytes, or names of files, to /fill."""
    import gradio_client

    count = iter(range(100))

    def file(data: bytes | None, name: str) -> Any:
        if data is None:
            return None
        path = tmp_path / str(next(count)) / name
        path.parent.mkdir()
        path.write_bytes(data)
        return gradio_client.handle_file(path)

    def send(photo: bytes | None, mask: bytes | None = None, name: str = "photo.png", **more: Any) -> Any:
        more = {"engine": "telea", "aligned": True} | more
        if isinstance(more.get("second"), bytes):
            more["second"] = file(more["second"], "second.png")
        if isinstance(more.get("references"), list):
            more["references"] = [file(data, "reference.png") for data in more["references"]]
        return client.predict(photo=file(photo, name), mask=file(mask, "mask.png"), api_name="/fill", **more)

    return send


@pytest.fixture
def alive(server: Server, send: Any) -> Any:
    """Afterwards the server answers as before, and holds no file of the one it refused."""
    before = uploads(server)
    yield
    filled, facts = send(png(PORTRAIT), hole())
    assert facts["changed_pixels"] == 0 and Path(filled).exists()
    assert uploads(server) <= before
