"""How a judge's weights come: fetched once, compared with their checksum; and what stands in where they do not."""

import http.server
import threading
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from judge_files import calibrated, crops
from safetensors.torch import save_file

from faceinp import identity
from faceinp.errors import EngineError, WeightsError
from faceinp.models import catalogue, weights

pytestmark = pytest.mark.usefixtures("judge_weights")


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """A folder, and the address it is served at on this machine."""
    folder = tmp_path / "served"
    folder.mkdir()
    handler = partial(_Quiet, directory=str(folder))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield folder, f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    thread.join()
    server.server_close()


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass


def serve(monkeypatch: pytest.MonkeyPatch, folder: Path, address: str, content: bytes) -> catalogue.Remote:
    """Serve ``content`` as FaceNet's file; its checksum becomes the recorded one."""
    remote = catalogue.REMOTE["facenet"]
    file = folder / remote.file
    file.write_bytes(content)
    remote = replace(remote, sha256=weights.sha256(file), size=len(content))
    monkeypatch.setitem(catalogue.REMOTE, "facenet", remote)
    monkeypatch.setenv("FACEINP_WEIGHTS_URL", address)
    return remote


def test_weights_are_fetched_once(served: tuple[Path, str], monkeypatch: pytest.MonkeyPatch) -> None:
    folder, address = served
    remote = serve(monkeypatch, folder, address, bytes(3_000_000))
    steps: list[tuple[int, int]] = []
    file = weights.fetch("facenet", lambda done, total: steps.append((done, total)))
    assert file == weights.cache() / remote.file and file.read_bytes() == bytes(3_000_000)
    assert steps[-1] == (3_000_000, 3_000_000) and steps == sorted(steps) and len(steps) > 1
    (folder / remote.file).unlink()
    assert weights.fetch("facenet") == file  # from the cache
    file.write_bytes(b"damaged")
    with pytest.raises(WeightsError, match="cannot be downloaded"):
        weights.fetch("facenet")
    (folder / remote.file).write_bytes(bytes(3_000_000))
    assert weights.sha256(weights.fetch("facenet")) == remote.sha256  # a damaged copy is replaced


@pytest.mark.parametrize("content", [b"another file of this size", b"short", bytes(5_000_000)])
def test_what_has_another_checksum_is_not_kept(
    content: bytes, served: tuple[Path, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, address = served
    remote = serve(monkeypatch, folder, address, b"the file as it should be.")
    (folder / remote.file).write_bytes(content)
    with pytest.raises(WeightsError, match="checksum"):
        weights.fetch("facenet")
    assert list(weights.cache().iterdir()) == []


def test_without_a_network_the_way_on_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FACEINP_WEIGHTS_URL", "http://127.0.0.1:9")  # nobody listens there
    with pytest.raises(WeightsError, match=r"cannot be downloaded from http://127\.0\.0\.1:9/.*into that folder"):
        identity.load("facenet")


def test_facenet_is_fetched_loaded_and_differentiable(
    served: tuple[Path, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The released file's layout, with random weights: a pickle of tensors, with the classes of its training."""
    from facenet_pytorch import InceptionResnetV1

    folder, address = served
    torch.manual_seed(0)
    network = InceptionResnetV1(classify=True, num_classes=7).eval()
    torch.save(network.state_dict(), tmp_path / "state.pt")
    serve(monkeypatch, folder, address, (tmp_path / "state.pt").read_bytes())
    judge = identity.load("facenet")
    given = torch.from_numpy(crops(2)).requires_grad_()
    vectors = judge.embed(given)
    vectors[:, 0].sum().backward()
    assert vectors.shape == (2, 512) and given.grad is not None and given.grad.abs().sum() > 0
    assert (judge.name, judge.size, judge.differentiable) == ("facenet", (160, 160), True)
    assert not identity.load("auto").notes[0].startswith("FaceNet") and identity.load("auto").name == "bundled"
    calibrated(judge.weights, "facenet").write(weights.cache() / "facenet.json")
    chosen = identity.load("auto")  # cached and calibrated
    assert (chosen.name, chosen.notes) == ("facenet", ())
    assert chosen.same_person(*vectors.detach()).judge == "facenet"


def test_a_pickle_with_code_is_not_run(
    served: tuple[Path, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Code:
        def __reduce__(self) -> tuple:
            return (Path.touch, (tmp_path / "ran",))

    folder, address = served
    torch.save({"conv2d_1a.conv.weight": Code()}, tmp_path / "state.pt")
    serve(monkeypatch, folder, address, (tmp_path / "state.pt").read_bytes())
    with pytest.raises(WeightsError, match="does not contain the FaceNet network"):
        identity.load("facenet")
    assert not (tmp_path / "ran").exists()


def test_auto_says_when_the_bundled_judge_stands_in(judge: identity.Judge) -> None:
    weights.cache().mkdir()
    auto = identity.load()
    assert auto.name == "bundled" and "not calibrated" in auto.notes[0]
    calibrated(judge.weights, "facenet").write(weights.cache() / "facenet.json")
    auto = identity.load()
    assert auto.name == "bundled" and "cannot be downloaded" in auto.notes[0]
    assert auto.same_person(np.eye(16)[0], np.eye(16)[1]).notes == auto.notes


def test_an_unknown_judge_and_missing_weights_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(EngineError, match=r"Unknown judge 'magic'.*facenet, bundled, dlib"):
        identity.load("magic")
    with pytest.raises(WeightsError, match="no file"):
        identity.load(tmp_path / "none.onnx")
    save_file({"embedding/last.bias": torch.zeros(3)}, tmp_path / "embedding.safetensors")
    monkeypatch.setenv("FACEINP_WEIGHTS", str(tmp_path))
    with pytest.raises(WeightsError, match=r"does not contain the network .embedding."):
        identity.load("bundled")
