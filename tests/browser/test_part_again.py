"""One part of a result is filled again, as a person does it, in Chromium."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skimage.data

from .hands import changed, fill, load, paint, press, put_on, saved, unfold, use

pytestmark = [pytest.mark.browser, pytest.mark.flaky(reruns=1)]

Open = Callable[..., Any]


def again(page: Any, source: str) -> str:
    """Fill the part that is chosen with something; gives what is said of it."""
    page.locator("#part-source").get_by_label(source).check()
    fill(page, "#fill-part")
    return " ".join(page.locator("#part-done, #part-message").all_inner_texts())


def test_one_eye_is_filled_again_and_the_rest_stays(open_page: Open, photo: Path) -> None:
    page = open_page(390, 844, has_touch=True)
    load(page, photo)
    put_on(page, "one-eye")
    paint(page, 512, 60, 150, 60)  # on the wall beside her
    fill(page)
    before = saved(page)
    hole = changed(before, skimage.data.astronaut())
    unfold(page, "#part")
    picture = page.locator("#parts img")
    picture.wait_for()
    assert page.locator("#part-source label").all_inner_texts()[0] == "its surroundings again", "it is on no face"
    picture.evaluate("picture => picture.scrollIntoView({block: 'center'})")
    box = picture.bounding_box()
    page.touchscreen.tap(box["x"] + 0.8 * box["width"], box["y"] + 0.3 * box["height"])
    page.wait_for_selector("#part-source >> text=the other half of the face")
    assert page.locator("#part-number").get_by_label("2").is_checked()
    assert "Nothing else changed" in again(page, "the other half of the face")
    assert "is mirrored from the other half of the face" in page.locator("#outcome").inner_text()
    assert page.locator("#compare").evaluate("part => part.getBoundingClientRect().bottom") > 0, "the result is seen"
    mirrored = saved(page)
    assert "Nothing else changed" in again(page, "something newly invented")
    invented = saved(page)
    eye = changed(invented, np.asarray(mirrored))
    assert eye.any() and eye[:, :160].sum() == 0 and not (eye & ~changed(invented, skimage.data.astronaut())).any()
    assert "is mirrored" not in page.locator("#outcome").inner_text()
    assert page.locator("#part-source").get_by_text("Now: invented.").is_visible()
    press(page.locator("#switch"))
    page.wait_for_selector("#part-done >> text=This is the earlier result")
    assert not changed(saved(page), np.asarray(mirrored)).any()
    assert (
        page.locator("#part-source").get_by_text("Now: mostly mirrored from the other half of the face.").is_visible()
    )
    press(page.locator("#switch"))
    page.wait_for_selector("#part-done >> text=This is the newer result")
    assert not changed(saved(page), np.asarray(invented)).any()
    assert "came out the same as before" in again(page, "something newly invented")

    page.locator("#gallery button img").last.click()  # the first result
    page.wait_for_function("!document.querySelector('#parts img')")
    assert page.locator("#switch").inner_text() == "Show the newer result"
    page.wait_for_timeout(500)
    assert not changed(saved(page), np.asarray(before)).any()
    unfold(page, "#part")
    picture.wait_for()
    assert "shows your original photo" in again(page, "your original photo")
    assert not changed(saved(page), skimage.data.astronaut())[:, :160].any()
    assert changed(saved(page), skimage.data.astronaut()).sum() < hole.sum()
    assert page.locator("#parts img").count() == 0, "one part is left, so there is none to choose"
    page.click("#go-on")
    page.wait_for_selector("#message >> text=The result is your photo now")


def test_a_part_is_filled_again_by_the_keyboard_and_only_one_needs_no_choice(open_page: Open, photo: Path) -> None:
    page = open_page()
    load(page, photo)
    put_on(page, "mouth")
    use(page, "telea")
    fill(page)
    page.locator("#part > button").focus()
    page.keyboard.press("Enter")
    page.wait_for_selector("#part-source:visible")
    assert not page.locator("#part-number").is_visible() and page.locator("#parts img").count() == 0
    assert "your original photo" not in page.locator("#part-source").inner_text(), "that is the photo"
    for key in ("Tab", "ArrowDown"):
        page.keyboard.press(key)
    assert page.locator("#part-source").get_by_label("another photo of the person").is_checked()
    page.wait_for_timeout(1000)  # for the page, which draws the choices anew
    for key in ("Tab", "Enter"):
        page.keyboard.press(key)
    page.wait_for_selector("#part-message [role=alert]")
    assert "Add a photo under" in page.locator("#part-message").inner_text()
    page.click("#another")
    page.wait_for_selector("#photo")
    load(page, photo)
    put_on(page, "mouth")
    fill(page)
    assert not page.locator("#part-source").is_visible(), "nothing of the earlier photo's parts"
