"""What a person paints in the editor is what is filled, in whatever form the editor sends it."""

import contextlib
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skimage.data
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

import faceinp

gr = pytest.importorskip("gradio", reason="the extra 'demo' is not installed")

from gradio.data_classes import DataWithFiles  # noqa: E402

from demo import app, filling, jobs, looks, pictures, sessions, uploads, words  # noqa: E402
from demo.__main__ import _auth  # noqa: E402
from demo.editor import Original, layer_of, read_editor, share_hidden  # noqa: E402

DATA = Path(__file__).parent / "data"
PHOTO = Original(Path("photo.jpg"), 60, 80)


def recorded(name: str) -> tuple[dict[str, Any], Original]:
    """What Chromium sent for a drawn picture of 240 x 150 pixels (turned-and-larger: 1500 x 2400, turned by EXIF)."""
    with np.load(DATA / f"editor-{name}.npz") as file:
        value = {"background": file["background"], "layers": list(file["layers"]), "composite": file["composite"]}
        height, width = (int(side) for side in file["size"])
    return value, Original(Path("drawn.png"), height, width)


def painted(alpha: np.ndarray, colour: int = 0) -> np.ndarray:
    return np.dstack([np.full((*alpha.shape, 3), colour, np.uint8), alpha.astype(np.uint8)])


