"""The page as it is put together: what it says, what it offers, what it draws, and how it is started."""

import dataclasses
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest
from serving import ROOT

import faceinp
from faceinp.exemplars.sources import ENGINE, REFERENCE, SURROUNDINGS, SYMMETRY
from faceinp.identity.fill_score import Comparison
from faceinp.identity.judges import Distance

gr = pytest.importorskip("gradio", reason="the extra 'demo' is not installed")

from faceinp.demo import app  # noqa: E402
from faceinp.demo.__main__ import _auth  # noqa: E402
from faceinp.demo.events import compare_engines, other_photos, requests  # noqa: E402
from faceinp.demo.fills import filling  # noqa: E402
from faceinp.demo.fills.jobs import FailedFill  # noqa: E402
from faceinp.demo.images import pictures  # noqa: E402
from faceinp.demo.images.editor import Original  # noqa: E402
from faceinp.demo.layout import page_layout, panel, theme  # noqa: E402
from faceinp.demo.server import sessions  # noqa: E402
from faceinp.demo.text import result_text, strings  # noqa: E402
from gradio.state_holder import StateHolder  # noqa: E402


@pytest.fixture(scope="module")
def page() -> page_layout.Page:
    """The page's parts, on no server."""
    with gr.Blocks():
        return page_layout.Page()


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> filling.FillResult:
    """A square of 40 x 40 pixels in an aligned crop of 128, filled."""
    hole = np.zeros((128, 128), np.bool_)
    hole[40:80, 40:80] = True
    crop = np.random.default_rng(0).integers(0, 256, (128, 128, 3), np.uint8)
    order = filling.FillRequest(photo=crop, hole=lambda: hole, engine="telea", face=faceinp.FaceLocation.aligned())
    return filling.fill(order, tmp_path_factory.mktemp("made"), lambda *_: None, None)


@pytest.mark.parametrize(
    ("said", "read"),
    [
        (
            "are missing: /srv/page/weights/completion.safetensors is not there.",
            "are missing: completion.safetensors is",
        ),
        ("(`faceinp export onnx completion -o /root/.cache/faceinp/export-1` was", "completion -o export-1` was"),
        ("No module in '/usr/lib/python3/a b.py'", "No module in 'a b.py'"),
        ("/tmp/one/two is full", "two is full"),
        (
            "a.heic is a HEIC, which needs pillow-heif. Run: pip install 'faceinp[heic]'",
            "pillow-heif. It is not installed here. Save the photo as JPEG.",
        ),
        ("fetched from https://example.org/a/b.pt", "fetched from https://example.org/a/b.pt"),
        ("10 / 20, and/or 1/2 of it", "10 / 20, and/or 1/2 of it"),
    ],
)
def test_people_read_names_of_files_and_no_folders(said: str, read: str) -> None:
    assert read in strings.error_text(faceinp.EngineError(said))
    assert "/srv/" not in strings.message(strings.error_text(faceinp.EngineError(said)), error=True)


def test_what_an_upload_or_a_note_says_is_never_markup() -> None:
    assert "<script>" not in strings.message("<script>alert(1)</script>", error=True)


def test_the_page_asks_nobody_for_anything_and_offers_four_endpoints() -> None:
    page = app.build()
    assert not page.analytics_enabled
    assert page.delete_cache is not None
    assert not [line for line in theme.theme()._stylesheets if line]
    public = {d["api_name"] for d in page.get_config_file()["dependencies"] if d["api_visibility"] == "public"}
    assert public == {"fill", "find", "engines", "identity"}


def test_what_switches_buttons_on_again_comes_after_errors_too() -> None:
    functions = app.build().fns.values()
    always, failed = (
        {(one.fn, one.trigger_after) for one in functions if one.trigger_after is not None and kind(one)}
        for kind in (
            lambda one: not one.queue and not one.trigger_only_on_failure,
            lambda one: one.trigger_only_on_failure,
        )
    )
    assert always == failed and {fn.__name__ for fn, _ in failed} >= {"end"}


