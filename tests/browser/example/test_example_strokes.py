"""Painting on the examples' page: by mouse, touch and keyboard."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("onnx", reason="the extra 'export' is not installed")
from ..hands import Fingers
from .site import Hands

pytestmark = [pytest.mark.browser, pytest.mark.flaky(reruns=1)]


def test_strokes_are_undone_done_again_erased_and_cleared(use: Callable[..., Hands], photo: Path) -> None:
    hands = use()
    hands.open(photo)
    hands.stroke((60, 60), (180, 60))
    hands.stroke((60, 110), (180, 110))
    press = hands.page.keyboard.press
    both = hands.filled()
    assert both[60, 120] and both[110, 120] and not both[85, 120]
    hands.page.click("#undo")
    assert not hands.filled()[110].any()
    press("Control+Shift+z")
    assert np.array_equal(hands.filled(), both)
    hands.page.click("[value=eraser]")
    hands.stroke((120, 40), (120, 140))
    erased = hands.filled()
    assert not erased[:, 120].any() and erased[60, 70] and erased[110, 170]
    press("Control+z")
    assert np.array_equal(hands.filled(), both)
    hands.page.click("#clear")
    hands.page.click("#fill")
    hands.status("Nothing is painted over yet")
    press("Control+z")
    assert np.array_equal(hands.filled(), both)
    hands.page.click("#clear")
    hands.page.click("[value=brush]")
    hands.page.locator("#size").fill("60")
    hands.stroke((120, 90), (121, 90))
    assert hands.filled()[:, 120].sum() > 1.5 * both[:85, 120].sum()


def test_a_stroke_that_begins_outside_draws_nothing(use: Callable[..., Hands], photo: Path) -> None:
    hands = use()
    hands.open(photo)
    hands.stroke((60, 60), (180, 60))
    once = hands.filled()
    outside = hands.page.locator("#status").bounding_box()
    hands.page.mouse.move(outside["x"] + 5, outside["y"] + 5)
    hands.page.mouse.down()
    hands.page.mouse.move(*hands.on_screen(120, 120), steps=5)
    hands.page.mouse.up()
    hands.page.mouse.move(*hands.on_screen(160, 140), steps=5)
    assert np.array_equal(hands.filled(), once)


def test_all_can_be_done_by_keyboard(use: Callable[..., Hands], photo: Path) -> None:
    hands = use()
    hands.open(photo)
    keyboard = hands.page.keyboard
    hands.page.locator("#canvas").focus()
    keyboard.press("ArrowUp")
    keyboard.down(" ")
    for _ in range(3):
        keyboard.press("Shift+ArrowRight")
    keyboard.up(" ")
    keyboard.press("Shift+ArrowDown")
    line = hands.filled()
    rows, columns = np.nonzero(line)
    assert line[88:90, 120:145].all() and 25 < np.ptp(columns) < 60 and np.ptp(rows) < 16 and columns.min() > 110
    hands.page.locator("#canvas").focus()
    for key in "[[+-0e":
        keyboard.press(key)
    assert hands.page.locator("[value=eraser]").is_checked() and hands.page.locator("#size").input_value() == "20"
    keyboard.press("b")
    keyboard.press("Control+z")
    hands.page.click("#fill")
    hands.status("Nothing is painted over yet")
    # Each control is reached by Tab, in the order in which it is seen.
    hands.page.locator("#file").focus()
    reached = ["file"]
    for _ in range(10):
        keyboard.press("Tab")
        reached.append(hands.page.evaluate("document.activeElement.id || document.activeElement.value"))
    order = [
        "file",
        "fill",
        "go-on",
        "download",
        "canvas",
        "brush",
        "size",
        "redo",
        "clear",
        "zoom-out",
        "zoom-in",
        "zoom-fit",
        "before",
    ]
    assert reached == order[: len(reached)]


def test_zooming_in_keeps_strokes_in_their_place(use: Callable[..., Hands], photo: Path) -> None:
    hands = use()
    hands.open(photo)
    middle = hands.on_screen(120, 90)
    hands.page.mouse.move(*middle)
    hands.page.mouse.wheel(0, -700)
    hands.page.mouse.down()
    hands.page.mouse.move(middle[0] + 40, middle[1], steps=3)
    hands.page.mouse.up()
    near = hands.filled()
    rows, columns = np.nonzero(near)
    assert near[90, 120] and np.ptp(rows) < 15 and columns.max() < 140
    hands.page.click("[value=hand]")
    hands.page.mouse.move(*middle)
    hands.page.mouse.down()
    hands.page.mouse.move(middle[0] + 80, middle[1], steps=3)
    hands.page.mouse.up()
    assert np.array_equal(hands.filled(), near), "moving paints nothing"


def test_one_finger_paints_and_two_never_do(use: Callable[..., Hands], photo: Path) -> None:
    hands = use(390, 844, has_touch=True, is_mobile=True)
    hands.open(photo)
    fingers = Fingers(hands.page)
    fingers.put(hands.on_screen(80, 60))
    for x in (100, 120, 140, 160):
        fingers.put(hands.on_screen(x, 60))
    fingers.put()
    once = hands.filled()
    assert once[60, 85:155].all() and not once[90].any()
    hands.page.locator("#canvas").scroll_into_view_if_needed()
    before = hands.page.locator("#canvas").screenshot()
    fingers.put(hands.on_screen(110, 120))
    for apart in range(0, 50, 10):
        fingers.put(hands.on_screen(110 - apart, 120), hands.on_screen(130 + apart, 120))
    fingers.put(hands.on_screen(110 - apart, 100))
    fingers.put(hands.on_screen(110 - apart, 130))
    fingers.put()
    hands.page.wait_for_timeout(100)  # for the frame that shows it
    assert hands.page.locator("#canvas").screenshot() != before
    assert np.array_equal(hands.filled(), once)
    assert hands.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
