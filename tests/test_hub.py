"""Weights, exported files and the Space travel by huggingface-hub, to a hub that stands in on this machine."""

import contextlib
import shutil
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import pytest
import skimage.data
from hub import Hub, run, standing_in
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from PIL import Image
from serving import ROOT, SLOWLY, serving

from faceinp.models import catalogue

pytest.importorskip("huggingface_hub", reason="the extra 'hub' is not installed")
gradio_client = pytest.importorskip("gradio_client", reason="the extra 'demo' is not installed")


@pytest.fixture
def hub() -> Iterator[Hub]:
    with standing_in() as hub:
        yield hub


@pytest.fixture
def ours(tmp_path: Path) -> Path:
    """A folder of weights whose every file is recorded."""
    folder = tmp_path / "weights"
    shutil.copytree(ROOT / "weights", folder)
    return folder


def test_weights_go_to_the_hub_and_come_back_the_same(hub: Hub, ours: Path, tmp_path: Path) -> None:
    done = run(hub, ours, "-m", "faceinp", "weights", "push", "me/faces")
    assert done.returncode == 0 and f"{hub.url}/me/faces" in done.stdout, done.stderr
    pushed = set(hub.repositories["me/faces"])
    assert {"completion.safetensors", "completion.onnx", "dcgan.md", "checksums.json"} <= pushed
    assert {"mtcnn-onet.onnx", "mtcnn.LICENSE", "LICENSE"} <= pushed
    (tmp_path / "new").mkdir()
    hub.breaks.add("dcgan.safetensors")
    pulled = run(hub, ours, "-m", "faceinp", "weights", "pull", "me/faces", "-o", str(tmp_path / "new"))
    assert pulled.returncode == 0, pulled.stderr
    assert hub.ranges == ["dcgan.safetensors"], "it goes on where it broke off"
    for kind in catalogue.CATALOGUE.values():
        assert (tmp_path / "new" / kind.file).read_bytes() == (ours / kind.file).read_bytes()
    assert run(hub, tmp_path / "new", "-m", "faceinp", "weights", "verify").returncode == 0


def test_what_came_damaged_is_not_kept(hub: Hub, ours: Path, tmp_path: Path) -> None:
    files = {file.name: file.read_bytes() for file in ours.iterdir()}
    hub.repositories["me/faces"] = files | {"dcgan.safetensors": b"something else"}
    pulled = run(hub, ours, "-m", "faceinp", "weights", "pull", "me/faces", "-o", str(tmp_path / "new"))
    assert pulled.returncode == 6 and "damaged" in pulled.stderr
    assert not (tmp_path / "new" / "dcgan.safetensors").exists()


def test_damaged_weights_are_not_uploaded(hub: Hub, ours: Path) -> None:
    (ours / "landmarks.safetensors").write_bytes(b"something else")
    done = run(hub, ours, "-m", "faceinp", "weights", "push", "me/faces")
    assert done.returncode == 6 and "damaged" in done.stderr and not hub.made


@pytest.mark.parametrize(
    ("name", "token", "says"),
    [("me/nothing", "stand-in", "me/nothing"), ("no name at all", "stand-in", "OWNER/NAME")],
)
def test_a_wrong_name_is_one_clear_message(hub: Hub, ours: Path, name: str, token: str, says: str) -> None:
    done = run(hub, ours, "-m", "faceinp", "weights", "pull", name, token=token)
    assert done.returncode == 6 and says in done.stderr and "Traceback" not in done.stderr


def test_who_is_not_logged_in_is_told_so(hub: Hub, ours: Path) -> None:
    done = run(hub, ours, "-m", "faceinp", "weights", "push", "me/faces", token="wrong")
    assert done.returncode == 6 and "login" in done.stderr and "Traceback" not in done.stderr


@pytest.mark.process
def test_a_space_is_built_pushed_and_opens(hub: Hub, ours: Path, tmp_path: Path) -> None:
    done = run(hub, ours, "-m", "faceinp.demo.space", "push", "me/page")
    assert done.returncode == 0 and f"{hub.url}/spaces/me/page" in done.stdout, done.stderr
    assert hub.made[0]["type"] == "space" and hub.made[0]["sdk"] == "gradio"
    for name, data in hub.repositories["me/page"].items():
        (tmp_path / "space" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "space" / name).write_bytes(data)
    about = (tmp_path / "space" / "README.md").read_text()
    assert "sdk: gradio" in about and "app_file: app.py" in about
    wanted = (tmp_path / "space" / "requirements.txt").read_text().splitlines()
    assert any(line.startswith("gradio") for line in wanted) and any(line.startswith("torch>") for line in wanted)
    assert not any(line.startswith("pytest") for line in wanted)
    packages = only(wanted, tmp_path / "packages")
    command = [str(Path(sys.base_prefix) / "bin" / "python3"), "app.py"]
    Image.fromarray(skimage.data.astronaut()).save(tmp_path / "photo.png")
    with serving(tmp_path, command=command, cwd=tmp_path / "space", PYTHONPATH=str(packages)) as served:
        photo = gradio_client.handle_file(tmp_path / "photo.png")
        client = gradio_client.Client(served.url, verbose=False, download_files=tmp_path, httpx_kwargs=SLOWLY)
        _, facts = client.predict(photo=photo, preset="eyes", api_name="/fill")
        assert facts["changed_pixels"] == 0 and facts["identity"] and facts["engine"] == "landmark"


def only(requirements: list[str], folder: Path) -> Path:
    """An environment of what ``requirements`` install and nothing else, as links into ours: a download of gigabytes
    would tell no more.
    """
    folder.mkdir()
    waiting, seen = [Requirement(line) for line in requirements], set()
    while waiting:
        wanted = waiting.pop()
        if wanted.marker and not wanted.marker.evaluate({"extra": ""}):
            continue
        if (name := canonicalize_name(wanted.name)) in seen:
            continue
        seen.add(name)
        distribution = metadata.distribution(name)
        for top in {file.parts[0] for file in distribution.files or ()} - {"..", "__pycache__"}:
            with contextlib.suppress(FileExistsError):  # some share a folder
                (folder / top).symlink_to(distribution.locate_file(top))
        waiting += [Requirement(line) for line in distribution.requires or ()]
    return folder


def test_a_space_is_not_built_over_something_else(hub: Hub, ours: Path) -> None:
    done = run(hub, ours, "-m", "faceinp.demo.space", "build", str(ours))
    assert done.returncode == 1 and "not empty" in done.stderr
