"""The page as a person uses it, in Chromium."""

import io
import os
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pytest
import skimage.data
from PIL import Image
from serving import Server

# Once more where one fails: on a machine that does much else, Gradio's editor may lose an event and wait for ever.
pytestmark = [pytest.mark.browser, pytest.mark.flaky(reruns=1)]

FACE = (222, 112)  # x, y of the astronaut's nose, in pixels
SHARE = "(document.querySelector('#share span')?.innerText || '')"
SLOW_UPLOADS = """() => {
  const quick = window.fetch, before = document.querySelector('#share').innerText;
  window.fetch = async (...given) => {
    const early = document.querySelector('#share').innerText === before;
    const upload = String(given[0].url || given[0]).includes('/upload');
    if (upload && early) await new Promise(go => setTimeout(go, 3000));
    return quick(...given);
  };
  window.progressShown = 0;
  const tracker = '#editor [data-testid=status-tracker]:not(.hide)';
  setInterval(() => window.progressShown += document.querySelectorAll(tracker).length, 50);
}"""
Open = Callable[..., Any]


@pytest.fixture(scope="module")
def photo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("photo") / "astronaut.png"
    Image.fromarray(skimage.data.astronaut()).save(file)
    return file


def load(page: Any, file: Path) -> None:
    page.set_input_files("#photo input[type=file]", file)
    settle(page)


def example(page: Any, name: str) -> None:
    page.get_by_role("button", name=name).click()
    settle(page)


def settle(page: Any) -> None:
    """Wait until the editor has moved the photo into place; it says nothing when it has."""
    page.wait_for_selector("#fill:not([disabled])")
    page.wait_for_selector("#editor canvas")
    seen = -1
    while seen != zoom(page) or seen == 100:
        seen = zoom(page)
        page.wait_for_timeout(1500)


def zoom(page: Any) -> int:
    """Percent, as the editor writes it: other than 100 once a photo of 512 or 256 pixels has been fitted in."""
    shown = re.search(r"(\d+)%", page.locator("#editor").inner_text())
    return int(shown[1]) if shown else 100


def paint(page: Any, size: int, x: int, y: int, length: int) -> None:
    """One stroke with the mouse from (x, y) of a square photo to the right, in the photo's pixels."""
    page.locator("#editor").scroll_into_view_if_needed()
    before = page.evaluate(SHARE)
    box = page.locator("#editor").bounding_box()
    scale = zoom(page) / 100
    left = box["x"] + box["width"] / 2 + (x - size / 2) * scale
    top = box["y"] + box["height"] / 2 + (y - size / 2) * scale
    page.mouse.move(left, top)
    page.wait_for_timeout(1000)  # an idle editor measures a stroke's first point by its last frame: let it draw one
    page.mouse.move(left, top + 1)
    page.mouse.down()
    for step in range(11):
        page.mouse.move(left + length * scale * step / 10, top)
    page.mouse.up()
    page.wait_for_function(f"{SHARE} != {before!r}")


def put_on(page: Any, preset: str) -> None:
    page.locator("#preset input").click()
    page.get_by_role("option", name=re.compile(rf"^{preset}:")).click()
    page.wait_for_selector("#share span")
    page.wait_for_timeout(1500)  # for the editor, which says nothing


def use(page: Any, engine: str) -> None:
    page.locator("#engine").get_by_label(engine, exact=True).check()


def fill(page: Any, button: str = "#fill") -> None:
    """Press Fill and wait until there is nothing more to cancel."""
    page.click(button)
    page.wait_for_selector("#cancel:not([disabled])")
    page.wait_for_selector("#cancel[disabled]")
    page.wait_for_selector("#fill:not([disabled])")


def message(page: Any) -> str:
    return str(page.locator("#message").inner_text())


def saved(page: Any, button: str = "#download") -> Image.Image:
    with page.expect_download() as download:
        page.click(button)
    return Image.open(io.BytesIO(Path(download.value.path()).read_bytes()))


def changed(picture: Image.Image, before: np.ndarray) -> np.ndarray:
    return (np.asarray(picture.convert("RGB")) != before).any(axis=2)


def hidden(page: Any) -> float:
    """Per cent of the photo that is painted over."""
    return float(page.evaluate(SHARE).partition("%")[0] or 0)


