"""The page as a person uses it, in Chromium."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pytest
import skimage.data
from PIL import Image

pytestmark = pytest.mark.browser

FACE = (222, 112)  # x, y of the astronaut's nose, in pixels


@pytest.fixture(scope="module")
def photo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("photo") / "astronaut.png"
    Image.fromarray(skimage.data.astronaut()).save(file)
    return file


def load(page: Any, file: Path) -> None:
    page.set_input_files("#photo input[type=file]", file)
    page.wait_for_selector("#fill:not([disabled])")
    page.wait_for_selector("#editor canvas")
    seen, settled = -1, False
    while not settled:  # the editor moves the photo into place, and says nothing when it has
        page.wait_for_timeout(1500)
        settled, seen = seen == zoom(page) != 100, zoom(page)


def zoom(page: Any) -> int:
    """Percent, as the editor writes it: below 100 once a photo of 512 pixels has been fitted in."""
    shown = re.search(r"(\d+)%", page.locator("#editor").inner_text())
    return int(shown[1]) if shown else 100


def paint(page: Any, size: int, x: int, y: int, length: int) -> None:
    """One stroke with the mouse from (x, y) of a square photo to the right, in the photo's pixels."""
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
    page.wait_for_timeout(1000)


def fill(page: Any) -> None:
    page.click("#fill")
    page.wait_for_selector("#fill[disabled]")
    page.wait_for_selector("#fill:not([disabled])")


def test_a_face_is_filled_where_it_was_painted_and_nowhere_else(
    open_page: Callable[..., Any], photo: Path, tmp_path: Path
) -> None:
    page = open_page(1440, 900)
    assert page.locator("#fill").is_disabled()
    assert "Load a photo" in page.locator("#message").inner_text()
    load(page, photo)
    page.get_by_label("telea", exact=True).check()
    fill(page)
    assert "Paint over" in page.locator("#message").inner_text()

    paint(page, 512, FACE[0] - 15, FACE[1], 30)
    fill(page)
    page.wait_for_selector("#facts .known")
    assert re.match(r"0 of [\d,]+ known pixels changed", page.locator("#facts .known").inner_text())
    with page.expect_download() as download:
        page.click("#download")
    assert download.value.suggested_filename == "astronaut-filled.png"
    download.value.save_as(tmp_path / "filled.png")

    before = skimage.data.astronaut().astype(int)
    filled = Image.open(tmp_path / "filled.png")
    assert filled.format == "PNG" and filled.size == (512, 512)
    changed = (np.asarray(filled.convert("RGB")) != before).any(axis=2)
    middle = changed[FACE[1] - 4 : FACE[1] + 5, FACE[0] - 15 : FACE[0] + 16]
    assert middle.mean() > 0.9
    away = np.ones_like(changed)
    away[FACE[1] - 45 : FACE[1] + 46, FACE[0] - 60 : FACE[0] + 61] = False
    assert not changed[away].any()
    known = int(re.sub(r"\D", "", page.locator("#facts .known").inner_text().split("of")[1]))
    assert changed.sum() <= 512 * 512 - known


def test_on_a_phone_nothing_scrolls_sideways_and_fill_is_in_reach(open_page: Callable[..., Any], photo: Path) -> None:
    page = open_page(390, 844)
    asked: set[str | None] = set()
    page.on("request", lambda request: asked.add(urlsplit(request.url).hostname))
    page.reload()
    page.wait_for_selector("#fill")
    load(page, photo)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    # Gradio cuts off what is too wide, so that no scroll bar tells of it.
    edges = "[...document.querySelectorAll('#board > *, main button')].map(e => e.getBoundingClientRect().right)"
    assert max(page.evaluate(edges)) <= 390
    button = page.locator("#fill")
    button.scroll_into_view_if_needed()
    box = button.bounding_box()
    assert box["x"] >= 0 and box["x"] + box["width"] <= 390 and box["height"] >= 40
    assert button.is_enabled()
    assert asked - {None} == {"127.0.0.1"}, "the page asked somebody else for something"


def test_a_file_that_is_no_photo_is_a_message_and_the_page_goes_on(
    open_page: Callable[..., Any], photo: Path, tmp_path: Path
) -> None:
    page = open_page(1440, 900)
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"this is no picture")
    page.set_input_files("#photo input[type=file]", broken)
    page.wait_for_selector("#message [role=alert]")
    assert page.locator("#fill").is_disabled()
    page.locator("#photo button[aria-label=Clear], #photo button[title=Clear]").first.click()
    load(page, photo)