def square(height: int, width: int) -> np.ndarray:
    """Alpha with the middle half of each side painted."""
    alpha = np.zeros((height, width), np.uint8)
    alpha[height // 4 : height * 3 // 4, width // 4 : width * 3 // 4] = 255
    return alpha


@pytest.mark.parametrize("name", ["nothing-painted", "bin-pressed"])
def test_an_untouched_and_a_cleared_canvas_have_no_hole(name: str) -> None:
    value, original = recorded(name)
    photo, hole = read_editor(value, original)
    assert photo == original.path
    assert hole.shape == (150, 240) and hole.dtype == np.bool_ and not hole.any()


def test_a_stroke_is_the_hole_the_eraser_takes_from_it_and_undo_gives_it_back() -> None:
    holes = {}
    for name in ("one-stroke", "stroke-erased", "stroke-undone"):
        value, original = recorded(name)
        holes[name] = read_editor(value, original)[1]
        assert np.array_equal(holes[name], value["layers"][0][..., 3] > 127)
    stroke, erased = holes["one-stroke"], holes["stroke-erased"]
    assert 0 < erased.sum() < stroke.sum() and not (erased & ~stroke).any()
    assert np.array_equal(holes["stroke-undone"], stroke)


def test_a_stroke_on_the_smaller_copy_lands_at_its_place_in_the_upright_photo() -> None:
    value, original = recorded("turned-and-larger")
    alpha = value["layers"][0][..., 3]
    assert alpha.shape == (1024, 640) and (original.height, original.width) == (2400, 1500)
    hole = read_editor(value, original)[1]
    assert hole.shape == (2400, 1500)
    scale = 2400 / 1024
    where, there = np.argwhere(hole), np.argwhere(alpha > 127)
    assert np.allclose((where.mean(axis=0) + 0.5) / scale, there.mean(axis=0) + 0.5, atol=0.5)
    assert hole.sum() == pytest.approx((alpha > 127).sum() * scale**2, rel=0.02)


@pytest.mark.parametrize("value", [None, {}, {"layers": None}, {"layers": []}, {"layers": [None]}], ids=str)
def test_no_layers_are_no_hole(value: dict[str, Any] | None) -> None:
    assert not read_editor(value, PHOTO)[1].any()


def test_an_empty_layer_may_have_any_size() -> None:
    empty = np.zeros((300, 7, 4), np.uint8)
    assert np.array_equal(read_editor({"layers": [empty, painted(square(60, 80))]}, PHOTO)[1], square(60, 80) > 0)


def test_layers_are_united() -> None:
    left, right = np.zeros((60, 80)), np.zeros((60, 80))
    left[:, :10], right[:, 70:] = 255, 255
    assert np.array_equal(read_editor({"layers": [painted(left), painted(right)]}, PHOTO)[1], (left + right) > 0)


def test_a_soft_edge_counts_from_half_cover_on() -> None:
    alpha = np.zeros((60, 80))
    alpha[0, :4] = 1, 127, 128, 255
    assert read_editor({"layers": [painted(alpha)]}, PHOTO)[1][0, :5].tolist() == [False, False, True, True, False]


@given(st.integers(0, 255), st.integers(0, 255), st.integers(0, 255))
def test_colours_never_matter(stroke: int, background: int, composite: int) -> None:
    value = {
        "background": np.full((60, 80, 4), background, np.uint8),
        "layers": [painted(square(60, 80), stroke)],
        "composite": np.full((60, 80, 4), composite, np.uint8),
    }
    hole = read_editor(value, PHOTO)[1]
    assert np.array_equal(hole, square(60, 80) > 0)


@settings(deadline=None)  # 3 megapixels, on whatever machine
@given(st.integers(40, 400), st.sampled_from([0.25, 0.5, 1.0, 2.0, 3.0]))
def test_a_layer_of_another_size_is_scaled_to_the_photo(side: int, scale: float) -> None:
    layer = painted(square(round(side * scale), round(side * 1.5 * scale)))
    hole = read_editor({"layers": [layer]}, replace(PHOTO, height=side, width=round(side * 1.5)))[1]
    assert hole.shape == (side, round(side * 1.5))
    assert hole.mean() == pytest.approx(0.25, abs=0.06)
    assert hole[side // 2, side * 3 // 4] and not hole[0].any() and not hole[:, 0].any()


def test_a_layer_of_another_shape_is_refused() -> None:
    with pytest.raises(faceinp.MaskError, match="another shape"):
        read_editor({"layers": [painted(square(60, 60))]}, PHOTO)


@pytest.mark.parametrize("shape", [(60, 80, 3), (60, 80)], ids=["rgb", "grey"])
def test_a_layer_without_alpha_is_refused_rather_than_guessed_at(shape: tuple[int, ...]) -> None:
    with pytest.raises(faceinp.MaskError, match="RGBA"):
        read_editor({"layers": [np.full(shape, 255, np.uint8)]}, PHOTO)


def test_a_hole_becomes_a_layer_and_comes_back_as_it_was() -> None:
    hole = square(60, 80) > 0
    layer = layer_of(hole)
    assert layer.shape == (60, 80, 4) and np.array_equal(read_editor({"layers": [layer]}, PHOTO)[1], hole)
    assert share_hidden({"layers": [layer, None]}) == pytest.approx(hole.mean())
    large = np.zeros((3000, 2000), np.bool_)
    large[1000:2000, 500:1500] = True
    layer = layer_of(large)
    assert max(layer.shape) == 1024
    back = read_editor({"layers": [layer]}, Original(Path("photo.jpg"), 3000, 2000))[1]
    assert np.count_nonzero(back ^ large) < 0.01 * large.sum()


def test_what_an_editor_never_sends_is_refused_and_what_nobody_reads_is_forgotten() -> None:
    uploads.take_over()
    editor = gr.ImageEditor()  # as Gradio makes one anew for each visitor

    def send(name: str, index: str, size: int = 4) -> None:
        data = {"type": "layer", "index": index, "id": name}
        editor.accept_blobs(DataWithFiles(data=data, files=[("file", b"x" * size)]))

    for index, size in (("100000000", 4), ("-1", 4), ("0", 33 << 20)):
        with pytest.raises(ValueError, match="editor"):
            send("one", index, size)
    for number in range(100):
        send(str(number), "0")
    assert len(editor.blob_storage) <= 64 and "99" in editor.blob_storage


def test_what_the_editor_sent_is_gone_once_it_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    uploads.take_over()
    sent = {}
    for name in ("background", "layer_0", "composite"):
        folder = tmp_path / f"upload-{name}"
        folder.mkdir()
        Image.fromarray(painted(square(60, 80))).save(folder / f"{name}.png")
        sent[name] = {"path": str(folder / f"{name}.png")}
    payload = gr.ImageEditor.data_model(
        background=sent["background"], layers=[sent["layer_0"]], composite=sent["composite"]
    )
    value = gr.ImageEditor().preprocess(payload)
    assert list(value) == ["layers"] and np.array_equal(value["layers"][0][..., 3], square(60, 80))
    assert not list(tmp_path.iterdir())


def test_another_gradio_is_refused_at_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    uploads.take_over()

    async def upload_fn(request: Any, folder: Any) -> None:
        pass

    monkeypatch.setattr(uploads, "_REPLACED", {upload_fn: "request upload_dir"})
    with pytest.raises(faceinp.FaceinpError, match=f"Gradio {gr.__version__} .*upload_fn.*constraints.txt"):
        uploads.take_over()


@pytest.mark.parametrize(
    ("said", "read"),
    [
        (
            "are missing: /srv/page/weights/completion.safetensors is not there.",
            "are missing: completion.safetensors is",
        ),
        ("(`python -m export.onnx completion -o /root/.cache/faceinp/export-1` was", "completion -o export-1` was"),
        ("No module in '/usr/lib/python3/a b.py'", "No module in 'a b.py'"),
        ("/tmp/one/two is full", "two is full"),
        ("fetched from https://example.org/a/b.pt", "fetched from https://example.org/a/b.pt"),
        ("10 / 20, and/or 1/2 of it", "10 / 20, and/or 1/2 of it"),
    ],
)
def test_people_read_names_of_files_and_no_folders(said: str, read: str) -> None:
    assert read in words.for_people(faceinp.EngineError(said))
    assert "/srv/" not in words.say(words.for_people(faceinp.EngineError(said)), error=True)


def test_what_an_upload_or_a_note_says_is_never_markup() -> None:
    assert "<script>" not in words.say("<script>alert(1)</script>", error=True)


def test_the_page_asks_nobody_for_anything_and_offers_three_endpoints() -> None:
    page = app.build()
    assert not page.analytics_enabled
    assert page.delete_cache is not None
    assert not [line for line in looks.theme()._stylesheets if line]
    public = {d["api_name"] for d in page.get_config_file()["dependencies"] if d["api_visibility"] == "public"}
    assert public == {"fill", "engines", "identity"}


def test_no_progress_is_shown_on_the_editor() -> None:
    config = app.build().get_config_file()
    (editor,) = (part["id"] for part in config["components"] if part["type"] == "imageeditor")
    shown = [event["show_progress_on"] or event["outputs"] for event in config["dependencies"]]
    assert sum(editor in event["outputs"] for event in config["dependencies"]) >= 8
    assert not any(editor in where for where in shown), "it would stay there on a busy machine"


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


def order(engine: str = "telea", **given: Any) -> filling.Order:
    hole = np.zeros((512, 512), np.bool_)
    hole[100:120, 200:240] = True
    return filling.Order(
        photo=skimage.data.astronaut()[:, :512], hole=lambda: hole, engine=engine, aligned=True, **given
    )


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"engine": "../../etc/passwd"}, "no engine"),
        ({"seed": -1}, "seed"),
        ({"seed": 2**63}, "seed"),
        ({"seed": True}, "seed"),
        ({"seed": float("nan")}, "seed"),
        ({"iterations": 10**9}, "iterations"),
        ({"blending": "x" * 10_000}, "blending"),
    ],
    ids=str,
)
def test_absurd_orders_are_refused_in_one_short_sentence(wrong: dict[str, Any], says: str) -> None:
    with pytest.raises(faceinp.EngineError, match=says) as refused:
        order(**wrong)
    assert len(str(refused.value)) < 300


