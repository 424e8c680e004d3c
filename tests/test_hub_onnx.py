"""Exported files travel by a hub, and what is not what its sidecar says does not."""

import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from hub import Hub, run, standing_in

from faceinp.models import sidecar

pytest.importorskip("huggingface_hub", reason="the extra 'hub' is not installed")

WITHOUT = ("torch", "onnx", "onnxscript", "safetensors", "skimage")
FETCHES = (
    f"import sys\nsys.modules.update(dict.fromkeys({WITHOUT}))\nfrom faceinp.cli.main import main\nsys.exit(main())"
)


@pytest.fixture
def hub() -> Iterator[Hub]:
    with standing_in() as hub:
        yield hub


@pytest.fixture
def ours(small_folder: Path, tmp_path: Path) -> Path:
    """A folder of small weights with terms."""
    folder = tmp_path / "weights"
    shutil.copytree(small_folder, folder)
    (folder / "LICENSE").write_text("Not for sale.\n")
    (folder / "dcgan.md").write_text("# dcgan\n")
    return folder


@pytest.fixture
def files(exported: Callable[..., Path], tmp_path: Path) -> Path:
    """A folder of exported files: of our weights, and of the face detector's."""
    folder = tmp_path / "exported"
    folder.mkdir()
    for name in ("dcgan", "detector"):
        for source in (file := exported(name), sidecar.path(file)):
            shutil.copy(source, folder)
    return folder


@pytest.fixture
def pushed(hub: Hub, ours: Path, files: Path) -> dict[str, bytes]:
    """What the repository me/faces holds then."""
    done = run(hub, ours, "-m", "faceinp", "weights", "push", "me/faces", "--onnx", str(files))
    assert done.returncode == 0 and f"{hub.url}/me/faces" in done.stdout, done.stderr
    return hub.repositories["me/faces"]


def pull(hub: Hub, ours: Path, *more: str) -> subprocess.CompletedProcess[str]:
    """Where there is neither torch nor onnx."""
    return run(hub, ours, "-c", FETCHES, "weights", "pull", "me/faces", "--onnx", *more)


def names(folder: Path) -> set[str]:
    return {str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file()}


@pytest.mark.process
def test_files_come_back_the_same_and_run(
    hub: Hub, ours: Path, files: Path, pushed: dict[str, bytes], tmp_path: Path
) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    out = tmp_path / "new"
    done = pull(hub, ours, "-o", str(out))
    assert done.returncode == 0, done.stderr
    terms = {"terms/LICENSE", "terms/dcgan.md", "terms/mtcnn.LICENSE", "terms/mtcnn.md"}
    assert names(out) == {"dcgan.onnx", "dcgan.onnx.json", "detector.onnx", "detector.onnx.json"} | terms
    assert all((out / file.name).read_bytes() == file.read_bytes() for file in files.iterdir())
    assert f"{out / 'detector.onnx'}: as recorded; licence: MIT\n" in done.stdout
    session = onnxruntime.InferenceSession(out / "dcgan.onnx", providers=["CPUExecutionProvider"])
    (picture,) = session.run(None, {"z": np.zeros((1, 100), np.float32)})
    assert picture.shape == (1, 3, 64, 64)


def test_the_readme_says_what_each_file_is(pushed: dict[str, bytes]) -> None:
    readme = pushed["onnx/README.md"].decode()
    assert "faceinp weights pull me/faces --onnx dcgan" in readme
    for name in ("dcgan", "detector"):
        about = json.loads(pushed[f"onnx/{name}.onnx.json"])
        section = readme.partition(f"## {name}.onnx\n")[2].partition("\n## ")[0]
        assert about["sha256"] in section and about["licence"] in section and about["about"] in section
        assert f"{about['runtime']['onnxruntime']} or newer" in section
        for port, meaning in (about["inputs"] | about["outputs"]).items():
            assert f"`{port}`, {meaning}" in section
        for port in about["outputs"]:
            worst = max(error["max"] for error in about["errors"] if error["output"] == port)
            assert f"**Parity** of `{port}`: at most {worst:.1e}," in section
    assert "1 to 16" in readme.partition("## dcgan.onnx")[2]


