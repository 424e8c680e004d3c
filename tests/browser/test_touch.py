"""Fingers on the photo, on a phone, in Chromium: one paints, two zoom and pan and paint nothing."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skimage.data
from PIL import Image

from .hands import SHARE, Fingers, changed, drag, fill, hidden, load, on_screen, paint, press, saved, touched, use, zoom

# Once more where one fails: on a machine that does much else, Gradio's editor may lose an event and wait for ever.
pytestmark = [pytest.mark.browser, pytest.mark.flaky(reruns=1)]

Open = Callable[..., Any]
Point = tuple[float, float]
STROKE = (229, 72, 77)  # what the brush paints in


def phone(open_page: Open) -> Any:
    page = open_page(390, 844, has_touch=True, is_mobile=True)
    assert touched(page)
    return page


def pinch(page: Any, middle: Point, end: Point, apart: tuple[float, float], early: float = 0) -> None:
    """Two fingers go from ``middle`` to ``end``, and apart. early: how far the first moves before the second comes."""
    fingers = Fingers(page)
    for step in range(5):
        fingers.put((middle[0] - apart[0] / 2, middle[1] + early - early * step / 4))
    for step in range(11):
        x, y = (one + (other - one) * step / 10 for one, other in zip(middle, end, strict=True))
        reach = (apart[0] + (apart[1] - apart[0]) * step / 10) / 2
        fingers.put((x - reach, y), (x + reach, y))
    page.wait_for_timeout(1000)  # for the frame that shows it
    fingers.put()
    page.wait_for_timeout(2000)  # for the editor, which would send a stroke


def shown(page: Any) -> np.ndarray:
    """What the editor shows between its buttons."""
    shot = page.locator("#editor .pixi-target").screenshot()
    return np.asarray(Image.open(io.BytesIO(shot)).convert("RGB")).astype(int)


def paint_seen(page: Any) -> bool:
    return bool((abs(shown(page) - STROKE).max(axis=2) <= 2).any())


def test_two_fingers_zoom_and_pan_and_paint_nothing(open_page: Open, photo: Path) -> None:
    page = phone(open_page)
    place = page.locator("#photo [data-testid=upload-text]")
    assert place.evaluate("part => getComputedStyle(part, '::after').content") == '"Choose a photo"'
    assert place.evaluate("part => getComputedStyle(part).visibility") == "hidden", "of dropping and clicking"
    page.set_viewport_size({"width": 390, "height": 664})
    load(page, photo)
    assert zoom(page) * 512 / 100 > 300, "the photo is as wide as a small phone"
    assert page.evaluate("document.querySelector('#fill').getBoundingClientRect().top") < 664 + 100
    page.set_viewport_size({"width": 390, "height": 844})
    page.wait_for_timeout(1000)
    before, middle = zoom(page), on_screen(page, 512, 256, 256)
    end = middle[0] + 30, middle[1] - 20
    pinch(page, middle, end, (60, 200))
    assert zoom(page) == pytest.approx(before * 200 / 60, rel=0.05)
    pinch(page, end, middle, (120, 90), early=30)
    assert zoom(page) == pytest.approx(before * 150 / 60, rel=0.05)
    assert not hidden(page) and not paint_seen(page)
    drag(page, middle, (middle[0] + 60, middle[1]))  # what was under the fingers is under them now
    page.wait_for_function(f"!!{SHARE}")
    assert paint_seen(page)
    use(page, "telea")
    fill(page)
    where = changed(saved(page), skimage.data.astronaut())
    length = 60 * 100 / zoom(page)
    assert where[250:262, 256 : int(256 + length)].mean() > 0.9
    assert not where[:200].any() and not where[:, :190].any() and not where[:, int(340 + length) :].any()


def test_a_finger_paints_erases_and_takes_back_and_scrolls_beside_the_photo(open_page: Open, photo: Path) -> None:
    page = phone(open_page)
    load(page, photo)
    before = shown(page)
    paint(page, 512, 200, 300, 100)
    stroke = hidden(page)
    assert 1 < stroke < 5
    press(page.get_by_label("Erase", exact=True))
    paint(page, 512, 250, 300, 100)
    assert 0 < hidden(page) < stroke
    for expected in (stroke, 0):
        press(page.get_by_label("Undo", exact=True))
        page.wait_for_function(f"(parseFloat({SHARE}) || 0) === {expected}")
    press(page.get_by_label("Undo", exact=True))
    page.wait_for_timeout(2000)
    assert abs(shown(page) - before).mean() < 2, "the photo itself is not undone"

    buttons = page.locator("#editor button:visible, #editor [role=button]:visible, #mask-row button:visible")
    for button in buttons.all():
        box = button.bounding_box()
        assert box["width"] >= 44 and box["height"] >= 44, button
        assert box["x"] >= 0 and box["x"] + box["width"] <= 390, button
    box, top = page.locator("#panel h2").bounding_box(), page.evaluate("scrollY")
    drag(page, (box["x"] + 20, box["y"]), (box["x"] + 20, box["y"] - 150))
    page.wait_for_function(f"scrollY > {top} + 50")