def test_a_job_fills_and_says_what_it_did(tmp_path: Path) -> None:
    job = jobs.Job([order(seed=3)], tmp_path)
    assert job.wait(240)
    (made,) = job.made()
    assert made.changed_pixels == 0 and made.seed == 3 and made.size == (512, 512)
    with Image.open(made.file) as picture:
        assert np.asarray(picture)[0, 0].tolist() == skimage.data.astronaut()[0, 0].tolist()
    assert set(made.views) == set(pictures.VIEWS) and all(
        file.exists() for pair in made.views.values() for file in pair
    )


def test_seeds_that_change_nothing_give_one_candidate(tmp_path: Path) -> None:
    job = jobs.Job([order(seed=seed) for seed in range(4)], tmp_path)
    assert job.wait(240) and job.equal and len(job.made()) == 1


def test_an_engine_that_fails_in_a_comparison_leaves_the_others_alone(tmp_path: Path) -> None:
    bad = filling.Order(photo=b"no picture", hole=lambda: None, engine="mirror")
    job = jobs.Job([bad, order()], tmp_path, keep_going=True)
    assert job.wait(240)
    assert isinstance(job.outcomes[0], jobs.Failed) and [made.engine for made in job.made()] == ["telea"]
    assert "telea" in words.table(job.outcomes) and job.outcomes[0].reason in words.table(job.outcomes).replace(
        "&#x27;", "'"
    )


