"""Photos do not stay: what is uploaded, and what a visitor leaves."""

import asyncio
import contextlib
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skimage.data
from PIL import Image

import faceinp

gr = pytest.importorskip("gradio", reason="the extra 'demo' is not installed")

from faceinp.demo.events import load_photo, other_photos  # noqa: E402
from faceinp.demo.images import pictures  # noqa: E402
from faceinp.demo.layout import page_layout  # noqa: E402
from faceinp.demo.server import sessions, uploads  # noqa: E402
from faceinp.demo.text import strings  # noqa: E402
from fastapi import HTTPException  # noqa: E402
from starlette.requests import ClientDisconnect  # noqa: E402

PORTRAIT = np.ascontiguousarray(skimage.data.astronaut()[:220, 110:330])


def test_another_gradio_is_refused_at_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    uploads.replace_gradio_uploads()

    async def upload_fn(request: Any, folder: Any) -> None:
        pass

    monkeypatch.setattr(uploads, "_REPLACED", {upload_fn: "request upload_dir"})
    with pytest.raises(faceinp.FaceinpError, match=f"Gradio {gr.__version__} .*upload_fn.*constraints.txt"):
        uploads.replace_gradio_uploads()


@pytest.mark.parametrize(
    ("end", "handed_on"),
    [(OSError, OSError), (asyncio.CancelledError, asyncio.CancelledError), (ClientDisconnect, HTTPException)],
)
def test_an_upload_that_is_cut_off_leaves_nothing(
    end: type[BaseException], handed_on: type[BaseException], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    uploads.replace_gradio_uploads()

    async def upload_fn(request: Any, folder: str) -> None:
        (Path(folder) / "tmpface").write_bytes(b"half a face")
        raise end

    monkeypatch.setattr(uploads, "upload_fn", upload_fn)
    with pytest.raises(handed_on):
        gr.routes.upload_fn(None, str(tmp_path)).send(None)  # by hand: a browser's test leaves a loop running
    assert not list(tmp_path.iterdir())


@pytest.fixture
def visits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> sessions.Visits:
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    return sessions.Visits()


def test_what_one_visitor_leaves_goes_and_another_one_keeps_everything(visits: sessions.Visits, tmp_path: Path) -> None:
    one, other = gr.Request(session_hash="one"), gr.Request(session_hash="other")
    for request in (one, other):
        folder = tmp_path / f"upload-{request.session_hash}" / "same"
        folder.mkdir(parents=True)
        (folder / "face.png").write_bytes(b"face")
        assert visits.of(request).take(folder / "face.png").read_bytes() == b"face"
    assert not list(tmp_path.glob("upload-*"))
    visits.leave(one)
    assert [file.read_bytes() for file in tmp_path.rglob("*.png")] == [b"face"]
    visits.leave(other)
    assert not list(tmp_path.iterdir())


def upload(folder: Path, **pixels: np.ndarray) -> list[str]:
    """Photos as Gradio hands them on: those of one upload lie in one folder."""
    files = []
    for name, array in pixels.items():
        file = folder / "upload-together" / str(len(files)) / f"{name}.png"
        file.parent.mkdir(parents=True)
        Image.fromarray(array).save(file)
        files.append(str(file))
    return files


def test_other_photos_go_when_they_are_removed_and_with_the_photo_they_belong_to(
    visits: sessions.Visits, tmp_path: Path
) -> None:
    request = gr.Request(session_hash="one")
    visit = visits.of(request)
    (original,) = upload(tmp_path, original=PORTRAIT)
    load_photo.open_photo(visit, visit.take(original))
    page, add, remove = wires(visits)
    nobody = np.full((64, 64, 3), 128, np.uint8)
    more = {f"more{number}": PORTRAIT[:, ::-1] for number in range(4)}
    said = add(upload(tmp_path, first=PORTRAIT[:200], nobody=nobody, **more), request)[page.others_message]
    assert (
        "No face was found in nobody.png" in said and "You can add up to four photos; more3.png was not added." in said
    )
    assert [other.file.name for other in visit.others] == ["first.png", "more0.png", "more1.png", "more2.png"]
    assert not list(tmp_path.glob("upload-*")), "nothing of what was refused is left"
    shown = remove(request)
    assert shown[page.others[3].row] == gr.update(visible=False) and len(visit.others) == 3
    kept = {file.stem for file in tmp_path.rglob("*.png")}
    assert kept == {"original", "painted", "more0", "more1", "more2"}
    visit.clear()
    assert not list(tmp_path.rglob("*.png")) and not visit.others
    said = add(upload(tmp_path, late=PORTRAIT), request)[page.others_message]
    assert strings.NO_PHOTO in said and not list(tmp_path.rglob("*.png"))


def wires(visits: sessions.Visits) -> tuple[page_layout.Page, Any, Any]:
    """A page, and what it does when other photos are added, and when the first of them is removed."""
    with gr.Blocks() as blocks:
        page = page_layout.Page()
        other_photos.connect(page, visits)
    events = {target: event.fn for event in blocks.fns.values() for target in event.targets}
    return page, events[page.add_others._id, "upload"], events[page.others[0].remove._id, "click"]


def test_work_on_the_photo_of_a_visitor_who_left_ends_quietly(visits: sessions.Visits) -> None:
    request = gr.Request(session_hash="one")
    visit = visits.of(request)
    file = visit.folder / "face.png"
    file.write_bytes(b"no picture")
    with pytest.raises(faceinp.PhotoError) as damaged:
        pictures.read(file)
    assert not isinstance(damaged.value, pictures.Gone)
    visits.leave(request)
    for work in (lambda: pictures.read(file), lambda: visit.take(__file__)):
        with pytest.raises(pictures.Gone) as gone:
            work()
        assert not gone.value.visible and not gone.value.print_exception  # what Gradio goes by
    assert Path(__file__).exists()


def test_what_nobody_claims_is_swept_and_nothing_else_is_deleted(visits: sessions.Visits, tmp_path: Path) -> None:
    visit = visits.of(gr.Request(session_hash="one"))
    (visit.folder / "face.png").write_bytes(b"face")
    (tmp_path / "upload-lost").mkdir()
    (tmp_path / "upload-lost" / "face.png").write_bytes(b"face")
    visits.sweep()
    assert len(list(tmp_path.rglob("face.png"))) == 2
    visits.sweep(stray=-1)
    assert [file.parent for file in tmp_path.rglob("face.png")] == [visit.folder]
    visits.sweep(idle=-1)
    assert not list(tmp_path.rglob("face.png"))


@pytest.mark.parametrize("name", ["../outside.png", "upload-a/../../outside.png", "kept/file.png"])
def test_only_uploads_are_discarded(name: str, visits: sessions.Visits, tmp_path: Path) -> None:
    visit = visits.of(gr.Request(session_hash="one"))
    for file in (tmp_path.parent / "outside.png", tmp_path / "kept" / "file.png", visit.folder / "face.png"):
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(b"kept")
    uploads.discard(tmp_path / name)
    uploads.discard(visit.folder / "face.png")
    assert (tmp_path.parent / "outside.png").exists() and (tmp_path / "kept" / "file.png").exists()
    assert (visit.folder / "face.png").exists()


def test_the_folder_of_photos_goes_while_somebody_still_writes_to_it() -> None:
    from faceinp.demo.__main__ import _own_folder

    ends = time.monotonic() + 0.5

    def write(folder: str) -> None:
        number = 0
        while time.monotonic() < ends:
            number += 1
            with contextlib.suppress(OSError):
                Path(folder, f"visit-{number}").mkdir()
                Path(folder, f"visit-{number}", "photo.png").touch()

    with _own_folder() as folder:
        writer = threading.Thread(target=write, args=(folder,))
        writer.start()
    writer.join()
    assert not Path(folder).exists()
