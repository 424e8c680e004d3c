"""What a person paints in the editor is what is filled, in whatever form the editor sends it."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

import faceinp

gr = pytest.importorskip("gradio", reason="the extra 'demo' is not installed")

from faceinp.demo.images.editor import Original, layer_of, read_editor, share_hidden  # noqa: E402
from faceinp.demo.server import uploads  # noqa: E402
from gradio.data_classes import DataWithFiles  # noqa: E402

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
    with pytest.raises(faceinp.MaskError, match="differ in shape"):
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
    uploads.replace_gradio_uploads()
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
    uploads.replace_gradio_uploads()
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
