"""Five ways from a photo to the download, each in at most four actions, at three sizes of the window: by mouse and by
keyboard alone on a desk, by finger on a phone.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skimage.data
from PIL import Image

from .hands import (
    by_keyboard,
    changed,
    choose_file,
    example,
    fill,
    hidden,
    load,
    message,
    paint,
    press,
    press_in,
    put_mouse_away,
    saved,
    touched,
    unfold,
)

pytestmark = [pytest.mark.browser, pytest.mark.flaky(reruns=1)]

Open = Callable[..., Any]
DESK, SMALL_DESK, PHONE = (1440, 900), (1024, 768), (390, 844)
USES = {
    "desk": (DESK, "mouse"),
    "small desk": (SMALL_DESK, "mouse"),
    "phone": (PHONE, "fingers"),
    "desk, keyboard": (DESK, "keyboard"),
    "small desk, keyboard": (SMALL_DESK, "keyboard"),
}
PORTRAIT = skimage.data.astronaut()


@pytest.fixture(params=USES)
def page(request: pytest.FixtureRequest, open_page: Open) -> Iterator[Any]:
    """The page in a window of each size, used in one way alone."""
    (width, height), use = USES[request.param]
    page = open_page(width, height, has_touch=use == "fingers", is_mobile=use == "fingers")
    assert touched(page) == (use == "fingers")
    if use == "keyboard":
        put_mouse_away(page)
    yield page
    assert by_keyboard(page) == (use == "keyboard")


def in_view(page: Any, element: str) -> bool:
    """Whether all of an element can be seen without scrolling."""
    box, size = page.locator(element).bounding_box(), page.viewport_size
    return bool(box and box["y"] >= -1 and box["y"] + box["height"] <= size["height"] + 1)


def downloaded(page: Any) -> Image.Image:
    """Fill and download, the last two of at most four actions; the result is in view meanwhile."""
    fill(page)
    page.wait_for_selector("#outcome .known:not(.broken)")
    page.wait_for_function("document.querySelector('#compare img')?.complete")
    page.wait_for_timeout(500)
    assert in_view(page, "#download") and in_view(page, "#outcome")
    compare, size = page.locator("#compare").bounding_box(), page.viewport_size
    assert compare["y"] >= -60 and compare["y"] + compare["height"] / 2 < size["height"], "the picture is in view, too"
    assert page.evaluate("document.documentElement.scrollWidth") <= size["width"]
    return saved(page)


def test_a_scratched_photo(page: Any) -> None:
    from faceinp.demo.images import examples

    example(page, examples.SCRATCHED)
    where = changed(downloaded(page), examples.make(examples.SCRATCHED))
    hole = examples.hole(examples.SCRATCHED)
    assert hole is not None and where[hole].mean() > 0.8 and not where[~hole].any()


def test_glasses_with_another_photo_of_the_person(page: Any, tmp_path: Path) -> None:
    from faceinp.demo.images import examples

    other = tmp_path / "without glasses.png"
    Image.fromarray(PORTRAIT[:, ::-1]).save(other)
    example(page, examples.GLASSES)
    press(page.locator("#find-occluders"))
    page.wait_for_selector("#found >> text=glasses")
    page.wait_for_selector("#find-damage:not([disabled])")
    page.wait_for_timeout(1500)  # for the editor, which says nothing
    unfold(page, "#others")
    choose_file(page, "#add-others", other)
    page.wait_for_selector(".other:visible")
    glasses = examples.make(examples.GLASSES)
    where = changed(downloaded(page), glasses)
    drawn = (glasses != PORTRAIT).any(axis=2)
    assert where[drawn].mean() > 0.7 and where.mean() < 0.03


def test_the_second_person_of_a_group(page: Any) -> None:
    from faceinp.demo.images import examples

    example(page, examples.GROUP)
    page.wait_for_selector("text=2 faces were found")
    paint(page, (580, 320), 440, 160, 30)
    where = changed(downloaded(page), examples.make(examples.GROUP))
    assert where[:, 340:].any() and not where[:, :340].any()


def test_a_scan_that_lies_on_its_side(page: Any, tmp_path: Path) -> None:
    file = tmp_path / "scan.png"
    Image.fromarray(np.rot90(PORTRAIT)).save(file)
    load(page, file)
    press(page.locator("#turn"))
    page.wait_for_function("document.querySelector('#message .message')?.innerText.startsWith('One face was found')")
    page.wait_for_timeout(2500)  # for the editor, which says nothing
    paint(page, (512, 512), 205, 104, 30)
    where = changed(downloaded(page), PORTRAIT)
    assert where[100:108, 205:235].mean() > 0.8 and where.mean() < 0.05, "it comes out upright"


def test_a_face_that_is_not_found_is_marked_by_a_box(page: Any, tmp_path: Path) -> None:
    file = tmp_path / "drawing.png"
    drawing = np.full((400, 400, 3), 225, np.uint8)
    drawing[100:300, 120:280] = (205, 170, 140)
    for x in (165, 235):
        drawing[160:172, x - 12 : x + 12] = (40, 30, 30)
    Image.fromarray(drawing).save(file)
    load(page, file)
    page.wait_for_selector("text=No face was found")
    # The same place twice is no box.
    for across, down, said in (
        *((0.3, 0.25, "opposite corner"),) * 2,
        (0.7, 0.75, "The face is marked"),
    ):
        press_in(page, "#faces", across, down)
        page.wait_for_selector(f"#click-hint >> text={said}")
    paint(page, (400, 400), 150, 166, 30)
    where = changed(downloaded(page), drawing)
    assert where[162:170, 155:175].any() and where.mean() < 0.1
    assert "surroundings" not in page.locator("#outcome").inner_text(), "it is filled as a face"


def test_one_goes_on_from_a_result(open_page: Open) -> None:
    from faceinp.demo.images import examples

    page = open_page()
    example(page, examples.HIDDEN_EYE)
    fill(page)
    page.wait_for_selector("#outcome .known")
    page.click("#go-on")
    page.wait_for_selector("text=The result is your photo now")
    page.wait_for_timeout(2500)  # for the editor, which says nothing
    assert not hidden(page), "nothing is painted on it yet"
    paint(page, (512, 512), 215, 140, 20)
    fill(page)
    page.wait_for_selector("#outcome .known:not(.broken)")
    before, where = examples.make(examples.HIDDEN_EYE), changed(saved(page), examples.make(examples.HIDDEN_EYE))
    hole = examples.hole(examples.HIDDEN_EYE)
    assert hole is not None and where[hole].mean() > 0.8 and where[136:145, 218:232].mean() > 0.5
    assert f"{int((~where).sum()):,}"[:3] in page.locator("#outcome").inner_text() and before.shape == (512, 512, 3)


def test_nothing_of_an_earlier_photo_appears(open_page: Open) -> None:
    from faceinp.demo.images import examples

    page = open_page()
    example(page, examples.SCRATCHED)
    page.click("#fill")
    page.wait_for_selector("#cancel:not([disabled])")
    page.click("#another")
    page.wait_for_selector("#load", state="visible")
    page.wait_for_timeout(6000)
    assert page.locator("#load").is_visible() and not page.locator("#download").is_visible()
    assert page.locator("#outcome").inner_text().strip() == "" and message(page).strip() == ""
    example(page, examples.GROUP)
    assert not page.locator("#known").is_visible() and not hidden(page)
