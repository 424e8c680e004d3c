"""What the page and its endpoints find: shown as paint, corrected by brush and eraser, found more or less."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import known_damage
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

import faceinp

gr = pytest.importorskip("gradio", reason="the extra 'demo' is not installed")

from faceinp.demo.api import endpoints  # noqa: E402
from faceinp.demo.events import requests  # noqa: E402
from faceinp.demo.fills import filling  # noqa: E402
from faceinp.demo.images.editor import Original  # noqa: E402
from faceinp.demo.images.painted_proposal import PaintedProposal, read_hole  # noqa: E402
from faceinp.demo.layout import page_layout  # noqa: E402
from faceinp.demo.server import sessions  # noqa: E402
from faceinp.demo.text import strings  # noqa: E402

PORTRAIT = known_damage.scratched()
FILE = Path("photo.png")
DAMAGE = known_damage.scratches().any(axis=0)
NEAR = cv2.dilate(DAMAGE.astype(np.uint8), np.ones((7, 7))) > 0


@pytest.fixture(autouse=True)
def _known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules[faceinp.propose.__module__], "find_damage", known_damage.find_damage)


def proposed(scale: float = 1, sensitivity: float = 0.5) -> tuple[PaintedProposal, faceinp.Damage]:
    """The damage of the portrait, enlarged by ``scale``, as it is first shown."""
    photo = cv2.resize(PORTRAIT, None, fx=scale, fy=scale)
    found = faceinp.propose(photo, faceinp.Find("damage", 0))
    return PaintedProposal.of("damage", found, Original(FILE, *photo.shape[:2])).at(sensitivity)


def painted(shown: PaintedProposal, stroke: Any = None, erased: Any = None) -> dict[str, Any]:
    """The editor's value once it shows a proposal, and brush and eraser went over the slices ``stroke``, ``erased``."""
    layer = shown.layer()
    if stroke is not None:
        layer[stroke] = (229, 72, 77, 255)
    if erased is not None:
        layer[erased] = 0
    return {"layers": [layer]}


@pytest.mark.parametrize("scale", [0.4, 1, 4])
def test_what_is_shown_and_left_alone_is_filled_as_finely_as_it_was_found(scale: float) -> None:
    shown, found = proposed(scale)
    hole = read_hole(painted(shown), shown.original, shown)
    assert found.mask.any() and np.array_equal(hole, found.mask)
    assert max(shown.layer().shape) <= 1024
    assert shown.share(painted(shown)) == pytest.approx(found.share, rel=0.1)


