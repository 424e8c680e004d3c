"""Rectangles are drawn over the photo by mouse, finger and keyboard, and filled, in Chromium."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skimage.data
import skimage.transform
from PIL import Image

from .hands import SHARE, changed, drag, fill, hidden, load, on_screen, press, saved, use, zoom

# Once more where one fails: on a machine that does much else, Gradio's editor may lose an event and wait for ever.
pytestmark = [pytest.mark.browser, pytest.mark.flaky(reruns=1)]

Open = Callable[..., Any]
SIZES = {"desk": (1440, 900), "phone": (390, 844)}
LARGE = 1536, 1152  # width and height of a photo that is painted on as a copy


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A portrait of ``LARGE``, lying on its side."""
    file = tmp_path_factory.mktemp("large") / "large.png"
    portrait = Image.fromarray(skimage.data.astronaut()[:, 64:448])
    portrait.resize(LARGE[::-1]).rotate(90, expand=True).save(file)
    return file


def wait_for_share(page: Any, before: float) -> float:
    page.wait_for_function(f"(parseFloat({SHARE}) || 0) !== {before}")
    return hidden(page)


@pytest.mark.parametrize("size", SIZES)
def test_a_rectangle_is_filled_as_it_was_drawn(open_page: Open, large: Path, size: str) -> None:
    width, height = SIZES[size]
    page = open_page(width, height, has_touch=size == "phone", is_mobile=size == "phone")
    load(page, large)
    press(page.locator("#turn"))
    page.wait_for_timeout(4000)  # for the editor, which says nothing
    before = zoom(page)
    for _ in range(3):
        press(page.get_by_label("Zoom in", exact=True))
    page.wait_for_function(f"!document.querySelector('#editor').innerText.includes('{before}%')")
    page.wait_for_timeout(1500)
    press(page.locator("#rectangle"))
    copy = LARGE[1] * 2 // 3, LARGE[0] * 2 // 3  # upright
    corners = [on_screen(page, copy, *corner) for corner in ((300, 400), (450, 480), (300, 520), (420, 600))]
    drag(page, *corners[:2])
    one = wait_for_share(page, 0)
    assert one == pytest.approx(100 * 150 * 80 / (copy[0] * copy[1]), rel=0.05)
    for corner in corners[2:]:
        (page.touchscreen.tap if size == "phone" else page.mouse.click)(*corner)
        page.wait_for_timeout(500)
    both = wait_for_share(page, one)
    press(page.get_by_label("Undo", exact=True))
    assert wait_for_share(page, both) == one
    press(page.get_by_label("Redo", exact=True))
    assert wait_for_share(page, one) == both
    use(page, "telea")
    fill(page)
    page.wait_for_selector("#outcome .known:not(.broken)")
    where = changed(saved(page), np.rot90(np.asarray(Image.open(large)), -1))
    wanted = np.zeros_like(where)
    wanted[600:720, 450:675] = wanted[780:900, 450:630] = True
    assert where[wanted].mean() > 0.93 and where[~wanted].mean() < 0.004, "as it was drawn, in the photo's own pixels"


def test_a_rectangle_by_keyboard(open_page: Open, photo: Path) -> None:
    page = open_page()
    load(page, photo)
    page.locator("#rectangle").focus()
    page.keyboard.press("Enter")
    for key in (*("ArrowLeft",) * 3, "Enter", *("ArrowRight",) * 6, *("ArrowDown",) * 5, "Shift+ArrowDown", "Enter"):
        page.keyboard.press(key)
    share = wait_for_share(page, 0)
    assert share == pytest.approx(100 * 60 * 51 / (512 * zoom(page) / 100) ** 2, rel=0.05)
    page.keyboard.press("Enter")  # a first corner, which Escape forgets
    page.keyboard.press("Escape")
    page.keyboard.press("Escape")
    assert page.evaluate("document.activeElement.id") == "rectangle"
    assert page.locator("#rectangle").get_attribute("aria-pressed") == "false"
    assert not page.locator("#rectangle-area").is_visible() and hidden(page) == share


def test_another_tool_or_another_photo_ends_the_rectangle(open_page: Open, photo: Path) -> None:
    page = open_page()
    load(page, photo)
    page.click("#rectangle")
    page.mouse.click(*on_screen(page, 512, 200, 200))
    page.get_by_label("Erase", exact=True).click()
    assert not page.locator("#rectangle-area").is_visible()
    page.click("#rectangle")
    drag(page, on_screen(page, 512, 300, 300), on_screen(page, 512, 400, 400))
    share = wait_for_share(page, 0)
    assert share == pytest.approx(100 * 100 * 100 / 512**2, rel=0.05), "the corner before it is forgotten"
    page.click("#another")
    page.wait_for_selector("#load", state="visible")
    load(page, photo)
    assert page.locator("#rectangle").get_attribute("aria-pressed") == "false" and not hidden(page)