def test_a_face_is_filled_where_it_was_painted_and_nowhere_else(open_page: Open, photo: Path) -> None:
    page = open_page()
    assert page.locator("#fill").is_disabled()
    assert "Load a photo" in message(page)
    load(page, photo)
    page.wait_for_selector("text=One face was found")
    use(page, "telea")
    fill(page)
    assert "Paint over" in message(page)

    paint(page, 512, FACE[0] - 15, FACE[1], 30)
    assert hidden(page) > 0
    fill(page)
    page.wait_for_selector("#facts .known")
    assert re.match(r"0 of [\d,]+ known pixels changed", page.locator("#facts .known").inner_text())
    filled = saved(page)
    assert filled.format == "PNG" and filled.size == (512, 512)
    assert filled.text["faceinp:engine"] == "telea"
    assert "compositeWithTrainedAlgorithmicMedia" in filled.info["XML:com.adobe.xmp"]
    where = changed(filled, skimage.data.astronaut())
    assert where[FACE[1] - 4 : FACE[1] + 5, FACE[0] - 15 : FACE[0] + 16].mean() > 0.9
    away = np.ones_like(where)
    away[FACE[1] - 45 : FACE[1] + 46, FACE[0] - 60 : FACE[0] + 61] = False
    assert not where[away].any()
    known = int(re.sub(r"\D", "", page.locator("#facts .known").inner_text().split("of")[1]))
    assert where.sum() <= 512 * 512 - known


def test_a_preset_is_drawn_over_inverted_and_cleared(open_page: Open) -> None:
    page = open_page()
    example(page, "Portrait")
    put_on(page, "eyes")
    preset = hidden(page)
    assert 0.5 < preset < 5
    paint(page, 512, FACE[0] - 20, FACE[1] + 60, 40)
    drawn = hidden(page)
    assert drawn > preset
    page.click("#invert")
    page.wait_for_function(f"parseFloat({SHARE}) > {100 - drawn - 1}")
    assert hidden(page) == pytest.approx(100 - drawn, abs=0.3)
    page.locator("#editor [aria-label='Clear canvas']").click()
    page.wait_for_function(f"!{SHARE}")
    page.wait_for_timeout(1500)
    fill(page)
    assert "Paint over" in message(page), "the photo is still there, and nothing is painted"


def test_slow_uploads_leave_no_progress_on_the_editor(open_page: Open) -> None:
    page = open_page()
    example(page, "Portrait")
    put_on(page, "eyes")
    page.evaluate(SLOW_UPLOADS)
    page.click("#invert")
    page.wait_for_function(f"parseFloat({SHARE}) > 90")
    page.wait_for_timeout(4000)  # for what the editor still sends
    assert page.evaluate("window.progressShown") == 0, "what is shown may stay on a busy machine"
    page.locator("#editor [aria-label='Clear canvas']").click()
    page.wait_for_function(f"!{SHARE}")


def test_an_uploaded_mask_is_the_hole_to_the_pixel(open_page: Open, photo: Path, tmp_path: Path) -> None:
    page = open_page()
    load(page, photo)
    hole = np.zeros((512, 512), np.bool_)
    hole[100:125, 200:245] = True
    Image.fromarray(hole).save(tmp_path / "mask.png")
    with page.expect_file_chooser() as chooser:
        page.click("#mask-file")
    chooser.value.set_files(tmp_path / "mask.png")
    page.wait_for_selector("text=The mask was read")
    page.wait_for_timeout(1500)
    use(page, "biharmonic")
    fill(page)
    where = changed(saved(page), skimage.data.astronaut())
    assert not (where & ~hole).any() and where[hole].mean() > 0.9


def test_a_search_streams_previews_and_cancel_gives_the_best_so_far(open_page: Open) -> None:
    page = open_page()
    example(page, "Generated face")
    put_on(page, "centre")
    use(page, "structural")
    page.locator("#iterations input[type=number]").fill("2000")
    page.locator("#iterations input[type=number]").press("Enter")
    page.click("#fill")
    page.wait_for_selector("#running svg")
    page.wait_for_selector("#running img[alt=Preview]")
    page.wait_for_selector("#running >> text=left")
    assert page.locator("#running svg").get_attribute("aria-label").startswith("Loss of the search: ")
    page.click("#cancel")
    page.wait_for_selector("#fill:not([disabled])")
    page.wait_for_selector("#facts .known")
    assert re.search(r"Stopped at \d+ of 2000: this is the best so far", page.locator("#facts").inner_text())
    use(page, "telea")
    fill(page)  # the worker is free again
    assert "telea" in page.locator("#facts").inner_text()