def test_nothing_that_a_visitor_saw_is_kept_when_the_visitor_has_left() -> None:
    with gr.Blocks() as blocks:
        shown = gr.HTML()
        visits = sessions.Visits(blocks)
    holder = StateHolder()
    holder.set_blocks(blocks)
    for name in ("one", "other", "program"):
        holder[name]._update_value_in_config(shown._id, "<img src='data:,'>")
        if name != "program":
            visits.of(SimpleNamespace(session_hash=name))  # type: ignore[arg-type]
    visits.leave(SimpleNamespace(session_hash="one"))  # type: ignore[arg-type]
    assert set(holder.session_data) == set(holder.time_last_used) == {"other", "program"}
    visits.sweep(idle=3600)
    assert set(holder.session_data) == {"other", "program"}
    visits.sweep(idle=0)
    assert not holder.session_data and not holder.time_last_used


def test_refusals_are_taken_away_before_anything_else_is_done() -> None:
    blocks = app.build()
    first = next(iter(blocks.fns.values()))
    assert first.js == requests.CLEAR_ERRORS and len(first.outputs) == 6
    pressed = {(*target,) for one in blocks.fns.values() for target in one.targets if target[1] in ("click", "upload")}
    named = {(number, event) for number, event in pressed if blocks.blocks[number].elem_id}
    assert len(named) > 30 and named <= set(first.targets)


def test_no_progress_is_shown_on_the_editor() -> None:
    config = app.build().get_config_file()
    (editor,) = (part["id"] for part in config["components"] if part["type"] == "imageeditor")
    shown = [event["show_progress_on"] or event["outputs"] for event in config["dependencies"]]
    assert sum(editor in event["outputs"] for event in config["dependencies"]) >= 8
    assert not any(editor in where for where in shown), "it would stay there on a busy machine"


def test_a_seam_is_seen_and_none_where_none_is() -> None:
    hole = np.zeros((40, 40), np.bool_)
    hole[10:30, 10:30] = True
    slope = np.repeat(np.arange(40, dtype=np.uint8)[None, :, None] * 3, 40, axis=0).repeat(3, axis=2)
    assert abs(pictures.seam(slope, hole)) < 0.1
    stepped = slope.copy()
    stepped[hole] += 50
    assert pictures.seam(stepped, hole) > 30


def test_each_source_has_a_colour_of_its_own_and_known_pixels_keep_theirs() -> None:
    codes = [ENGINE, SYMMETRY, SURROUNDINGS, *(REFERENCE + i for i in range(4))]
    sources = np.zeros((16, 40), np.uint8)
    for number, code in enumerate(codes, 1):
        sources[:, 5 * number : 5 * number + 5] = code
    picture = np.full((32, 80, 3), 100, np.uint8)  # twice the size of the map
    drawn = pictures.draw_sources(picture, sources)
    assert drawn.shape == picture.shape and (drawn[:, :10] == 100).all()
    seen = [tuple(drawn[16, 10 * number + 5]) for number in range(1, len(codes) + 1)]
    assert len(set(seen)) == len(codes)
    for code, colour in zip(codes, seen, strict=True):
        wanted = 0.6 * np.array(pictures.source_colour(code)) + 0.4 * 100
        assert np.abs(wanted - colour).max() <= 1, code


def test_the_views_of_a_result_show_its_sources(made: filling.FillResult) -> None:
    before, drawn = (faceinp.read_photo(file).pixels for file in made.views[pictures.SOURCES])
    assert np.array_equal(before, faceinp.read_photo(made.file).pixels), "all of the photo, as the legend counts it"
    share = (before != drawn).any(axis=2).mean()
    assert share == pytest.approx(1600 / 128**2, rel=0.02), "the hole, and nothing else"