def test_a_search_shows_its_curve_and_stops_when_told(tmp_path: Path) -> None:
    job = jobs.Job([order("structural", iterations=400)], tmp_path)
    until(lambda: len(job.running.curve) >= 2 or job.wait(0), 240)
    job.stop()
    assert job.wait(240)
    (made,) = job.made()
    assert any("best so far" in note for note in made.notes)
    (_, first), *_, (_, last) = job.running.curve
    assert last < first, "the loss falls"
    assert f"Loss of the search: {last:.3f} now, {first:.3f} at first" in words.progress(job.running)
    assert "<svg" in words.progress(job.running) and "data:image/png" in words.progress(job.running)


def until(holds: Callable[[], bool], seconds: float = 60) -> None:
    """Wait until something holds, however slow the machine is."""
    ends = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < ends
        time.sleep(0.02)


def test_who_waits_is_served_in_turn_and_who_left_is_skipped(tmp_path: Path) -> None:
    lane, served = jobs._Lane(1), []
    inside, go = threading.Event(), threading.Event()

    def holder() -> None:
        with lane.turn(lambda n: None, lambda: None):
            inside.set()
            go.wait(120)

    def waits(name: str, left: threading.Event) -> None:
        def check() -> None:
            if left.is_set():
                raise faceinp.Cancelled("gone")

        with contextlib.suppress(faceinp.Cancelled), lane.turn(lambda n: None, check):
            served.append(name)

    threads = [threading.Thread(target=holder)]
    threads[0].start()
    assert inside.wait(60)
    gone, stays = threading.Event(), threading.Event()
    for place, (name, event) in enumerate((("first", stays), ("gone", gone), ("last", stays)), 1):
        threads.append(threading.Thread(target=waits, args=(name, event)))
        threads[-1].start()
        until(lambda place=place: len(lane._waiting) == place)
    gone.set()
    until(lambda: len(lane._waiting) == 2)
    go.set()
    for thread in threads:
        thread.join(60)
    assert served == ["first", "last"]


def test_a_seam_is_seen_and_none_where_none_is() -> None:
    hole = np.zeros((40, 40), np.bool_)
    hole[10:30, 10:30] = True
    slope = np.repeat(np.arange(40, dtype=np.uint8)[None, :, None] * 3, 40, axis=0).repeat(3, axis=2)
    assert abs(pictures.seam(slope, hole)) < 0.1
    stepped = slope.copy()
    stepped[hole] += 50
    assert pictures.seam(stepped, hole) > 30


def test_landmarks_go_to_the_face_and_back() -> None:
    points = np.random.default_rng(0).uniform(100, 200, (68, 2)).astype(np.float32)
    window, shape = (90, 80, 210, 220), (640, 549, 3)
    back = pictures.to_photo(pictures.to_face(points, window, shape), window, shape)
    assert np.allclose(points, back, atol=1e-3)
    face = np.zeros(shape, np.uint8)
    drawn = pictures.draw_landmarks(face, points, window, 30)
    x, y = pictures.to_face(points, window, shape)[30].round().astype(int)
    assert drawn[y, x].tolist() == list(pictures.RED)


def test_a_name_and_a_password_are_read_at_the_first_colon() -> None:
    assert _auth("me:a:b") == ("me", "a:b")


@pytest.mark.parametrize("text", ["me", "me:", ":secret"])
def test_half_a_login_is_refused(text: str) -> None:
    command = [sys.executable, "-m", "demo", "--auth", text]
    done = subprocess.run(command, check=False, capture_output=True, text=True, cwd=DATA.parent.parent)
    assert done.returncode == 2 and "USER:PASSWORD" in done.stderr