def test_a_scratched_photo_comes_with_its_scratches_marked(open_page: Open) -> None:
    from demo import examples

    page = open_page()
    example(page, examples.SCRATCHED)
    page.wait_for_selector("text=One face was found. What should be replaced is marked")
    marked = examples.hole(examples.SCRATCHED)
    assert hidden(page) == pytest.approx(100 * marked.mean(), abs=0.1)
    use(page, "telea")
    fill(page)
    where = changed(saved(page), examples.make(examples.SCRATCHED))
    assert where[marked].mean() > 0.8 and not where[~marked].any()


def test_candidates_are_shown_and_one_is_chosen(open_page: Open) -> None:
    page = open_page()
    example(page, "Generated face")
    put_on(page, "centre")
    use(page, "structural")
    page.locator("#iterations input[type=number]").fill("50")
    page.locator("#iterations input[type=number]").press("Enter")
    page.locator("#candidates input[type=number]").fill("2")
    page.locator("#candidates input[type=number]").press("Enter")
    fill(page)
    page.wait_for_selector("#gallery img")
    captions = page.locator("#gallery .caption-label").all_inner_texts()
    assert len(captions) == 2 and captions[0].startswith("1. seed")
    scores = [float(re.search(r"(\d+)% same", caption)[1]) for caption in captions]
    assert scores == sorted(scores, reverse=True)
    first = saved(page).text["faceinp:seed"]
    page.locator("#gallery button img").nth(1).click()
    other = next(seed for seed in ("0", "1") if seed != first)
    page.wait_for_function(f"document.querySelector('#facts dl').innerText.includes('Seed\\n{other}')")
    assert saved(page).text["faceinp:seed"] == other


def test_a_second_photo_is_judged_by_too(open_page: Open, photo: Path) -> None:
    page = open_page()
    page.click("#more button")
    page.set_input_files("#second input[type=file]", photo)
    page.wait_for_selector("text=The second photo is there")
    example(page, "Portrait")
    put_on(page, "lower-face")
    use(page, "telea")
    fill(page)
    told = page.locator("#identity").inner_text()
    assert "the second photo" in told and "this photo" in told and "Judge: bundled" in told
    assert "A likeness score, not evidence of identity." in told and "Blank hole" in told


def at(picture: Any, across: float, down: float) -> None:
    """Click a place of a picture, in shares of its sides, wherever the page has scrolled to."""
    picture.evaluate("picture => picture.scrollIntoView({block: 'center'})")
    box = picture.bounding_box()
    picture.click(position={"x": box["width"] * across, "y": box["height"] * down})


def test_a_landmark_that_is_moved_moves_the_face(open_page: Open) -> None:
    page = open_page()
    example(page, "Portrait")
    put_on(page, "lower-face")
    use(page, "landmark")
    fill(page)
    first = np.asarray(saved(page).convert("RGB"))
    page.click("#landmarks-box button")
    shown = page.locator("#landmarks img")
    before = shown.get_attribute("src")
    at(shown, 0.5, 0.7)
    page.wait_for_function(f"document.querySelector('#landmarks img').src != {before!r}")
    picked = shown.get_attribute("src")
    at(shown, 0.5, 0.85)
    page.wait_for_function(f"document.querySelector('#landmarks img').src != {picked!r}")
    fill(page, "#again")
    second = saved(page)
    where = changed(second, first)
    assert where.any(), "the fill follows its landmarks"
    assert not (where & ~changed(second, skimage.data.astronaut()) & (first == skimage.data.astronaut()).all(2)).any()


def test_engines_are_compared_and_the_grid_is_saved(open_page: Open) -> None:
    page = open_page()
    example(page, "Portrait")
    put_on(page, "eyes")
    page.get_by_role("tab", name="Compare engines").click()
    wanted = {"telea", "mirror", "tv"}
    for box in page.locator("#compared label").all():
        box.locator("input").set_checked(box.inner_text().strip() in wanted)
    page.click("#start")
    page.wait_for_selector("#grid img")
    rows = page.locator("#table tbody tr").all_inner_texts()
    assert {row.split()[0] for row in rows} == wanted
    assert all(re.search(r"\d s\s+[+-]\d+\.\d+\s+\d+\.\d%\s+distance \d\.\d+\s+0$", row) for row in rows), rows
    assert saved(page, "#grid-file").width > 600