def test_a_legend_names_each_source_with_its_share(made: filling.FillResult) -> None:
    use = (Path("/srv/visit/<b>wedding.jpg"), faceinp.Reference(b"", 0.25, 0.9))
    codes = np.repeat(np.array([0, 1, 2, 3, 10], np.uint8), [80, 2, 10, 3, 5]).reshape(10, 10)
    history = dataclasses.replace(made.history, files=use[:1], packed=cv2.imencode(".png", codes)[1].tobytes())
    made = dataclasses.replace(made, history=history, references=(use,))
    legend = result_text.legend(made, pictures.SOURCES)
    assert legend.index("50.0%") < legend.index("25.0%") < legend.index("15.0%") < legend.index("10.0%")
    assert "10.0% invented" in legend and "mirrored from the other half" in legend
    assert "&lt;b&gt;wedding" in legend and "/srv/" not in legend
    assert result_text.legend(made, "Face") == ""


@pytest.mark.parametrize(
    ("counts", "said"),
    [
        ({2: 92, 1: 8}, "92% is mirrored from the other half of the face, 8% is invented."),
        ({2: 98, 1: 1, 3: 1}, "98% is mirrored from the other half of the face, the rest is invented or continued "),
        ({1: 9960, 3: 40}, "99% is invented, the rest is continued from its surroundings."),
        ({1: 7}, "100% is invented."),
    ],
)
def test_all_that_was_filled_is_told_of(made: filling.FillResult, counts: dict[int, int], said: str) -> None:
    codes = np.repeat(np.array(list(counts), np.uint8), list(counts.values()))[None]
    history = dataclasses.replace(made.history, packed=pictures.packed(codes))
    assert f"Of the filled area, {said}" in result_text.outcome(dataclasses.replace(made, history=history))


def test_no_score_is_shown_against_a_photo_that_was_used_to_fill(made: filling.FillResult) -> None:
    verdict = faceinp.Verdict(0.9, Distance(0.9, 0.6), 1.2, 0.01, "bundled")
    compared, used = Comparison(verdict, verdict), Comparison(left_out="Other photo 1 was used to fill.")
    files = (Path("wedding.jpg"), Path("<1962>.jpg"))
    both = faceinp.Likeness(verdict, verdict, (used, compared))
    said = result_text.judged(dataclasses.replace(made, likeness=both, others=files))
    assert '<td>wedding.jpg</td><td class="why" colspan="2">Other photo 1 was used to fill.</td>' in said
    assert "&lt;1962&gt;.jpg" in said and said.count("90.0%") == 4
    assert "distance" not in said and "independent" not in said
    alone = faceinp.Likeness(verdict, verdict, (used,))
    said = result_text.judged(dataclasses.replace(made, likeness=alone, others=files[:1]))
    assert "none is left for an independent comparison" in said and said.count("90.0%") == 2


def test_what_became_of_a_photo_stands_beside_it_and_a_refused_one_can_be_used_anyway(
    page: page_layout.Page, made: filling.FillResult, tmp_path: Path
) -> None:
    files = [tmp_path / name for name in ("used.jpg", "refused.jpg", "compared.jpg")]
    visit = sessions.Visit(tmp_path, Original(tmp_path / "photo.png", 128, 128))
    visit.others = [sessions.OtherPhoto(file, "data:,", file.stem != "compared") for file in files]
    shown = other_photos.show_updates(page, visit)
    assert [shown[slot.row]["visible"] for slot in page.others] == [True, True, True, False]
    assert [shown[slot.use]["value"] for slot in page.others[:3]] == [panel.USE, panel.USE, panel.ONLY_COMPARE]
    assert page.unchecked not in shown
    uses = (
        (files[0], faceinp.Reference(b"", 0.405, 0.9, note="Too little of the face is known.")),
        (files[1], faceinp.Reference(b"", 0.0, 1.4, "Its face is 1.40 away in /srv/page/refused.jpg.", refused=True)),
        (files[2], faceinp.Reference(b"", 0.2, 0.9)),  # used then, only compared with now
    )
    visit.results = [dataclasses.replace(made, references=uses)]
    shown = other_photos.show_updates(page, visit)
    said = [shown[slot.use]["info"] for slot in page.others[:3]]
    assert said == [
        "40.5% of the filled area was copied from this photo. It may not show the same person.",
        "Its face is 1.40 away in refused.jpg.",
        "",
    ]
    assert shown[page.unchecked]["visible"] and "value" not in shown[page.unchecked]
    visit.others = []
    assert other_photos.show_updates(page, visit)[page.unchecked] == gr.update(value=False, visible=False)


