"""What comes of a fill, as a person sees it and goes on with it, in Chromium."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import skimage.data
from PIL import Image
from serving import Server, until

from .hands import example, facts, fill, load, put_on, saved, set_to, unfold, use

# Once more where one fails: on a machine that does much else, Gradio's editor may lose an event and wait for ever.
pytestmark = [pytest.mark.browser, pytest.mark.flaky(reruns=1)]

Open = Callable[..., Any]


@pytest.fixture
def others(tmp_path: Path) -> list[Path]:
    """Two other photos of the person on the example."""
    portrait, files = skimage.data.astronaut(), [tmp_path / "in the studio.png", tmp_path / "closer.jpg"]
    for pixels, file in zip((portrait[:, ::-1], portrait[20:400, 60:440]), files, strict=True):
        Image.fromarray(pixels).save(file)
    return files


def ready_to_search(open_page: Open, iterations: int) -> Any:
    """A page whose next fill is a search."""
    page = open_page()
    example(page, "An aligned face")
    put_on(page, "centre")
    use(page, "structural")
    set_to(page, "#iterations", iterations)
    return page


def test_a_search_streams_previews_and_cancel_gives_the_best_so_far(open_page: Open) -> None:
    page = ready_to_search(open_page, 2000)
    page.click("#fill")
    page.wait_for_selector("#running svg")
    page.wait_for_selector("#running img[alt=Preview]")
    page.wait_for_selector("#running >> text=left")
    assert page.locator("#running svg").get_attribute("aria-label").startswith("Loss of the search: ")
    page.click("#cancel")
    page.wait_for_selector("#fill:not([disabled])")
    page.wait_for_selector("#outcome .known")
    assert re.search(r"Stopped at \d+ of 2000: this is the best so far", facts(page))
    use(page, "telea")
    fill(page)  # the worker is free again
    assert "telea" in facts(page)


def test_candidates_are_shown_and_one_is_chosen(open_page: Open) -> None:
    page = ready_to_search(open_page, 50)
    set_to(page, "#candidates", 2)
    fill(page)
    unfold(page, "#details")
    page.wait_for_selector("#gallery img")
    captions = page.locator("#gallery .caption-label").all_inner_texts()
    assert len(captions) == 2 and captions[0].startswith("1. seed")
    page.evaluate("scrollTo(0, document.body.scrollHeight)")
    assert page.evaluate("scrollY") > 100, "the page is long now"
    assert page.locator("#compare").bounding_box()["y"] >= 0, "the result stays in view beside what is long"
    page.evaluate("scrollTo(0, 0)")
    scores = [float(re.search(r"(\d+)% same", caption)[1]) for caption in captions]
    assert scores == sorted(scores, reverse=True)
    first = saved(page).text["faceinp:seed"]
    page.locator("#gallery button img").nth(1).click()
    other = next(seed for seed in ("0", "1") if seed != first)
    page.wait_for_function(f"document.querySelector('#facts details dl').textContent.includes('Seed{other}')")
    assert saved(page).text["faceinp:seed"] == other


def test_other_photos_are_used_to_fill_or_only_compared_with(
    open_page: Open, server: Server, photo: Path, others: list[Path], tmp_path: Path
) -> None:
    broken, nobody = tmp_path / "broken.png", tmp_path / "nobody.png"
    broken.write_bytes(b"this is no picture")
    Image.new("RGB", (200, 200)).save(nobody)
    page = open_page()
    assert not page.locator("#others").is_visible(), "they belong to a photo"
    load(page, photo)
    unfold(page, "#others")
    page.set_input_files("#add-others input[type=file]", [others[0], broken, nobody, others[1]])
    page.wait_for_selector("#others-message [role=alert]")
    told = page.locator("#others-message").inner_text()
    assert "broken.png is not a picture" in told and "No face was found in nobody.png" in told
    rows = page.locator(".other:visible")
    assert [row.locator("fieldset > span").first.inner_text() for row in rows.all()] == [file.name for file in others]
    assert rows.first.get_by_label("use to fill").is_checked()
    rows.nth(1).get_by_label("only compare").check()
    put_on(page, "lower-face")
    fill(page)

    assert re.search(r"likely the same|not recognised", page.locator("#identity").inner_text())
    told = facts(page)
    assert re.search(r"Judge\s+bundled", told) and "A likeness score, not evidence of identity." in told
    assert "Hole left blank" in told
    used, compared = (re.search(rf"{re.escape(file.name)}\s+(.+)", told)[1] for file in others)
    assert re.match(r"\d+\.\d%", compared)
    assert re.match(r"\d+\.\d%|Other photo 1 was used to fill", used)
    page.locator("#view").get_by_label("Where it comes from").check()
    page.wait_for_selector("#legend li")
    shares = [float(entry.split("%")[0]) for entry in page.locator("#legend li").all_inner_texts()]
    assert sum(shares) == pytest.approx(100, abs=0.3) and shares == sorted(shares, reverse=True)
    assert ("used to fill" in used) == (others[0].name in page.locator("#legend").inner_text())
    assert others[1].name not in page.locator("#legend").inner_text(), "it is only compared with"

    def kept() -> set[str]:
        return {file.name for file in server.files()} & {file.name for file in [*others, broken, nobody]}

    assert kept() == {file.name for file in others}
    rows.first.get_by_role("button", name="Remove").click()
    until(lambda: kept() == {others[1].name})
    page.click("#another")
    page.wait_for_selector("#others", state="hidden")
    assert not kept(), "nothing of them outlives the photo"


def test_the_other_half_of_the_face_is_used_as_the_engine_does_unless_chosen(open_page: Open, photo: Path) -> None:
    page = open_page()
    load(page, photo)
    unfold(page, "#settings")
    box = page.get_by_label("Use the other half of the face")
    assert box.is_checked()
    use(page, "telea")
    page.wait_for_function("!document.querySelector('#symmetry input').checked")
    use(page, "landmark")
    page.wait_for_function("document.querySelector('#symmetry input').checked")


def test_engines_are_compared_and_the_grid_is_saved(open_page: Open, photo: Path) -> None:
    page = open_page()
    load(page, photo)
    put_on(page, "eyes")
    page.get_by_role("tab", name="Compare engines").click()
    wanted = {"telea", "mirror", "tv"}
    for box in page.locator("#compared label").all():
        box.locator("input").set_checked(box.inner_text().strip() in wanted)
    page.click("#start")
    page.wait_for_selector("#grid-file")
    assert page.locator("#cards img").count() == len(wanted)
    assert set(page.locator("#cards figcaption b").all_inner_texts()) == wanted
    unfold(page, "#figures")
    rows = page.locator("#table tbody tr").all_inner_texts()
    assert {row.split()[0] for row in rows} == wanted
    assert all(re.search(r"\d s\s+\d+\.\d%\s+distance \d\.\d+\s+[+-]\d+\.\d+\s+0$", row) for row in rows), rows
    assert saved(page, "#grid-file").width > 600
