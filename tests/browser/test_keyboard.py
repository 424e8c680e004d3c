"""What Gradio's parts and the editor lack by keyboard is there: groups, toolbars, the focus that stays, in Chromium."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from .hands import choose_file, example, fill, press, press_in, put_mouse_away, reach, unfold

pytestmark = [pytest.mark.browser, pytest.mark.flaky(reruns=1)]

FOCUS = "document.activeElement.id || document.activeElement.ariaLabel || document.activeElement.innerText"


@pytest.fixture
def page(open_page: Callable[..., Any]) -> Any:
    page = open_page()
    put_mouse_away(page)
    return page


def keys(page: Any, *pressed: str) -> str:
    """Press keys; what has the focus then."""
    for key in pressed:
        page.keyboard.press(key)
    return str(page.evaluate(FOCUS))


def test_the_face_of_a_group_is_chosen(page: Any) -> None:
    from faceinp.demo.images import examples

    example(page, examples.GROUP)
    page.wait_for_selector("text=2 faces were found")
    # The editor's buttons are two stops on the way to Fill, and arrow keys go round in each.
    zoom = keys(page, "Tab")
    assert keys(page, "ArrowLeft") != keys(page, "ArrowRight") == zoom
    assert keys(page, "Tab", "ArrowDown", "ArrowDown") == "Brush Size"
    assert keys(page, "Shift+Tab") == zoom, "where it was left"
    assert keys(page, *("Tab",) * 6) == "fill"
    # The choice is one stop. Arrow keys that go past an answer do not wait for it, and the last one counts.
    face = page.get_by_role("radiogroup", name="Which face?")
    press(face.get_by_label("five points that I click"))
    page.wait_for_selector("#click-hint >> text=point 1 of 5")
    press_in(page, "#faces", 0.3, 0.3)
    page.wait_for_selector("#click-hint >> text=point 2 of 5")
    # What is pressed goes away: the focus stays beside it.
    press(page.locator("#unclick"))
    page.wait_for_selector("#click-hint >> text=point 1 of 5")
    page.wait_for_function("document.activeElement.closest('#faces-box')")
    press(face.get_by_label("every face I paint over"))
    press_in(page, "#faces", 0.79, 0.53)
    page.wait_for_selector("#face input[value='2']:checked")


def test_the_focus_stays_while_the_server_works(page: Any, tmp_path: Path) -> None:
    from faceinp.demo.images import examples

    other = tmp_path / "other.png"
    Image.fromarray(examples.make(examples.HIDDEN_EYE)[:, ::-1]).save(other)
    example(page, examples.HIDDEN_EYE)
    page.wait_for_selector("text=One face was found")
    press(page.locator("#turn"))
    page.wait_for_timeout(2500)  # for the editor, which says nothing
    assert page.evaluate(FOCUS) == "turn", "to be pressed again"
    unfold(page, "#others")
    choose_file(page, "#add-others", other)
    page.wait_for_selector(".other:visible")
    reach(page.get_by_role("radiogroup", name="other.png").get_by_label("use to fill"))
    press(page.get_by_role("button", name="Remove"))
    page.wait_for_selector(".other", state="hidden")
    page.wait_for_function("document.activeElement.closest('#others')")
    fill(page)
    page.wait_for_selector("#outcome .known")
    page.wait_for_function("document.activeElement.innerText.endsWith('Result')")
    line = page.get_by_role("slider", name="How much is shown")
    reach(line)
    before = line.get_attribute("style")
    keys(page, "ArrowRight")
    assert line.get_attribute("style") != before and line.get_attribute("aria-valuenow") == "55"
    unfold(page, "#part")
    page.wait_for_selector("#part-source:visible")
    press(page.locator("#fill-part"))
    page.wait_for_selector(":is(#part-done, #part-message) >> text=The part")
    page.wait_for_function("document.activeElement.id === 'fill-part'")
    assert "Engines and settings" in keys(page, "Tab", "Tab", "Tab"), "as it is seen: before Fill again"
