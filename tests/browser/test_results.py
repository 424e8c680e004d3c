"""What comes of a fill, as a person sees it and goes on with it, in Chromium."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skimage.data

from .hands import changed, example, fill, put_on, saved, set_to, use

# Once more where one fails: on a machine that does much else, Gradio's editor may lose an event and wait for ever.
pytestmark = [pytest.mark.browser, pytest.mark.flaky(reruns=1)]

Open = Callable[..., Any]


def ready_to_search(open_page: Open, iterations: int) -> Any:
    """A page whose next fill is a search."""
    page = open_page()
    example(page, "Generated face")
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
    page.wait_for_selector("#facts .known")
    assert re.search(r"Stopped at \d+ of 2000: this is the best so far", page.locator("#facts").inner_text())
    use(page, "telea")
    fill(page)  # the worker is free again
    assert "telea" in page.locator("#facts").inner_text()


def test_candidates_are_shown_and_one_is_chosen(open_page: Open) -> None:
    page = ready_to_search(open_page, 50)
    set_to(page, "#candidates", 2)
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