def test_faces_are_numbered_and_the_chosen_one_is_filled(open_page: Open) -> None:
    page = open_page()
    example(page, "Two faces")
    page.wait_for_selector("#faces img")
    assert [text.strip() for text in page.locator("#face label").all_inner_texts()] == ["1, the largest", "2"]
    page.locator("#face label").nth(1).click()
    put_on(page, "eyes")
    use(page, "telea")
    page.locator("#view label", has_text="Photo")
    fill(page)
    before = np.asarray(saved(page).convert("RGB"))
    from demo import examples

    where = changed(Image.fromarray(before), examples.make("Two faces"))
    assert where[:, 340:].any() and not where[:, :340].any()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_on_a_phone_nothing_scrolls_sideways_and_a_preset_is_filled(
    open_page: Open, server: Server, scheme: str
) -> None:
    page = open_page(390, 844, color_scheme=scheme)
    asked: set[str | None] = set()
    page.on("request", lambda request: asked.add(urlsplit(request.url).hostname))
    page.reload()
    page.wait_for_selector("#fill")
    example(page, "Portrait")
    put_on(page, "eyes")
    use(page, "telea")
    fill(page)
    page.wait_for_selector("#facts .known")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.click("#engines-box button")
    page.wait_for_selector("#engines-box .panel")
    wide = "[...document.querySelectorAll('.panel')].filter(e => e.scrollWidth > e.clientWidth).map(e => e.innerText)"
    assert not page.evaluate(wide)
    # Gradio cuts off what is too wide, so that no scroll bar tells of it.
    edges = "[...document.querySelectorAll('#board .column, main button')].map(e => e.getBoundingClientRect().right)"
    assert max(page.evaluate(edges)) <= 390
    for button in ("#fill", "#download"):
        box = page.locator(button).bounding_box()
        assert box["x"] >= 0 and box["x"] + box["width"] <= 390 and box["height"] >= 40
    assert asked - {None} == {"127.0.0.1"}, "the page asked somebody else for something"
    dark = page.evaluate("getComputedStyle(document.body).backgroundColor.match(/\\d+/g).every(v => v < 60)")
    assert dark == (scheme == "dark")


def test_the_first_paint_comes_within_3_seconds(open_page: Open) -> None:
    page, painted = open_page(), "performance.getEntriesByName('first-contentful-paint')[0].startTime"
    paints = [page.evaluate(painted)]
    while min(paints) >= 3000 and len(paints) < 5:  # another program may have had the processor
        page.reload()
        page.wait_for_selector("#fill")
        paints.append(page.evaluate(painted))
    assert min(paints) < 3000, paints
    page.wait_for_selector("text=Models are loaded")


def test_everything_on_the_way_to_a_fill_is_reached_by_keyboard(open_page: Open) -> None:
    page = open_page()
    page.locator("#example-portrait").focus()
    page.keyboard.press("Enter")
    settle(page)
    page.locator("#preset input").focus()
    page.keyboard.press("Control+A")
    page.keyboard.type("eyes")
    page.keyboard.press("Enter")
    page.wait_for_selector("#share span")
    page.wait_for_timeout(1500)
    reached = set()
    for _ in range(60):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("document.activeElement.id || document.activeElement.closest('[id]')?.id"))
        if "fill" in reached:
            break
    assert {"invert", "fill"} <= reached
    page.keyboard.press("Enter")
    page.wait_for_selector("#facts .known")


def test_a_file_that_is_no_photo_is_a_message_and_the_page_goes_on(
    open_page: Open, photo: Path, tmp_path: Path
) -> None:
    page = open_page()
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"this is no picture")
    page.set_input_files("#photo input[type=file]", broken)
    page.wait_for_selector("#message [role=alert]")
    assert page.locator("#fill").is_disabled()
    load(page, photo)


def test_who_leaves_leaves_no_file_behind(open_page: Open, server: Server, photo: Path) -> None:
    page = open_page()
    load(page, photo)
    put_on(page, "eyes")
    use(page, "telea")
    fill(page)
    assert [file for file in server.files() if file.name == "astronaut-filled.png"]
    page.close()
    ends = time.monotonic() + 60
    while (left := [file for file in server.files() if not of_editor(file)]) and time.monotonic() < ends:
        time.sleep(0.5)
    assert not left
    for file in server.files():
        for entry in (file, *file.parents[:2]):
            os.utime(entry, (0, 0))  # as if five minutes had passed
    while server.files() and time.monotonic() < ends:
        time.sleep(0.5)
    assert not server.files()


def of_editor(file: Path) -> bool:
    return bool(re.fullmatch(r"(background|composite|layer_\d)\.png", file.name)) and "upload-" in str(file)