@pytest.mark.parametrize("scale", [1, 4])
def test_what_is_erased_is_not_filled_and_stays_so_when_more_is_found(scale: float) -> None:
    shown, found = proposed(scale)
    rows = np.s_[: shown.layer().shape[0] // 2]
    value = painted(shown, erased=rows)
    assert not shown.hole(value)[: len(found.mask) // 2].any()
    assert np.array_equal(shown.hole(value)[len(found.mask) // 2 :], found.mask[len(found.mask) // 2 :])
    more, wider = shown.corrected(value).at(0.9)
    assert wider.mask.sum() > found.mask.sum() and not more.layer()[rows].any()
    doubtful = cv2.resize(known_damage.doubtful().astype(np.uint8), found.mask.shape[::-1]) > 0
    assert more.hole(painted(more))[doubtful].all() and not shown.hole(painted(shown))[doubtful].any()


@pytest.mark.parametrize("scale", [1, 4])
def test_strokes_are_filled_and_survive_whatever_is_found_next(scale: float) -> None:
    shown, found = proposed(scale)
    side = shown.layer().shape[0]
    stroke = np.s_[side // 3 : side // 2, side // 4 : side // 3]
    in_photo = np.s_[side // 3 * int(scale * 512 / side) : side // 2 * int(scale * 512 / side) : 1]
    value = painted(shown, stroke)
    hole = shown.hole(value)
    assert (found.mask <= hole).all()
    inner = hole[in_photo][5:-5, round(hole.shape[1] / 4) + 5 : round(hole.shape[1] / 3) - 5]
    assert inner.all(), "no gap is left between a stroke and what was found under it"
    nothing, none = shown.corrected(value).at(0)
    assert not none.mask.any() and nothing.hole(painted(nothing)).sum() == pytest.approx(hole[in_photo].sum(), rel=0.2)
    again, _ = PaintedProposal.of("damage", found, shown.original, nothing).corrected(painted(nothing)).at(0.5)
    assert (again.layer()[stroke][..., 3] == 255).all()
    erased = again.corrected(painted(again, erased=stroke)).at(0.5)[0]
    assert not erased.layer()[stroke].any(), "the visitor's own stroke can be erased, too"


def test_an_editor_that_still_holds_an_earlier_paint_erases_nothing() -> None:
    shown, _ = proposed()
    more, _ = shown.corrected(painted(shown)).at(0.9)
    for value in (painted(shown), {"layers": []}, None):  # before it is shown, and while it is
        assert np.array_equal(more.corrected(value).at(0.9)[0].layer()[..., 3], more.layer()[..., 3])
    stroke = np.s_[200:220, 300:330]
    late = more.corrected(painted(shown, stroke))
    assert late.own[stroke].all() and late.own.sum() == 600


@settings(deadline=None, max_examples=25)
@given(st.floats(0, 1), st.floats(0, 1))
def test_a_higher_sensitivity_never_finds_less(one: float, other: float) -> None:
    found = known_damage.find_damage(PORTRAIT)
    less, more = (found.at(sensitivity) for sensitivity in sorted((one, other)))
    assert (less.mask <= more.mask).all() and (less.kind[less.mask] > 0).all() and not less.kind[~less.mask].any()
    assert np.array_equal(more.at(0.5).mask, found.mask)


def test_a_proposal_that_covers_most_of_a_face_is_said_at_the_sensitivity_that_does() -> None:
    face = faceinp.find_faces(known_damage.skimage.data.astronaut())
    confidence = np.zeros((512, 512), np.float32)
    confidence[20:230, 140:310] = 0.92
    none = np.zeros((512, 512), np.uint8)
    found = faceinp.Damage(none > 0, confidence, none, likely=none + 3, lasting=("By filters.",))
    assert found.at(0.5, face).notes == ("By filters.",)
    said = strings.proposal("damage", found.at(0.9, face))
    assert "tears" in said and "By filters." in said and "covers most of a face" in said


def test_what_was_found_is_one_sentence_or_that_nothing_was() -> None:
    found = proposed()[1]
    said = strings.proposal("damage", found)
    assert f"{found.share:.2%} of the photo: scratches" in said and "spots" not in said and "then press Fill" in said
    assert "scratches, spots" in strings.proposal("damage", found.at(0.9))
    assert "No damage was found. Move the slider" in strings.proposal("damage", found.at(0))
    nothing = faceinp.find_damage(np.full((64, 64, 3), 127, np.uint8))
    assert "No damage was found at any position of the slider" in strings.proposal("damage", nothing)
    few = faceinp.Damage(np.eye(512, dtype=bool), found.confidence, np.eye(512, dtype=np.uint8))
    few.mask[5:] = few.kind[5:] = 0
    assert "less than 0.01%" in strings.proposal("damage", few)
    assert "nothing could be searched for" in strings.search_error(
        faceinp.NoFaceError("No face was found in the photo.")
    )
    missing = faceinp.WeightsError("The weights are missing: /srv/page/weights/occluders.safetensors is not there.")
    assert strings.search_error(missing) == "The weights are missing: occluders.safetensors is not there."
    assert set(faceinp.Damage.KINDS) | set(faceinp.Occluders.KINDS) == set(strings.KINDS)


def test_an_order_takes_the_proposal_as_it_was_when_fill_was_pressed(tmp_path: Path) -> None:
    with gr.Blocks():
        page = page_layout.Page()
    shown, found = proposed(4)
    visit = sessions.Visit(tmp_path, shown.original, proposal=shown)
    given: dict[Any, Any] = dict.fromkeys(page.fill_inputs, None)
    given |= {page.editor: painted(shown), page.engine: "telea", page.turn: "auto", page.blending: "poisson"}
    order = requests.painted_request(page, given, visit)
    visit.proposal = shown.at(0.9)[0]
    assert np.array_equal(order.hole(), found.mask)
    visit.clear()
    assert visit.proposal is None and visit.pending_proposal is None


@pytest.fixture
def send(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """``send(endpoint, **what)``: what one of the endpoints gives for the portrait."""
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "kept"))

    def send(endpoint: Callable[..., Any], **what: Any) -> Any:
        photo = tmp_path / "portrait.png"
        Image.fromarray(PORTRAIT).save(photo)
        given = endpoint(str(photo), **what)
        return given if isinstance(given, tuple) else list(given)[-1]

    return send


def test_a_program_gets_a_mask_and_what_is_known_of_it(send: Callable[..., Any]) -> None:
    file, facts = send(endpoints.find)
    mask = np.asarray(Image.open(file))
    assert Path(file).name == "portrait-found.png"
    assert mask.shape == (512, 512) and mask[DAMAGE].all() and not mask[~NEAR].any()
    assert facts == {
        "find": "damage",
        "share": pytest.approx(mask.mean(), abs=1e-6),
        "kinds": {"scratch": facts["share"]},
        "notes": [],
        "size": [512, 512],
    }
    assert send(endpoints.find, find="damage", sensitivity=0.8)[1]["kinds"].keys() == {"scratch", "spot"}
    assert send(endpoints.find, find="damage", include=["stamps"])[1]["share"] > facts["share"]
    assert send(endpoints.find, sensitivity=0)[1]["share"] == 0


def test_a_program_has_what_is_found_filled(send: Callable[..., Any]) -> None:
    file, facts = send(endpoints.fill, find="damage", engine="telea")
    changed = (np.asarray(Image.open(file).convert("RGB")) != PORTRAIT).any(axis=2)
    assert facts["state"] == "done" and facts["changed_pixels"] == 0
    assert changed[DAMAGE].mean() > 0.95 and not changed[~NEAR].any()
    assert any("scratch" in note for note in facts["notes"]), "how the mask came about is said"


@pytest.mark.parametrize(
    ("what", "says"),
    [
        ({"find": "faults"}, "unknown.*Choose one of: damage"),
        ({"find": {"a": 1}}, "unknown"),
        ({"find": "x" * 10_000}, "unknown"),
        ({"find": "damage", "sensitivity": 2}, "sensitivity"),
        ({"find": "damage", "sensitivity": "high"}, "sensitivity"),
        ({"find": "damage", "sensitivity": None}, "sensitivity"),
        ({"find": "damage", "include": "stamps"}, "include"),
        ({"find": "damage", "include": 5}, "include"),
        ({"find": "glasses", "include": ["stamps"]}, "include applies only to"),
        ({"find": "damage", "location": {"where": 1}}, "."),
    ],
    ids=lambda value: repr(value)[:40],
)
@pytest.mark.parametrize("endpoint", [endpoints.find, endpoints.fill], ids=["find", "fill"])
def test_what_cannot_be_found_is_one_clear_message(
    endpoint: Callable[..., Any], what: dict[str, Any], says: str, send: Callable[..., Any]
) -> None:
    more = {"engine": "telea"} if endpoint is endpoints.fill else {}
    with pytest.raises(gr.Error, match=says) as refused:
        send(endpoint, **what, **more)
    assert len(str(refused.value)) < 600


def test_a_fill_takes_a_mask_or_what_is_found_and_nothing_found_is_said(send: Callable[..., Any]) -> None:
    with pytest.raises(gr.Error, match="exactly one of"):
        send(endpoints.fill, find="damage", preset="eyes", engine="telea")
    with pytest.raises(gr.Error, match="Found no damage"):
        send(endpoints.fill, find="damage", sensitivity=0, engine="telea")
    with pytest.raises(gr.Error, match="No photo"):
        endpoints.find(None)
    assert filling.FillRequest(photo=PORTRAIT, hole=lambda: None, engine="telea").find is None