@pytest.mark.process
def test_one_is_fetched_by_name_and_once(hub: Hub, ours: Path, pushed: dict[str, bytes], tmp_path: Path) -> None:
    out = tmp_path / "new"
    out.mkdir()
    (out / "LICENSE").write_text("mine")
    for name in ("dcgan", "dcgan.onnx"):
        done = pull(hub, ours, name, "-o", str(out))
        assert done.returncode == 0, done.stderr
    assert {"dcgan.onnx", "dcgan.onnx.json"} == {name for name in names(out) if "onnx" in name}
    assert (out / "LICENSE").read_text() == "mine"
    assert hub.sent.count("onnx/dcgan.onnx") == 1
    done = pull(hub, ours, "photo", "-o", str(out))
    assert done.returncode == 6 and "Available: dcgan.onnx, detector.onnx" in done.stderr


@pytest.mark.process
def test_what_came_damaged_leaves_what_was_there(
    hub: Hub, ours: Path, pushed: dict[str, bytes], tmp_path: Path
) -> None:
    out = tmp_path / "new"
    assert pull(hub, ours, "-o", str(out)).returncode == 0
    before = {name: (out / name).read_bytes() for name in names(out)}
    (out / "detector.onnx").unlink()
    del before["detector.onnx"]
    pushed["onnx/detector.onnx"] = pushed["onnx/detector.onnx"][:-1] + b"?"
    done = pull(hub, ours, "-o", str(out))
    assert (
        done.returncode == 6
        and "detector.onnx from me/faces does not match its sidecar" in done.stderr
        and "Traceback" not in done.stderr
    )
    assert {name: (out / name).read_bytes() for name in names(out)} == before


def test_files_that_are_pushed_no_more_go(hub: Hub, ours: Path, files: Path, pushed: dict[str, bytes]) -> None:
    pushed |= {"README.md": b"# ours", "completion.onnx": b"a graph of the weights"}
    for file in files.glob("detector*"):
        file.unlink()
    done = run(hub, ours, "-m", "faceinp", "weights", "push", "me/faces", "--onnx", str(files))
    assert done.returncode == 0, done.stderr
    assert {name for name in pushed if name.endswith(".onnx")} == {"completion.onnx", "onnx/dcgan.onnx"}
    assert pushed["README.md"] == b"# ours" and "detector" not in pushed["onnx/README.md"].decode()


def _damaged(files: Path, ours: Path) -> None:
    with (files / "dcgan.onnx").open("ab") as file:
        file.write(b"?")


def _of_other_weights(files: Path, ours: Path) -> None:
    with (ours / "dcgan.safetensors").open("ab") as file:
        file.write(b"?")


def _without_weights(files: Path, ours: Path) -> None:
    (ours / "dcgan.safetensors").unlink()


def _untrained(files: Path, ours: Path) -> None:
    _say(files, trained=False)


def _of_an_earlier_version(files: Path, ours: Path) -> None:
    _say(files, errors=[])


def _without_a_sidecar(files: Path, ours: Path) -> None:
    (files / "dcgan.onnx.json").unlink()


def _none(files: Path, ours: Path) -> None:
    shutil.rmtree(files)


def _say(files: Path, **more: object) -> None:
    place = files / "dcgan.onnx.json"
    place.write_text(json.dumps(json.loads(place.read_text()) | more))


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (_damaged, "checksum mismatch"),
        (_of_other_weights, "was exported from another version of dcgan.safetensors"),
        (_without_weights, "weights 'dcgan' are missing"),
        (_untrained, "untrained"),
        (_of_an_earlier_version, "earlier version"),
        (_without_a_sidecar, "needs a sidecar"),
        (_none, "no ONNX files"),
    ],
)
def test_what_is_not_as_it_was_exported_is_not_uploaded(
    spoil: Callable[[Path, Path], None], says: str, hub: Hub, ours: Path, files: Path
) -> None:
    spoil(files, ours)
    done = run(hub, ours, "-m", "faceinp", "weights", "push", "me/faces", "--onnx", str(files))
    assert done.returncode == 6 and says in done.stderr and "Traceback" not in done.stderr
    assert not hub.made


@pytest.mark.process
def test_a_repository_without_files_is_one_clear_message(hub: Hub, ours: Path, tmp_path: Path) -> None:
    hub.repositories["me/faces"] = {"completion.onnx": b"a graph of the weights"}
    done = pull(hub, ours, "-o", str(tmp_path / "new"))
    assert done.returncode == 6 and "me/faces has no ONNX files" in done.stderr
    assert not (tmp_path / "new").exists()
