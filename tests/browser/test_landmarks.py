"""Landmarks are moved on the face's picture, in Chromium: by mouse, finger, keys and sliders."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skimage.data

import faceinp

from .hands import fill, load, message, put_on, saved, unfold

pytestmark = [pytest.mark.browser, pytest.mark.flaky(reruns=1)]

Open = Callable[..., Any]
CORNER, CHIN, LEFT_EYE = 48, 8, 36
PORTRAIT = skimage.data.astronaut()


def filled(page: Any, photo: Path) -> Any:
    """The page with a lower face that was filled, and its landmarks."""
    load(page, photo)
    put_on(page, "lower-face")
    fill(page)
    unfold(page, "#settings")
    unfold(page, "#landmarks-box")
    page.wait_for_selector("#landmarks [data-point]")
    page.locator("#landmarks svg").evaluate("svg => svg.scrollIntoView({block: 'center'})")
    page.wait_for_timeout(500)
    return page


def point(page: Any, number: int) -> np.ndarray:
    """Where a landmark is in the window, x and y."""
    box = page.locator(f"#landmarks [data-point='{number}'] circle").last.bounding_box()
    return np.array([box["x"] + box["width"] / 2, box["y"] + box["height"] / 2])


def test_landmarks_are_moved_by_mouse_keys_and_sliders_and_the_face_follows(open_page: Open, photo: Path) -> None:
    page = filled(open_page(), photo)
    first = np.asarray(saved(page).convert("RGB"))
    assert not page.locator(f"#landmarks [data-point='{LEFT_EYE}']").count(), "it lies outside of the hole"
    assert page.locator("#landmarks label:visible").all_inner_texts() == ["Mouth open", "Smile", "Head turned"]

    corner, chin = point(page, CORNER), point(page, CHIN)
    page.mouse.move(*corner)
    assert page.locator("#landmarks .name").inner_text() == "Left corner of the mouth"
    page.mouse.down()
    page.mouse.move(*np.add(corner, (-9, -7)), steps=4)
    page.mouse.up()
    assert np.allclose(point(page, CORNER), np.add(corner, (-9, -7)), atol=1.5)
    assert np.allclose(point(page, CHIN), chin, atol=0.5)
    assert "left" in page.locator("#landmarks .name").inner_text()

    handle = page.locator(f"#landmarks [data-point='{CORNER}']")
    assert handle.evaluate("handle => handle === document.activeElement")
    before = point(page, CORNER)
    page.keyboard.press("Shift+ArrowLeft")
    page.keyboard.press("ArrowUp")
    scale = page.locator("#landmarks svg").bounding_box()["width"] / 360
    assert np.allclose(point(page, CORNER), np.add(before, (-10 * scale, -scale)), atol=0.5)
    page.keyboard.press("PageDown")
    assert page.evaluate("document.activeElement.getAttribute('aria-label')").startswith("Upper lip")
    page.keyboard.press("Shift+Tab")
    assert page.evaluate("document.activeElement.getAttribute('aria-label')").startswith("Nostrils"), "a feature back"

    mouth = page.locator("#landmarks").get_by_label("Mouth open")
    mouth.fill("0.8")
    assert point(page, CHIN)[1] > chin[1] + 2
    assert point(page, CORNER)[0] < corner[0] - 8, "what was dragged adds up"

    fill(page, "#again")
    assert not message(page).strip()
    second = np.asarray(saved(page).convert("RGB"))
    hole = faceinp.make_preset("lower-face", faceinp.read_photo(photo)).hole
    assert (second != first).any(axis=2)[hole].mean() > 0.5
    assert (second == PORTRAIT)[~hole].all(), "and nothing outside of the hole"
    assert mouth.input_value() == "0.8", "it goes on from what was moved"

    page.click("#reset")
    page.wait_for_function("document.querySelector('#landmarks input').value === '0'")
    page.locator("#landmarks svg").evaluate("svg => svg.scrollIntoView({block: 'center'})")
    middle = point(page, CHIN)[0] - point(page, CORNER)[0]
    assert middle == pytest.approx(chin[0] - corner[0], abs=1)

    page.click("#another")
    page.wait_for_selector("#load", state="visible")
    assert not page.locator("#landmarks [data-point]").count()
    assert not page.locator("#landmarks image[href]").count(), "nothing of the face stays"


def test_a_finger_drags_a_landmark_and_scrolls_the_page_elsewhere(open_page: Open, photo: Path) -> None:
    page = filled(open_page(390, 844, has_touch=True, is_mobile=True), photo)
    fingers = page.context.new_cdp_session(page)

    def drag(start: np.ndarray, by: tuple[int, int]) -> float:
        """Returns by how many pixels the page has scrolled."""
        before = page.evaluate("scrollY")
        for step in range(6):
            x, y = start + np.array(by) * step / 5
            event = "touchMove" if step else "touchStart"
            fingers.send("Input.dispatchTouchEvent", {"type": event, "touchPoints": [{"x": x, "y": y}]})
            page.wait_for_timeout(60)
        fingers.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
        page.wait_for_timeout(400)
        return float(page.evaluate("scrollY") - before)

    corner = point(page, CORNER)
    assert drag(corner, (-8, -40)) == 0
    assert np.allclose(point(page, CORNER), np.add(corner, (-8, -40)), atol=2)
    forehead = page.locator("#landmarks svg").bounding_box()
    away = np.array([forehead["x"] + forehead["width"] / 2, forehead["y"] + 12])
    assert drag(away, (0, -80)) > 20
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