def test_an_order_takes_what_the_page_shows(page: page_layout.Page, tmp_path: Path) -> None:
    layer = np.full((128, 128, 4), 255, np.uint8)
    given: dict[Any, Any] = dict.fromkeys(page.fill_inputs, None)
    given |= {page.editor: {"layers": [layer]}, page.face: panel.ALIGNED, page.blending: "poisson"}
    given |= {page.engine: "landmark", page.symmetry: True, page.unchecked: False}
    used, compared = tmp_path / "used.png", tmp_path / "compared.png"
    visit = sessions.Visit(tmp_path, Original(tmp_path / "photo.png", 128, 128))
    visit.others = [sessions.OtherPhoto(compared, "", used=False), sessions.OtherPhoto(used, "")]
    order = requests.painted_request(page, given, visit)
    assert order.references == (used,) and order.others == (compared, used) and order.reference_check
    assert order.symmetry is None, "the engine's own way, so that each engine of a comparison has its own"
    assert requests.painted_request(page, given, visit, "telea").symmetry is None
    assert requests.painted_request(page, given | {page.symmetry: False}, visit, "telea").symmetry is False
    assert requests.painted_request(page, given | {page.engine: "telea"}, visit).symmetry is True
    assert not requests.painted_request(page, given | {page.unchecked: True}, visit).reference_check


def test_a_name_and_a_password_are_read_at_the_first_colon() -> None:
    assert _auth("me:a:b") == ("me", "a:b")


@pytest.mark.process
@pytest.mark.parametrize("text", ["me", "me:", ":secret"])
def test_half_a_login_is_refused(text: str) -> None:
    command = [sys.executable, "-m", "demo", "--auth", text]
    done = subprocess.run(command, check=False, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 2 and "USER:PASSWORD" in done.stderr


def test_each_card_of_a_comparison_is_drawn_once(
    page: page_layout.Page, made: filling.FillResult, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[str] = []
    draw = result_text.card
    monkeypatch.setattr(result_text, "card", lambda one: drawn.append(one.engine) or draw(one))
    job: Any = SimpleNamespace(outcomes=[])
    cards: list[str] = []
    assert compare_engines._new_outcomes(page, job, cards) == {}
    for number, outcome in enumerate((made, FailedFill("<b>", "It is <i>not</i> ready."), made), 1):
        job.outcomes.append(outcome)
        shown = compare_engines._new_outcomes(page, job, cards)[page.cards]
        assert shown.count("<figure") == number and "<i>" not in shown
    assert drawn == ["telea", "<b>", "telea"]
    assert compare_engines._new_outcomes(page, job, cards) == {}


def test_everyday_terms_come_first_and_what_experts_look_for_is_folded_up(made: filling.FillResult) -> None:
    verdict = faceinp.Verdict(0.9, Distance(0.9, 0.6), 1.2, 0.01, "bundled", ("It is small.",))
    said = result_text.facts(dataclasses.replace(made, likeness=faceinp.Likeness(verdict, verdict)))
    everyday, experts = said.split("<details")
    assert "all 14,784 unchanged" in everyday and "90.0%" in everyday and "1.0% of strangers" in everyday
    for term in ("Seed", "Runs on", "Seam", "Threshold", "0.900", "It is small."):
        assert term in experts and term not in everyday, term
    changed = result_text.facts(dataclasses.replace(made, changed_pixels=3, runtime=""))
    assert "3 of 14,784 changed" in changed and "Runs on" not in changed


def test_a_result_is_called_by_its_seed_or_by_the_part_that_was_filled_again(made: filling.FillResult) -> None:
    assert result_text.captions([made, made]) == ["1. seed 0", "2. seed 0"]
    again = dataclasses.replace(made, about="part 2 filled again")
    assert result_text.captions([again, made]) == ["1. part 2 filled again", "2. all parts"]
