"""The page as a person meets and leaves it, on a desk and on a phone, in Chromium."""

import os
import re
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from serving import Server

from .hands import example, fill, load, put_on, settle, unfold, use

# Once more where one fails: on a machine that does much else, Gradio's editor may lose an event and wait for ever.
pytestmark = [pytest.mark.browser, pytest.mark.flaky(reruns=1)]

Open = Callable[..., Any]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_on_a_phone_nothing_scrolls_sideways_and_a_preset_is_filled(
    open_page: Open, server: Server, photo: Path, tmp_path: Path, scheme: str
) -> None:
    page = open_page(390, 844, color_scheme=scheme)
    asked: set[str | None] = set()
    page.on("request", lambda request: asked.add(urlsplit(request.url).hostname))
    page.reload()
    page.wait_for_selector("#photo")
    example(page, "Glasses")
    unfold(page, "#others")
    other = tmp_path / f"{'a-long-name-' * 6}.png"
    shutil.copy(photo, other)
    page.set_input_files("#add-others input[type=file]", other)
    page.wait_for_selector(".other >> text=a-long-name")
    put_on(page, "eyes")
    use(page, "telea")
    fill(page)
    page.wait_for_selector("#outcome .known")
    page.locator("#view").get_by_label("Where it comes from").check()
    page.wait_for_selector("#legend li")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    unfold(page, "#settings")
    unfold(page, "#engines-box")
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
        page.wait_for_selector("#photo")
        paints.append(page.evaluate(painted))
    assert min(paints) < 3000, paints
    page.wait_for_selector("#state .ready", state="attached")


def test_everything_on_the_way_to_a_fill_is_reached_by_keyboard(open_page: Open) -> None:
    page = open_page()
    page.locator("#example-glasses").focus()
    page.keyboard.press("Enter")
    settle(page)
    assert page.evaluate("document.activeElement.innerText").endswith("What to remove"), "on the step that has come"
    page.locator("#shapes > button").focus()
    page.keyboard.press("Enter")
    page.locator("#preset input").focus()
    page.keyboard.press("Control+A")
    page.keyboard.type("eyes")
    page.keyboard.press("Enter")
    page.wait_for_selector("#share span")
    page.wait_for_timeout(1500)
    page.locator("#steps [aria-current]").focus()
    reached = set()
    for _ in range(60):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("document.activeElement.id || document.activeElement.closest('[id]')?.id"))
        if "fill" in reached:
            break
    assert {"find-damage", "turn", "fill"} <= reached
    page.keyboard.press("Enter")
    page.wait_for_selector("#outcome .known")
    page.wait_for_function("document.activeElement.innerText.endsWith('Result')")


def test_a_photo_that_cannot_be_read_is_a_message_and_the_page_goes_on(
    open_page: Open, photo: Path, tmp_path: Path
) -> None:
    page = open_page()
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"\x89PNG\r\n\x1a\n this is no picture")
    page.set_input_files("#photo input[type=file]", broken)
    page.wait_for_selector("#refused [role=alert]")
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
