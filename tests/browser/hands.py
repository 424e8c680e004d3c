"""What a person does on the page, and sees there."""

import io
import re
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

MOST_TABS = 13  # from one thing to the next; to Fill it is 7
HALF = 8  # pixels of a photo: half the height of a stroke, where it is painted as a rectangle
SHARE = "(document.querySelector('#share span')?.innerText || '')"


def touched(page: Any) -> bool:
    """Whether the page is used by fingers."""
    return bool(page.evaluate("matchMedia('(pointer: coarse)').matches"))


# From what has the focus to ``part``: a key that leads there, null if it is there.
WAY = """part => {
  const now = document.activeElement, group = one => one.type === 'radio' && one.name;
  if (now === part) return null;
  if (group(now) && group(now) === group(part)) return 'ArrowDown';
  return now.compareDocumentPosition(part) & Node.DOCUMENT_POSITION_PRECEDING ? 'Shift+Tab' : 'Tab';
}"""
RING = """part => [part, part.closest('label')].some(
  one => one && getComputedStyle(one).outlineStyle === 'solid' && one.getBoundingClientRect().width > 2)"""


def put_mouse_away(page: Any) -> None:
    """From now on the page is used by keyboard alone."""
    page.evaluate("""() => {
      window.byKeyboard = true;
      addEventListener('pointerdown', event => { window.byKeyboard &&= !event.isTrusted; }, true);
    }""")
    page.keyboard.press("Tab")


def by_keyboard(page: Any) -> bool:
    """Whether the page is used by keyboard alone, and was so far."""
    return bool(page.evaluate("window.byKeyboard"))


def reach(part: Any) -> None:
    """Go to a part by Tab, and by arrow keys among radio buttons. What has the focus is never lost, and seen."""
    page = part.page
    page.wait_for_function("document.activeElement !== document.body", timeout=60_000)
    tabs = 0
    while key := part.evaluate(WAY):
        page.keyboard.press(key)
        tabs += key.endswith("Tab")
        assert tabs <= MOST_TABS, f"{part} is not reached"
    assert part.evaluate(RING), f"it is not seen that {part} has the focus"


def cross_to(page: Any, x: float, y: float) -> None:
    """Move the cross to a place of the screen, as near as whole pixels are, and press Enter."""
    box = page.locator("#cross").bounding_box()
    across, down = x - box["x"] - box["width"] / 2, y - box["y"] - box["height"] / 2
    for way, (back, on) in ((across, ("Left", "Right")), (down, ("Up", "Down"))):
        key = f"Arrow{back if way < 0 else on}"
        tens, ones = divmod(round(abs(way)), 10)
        for press_key in (*(key,) * tens, *(f"Shift+{key}",) * ones):
            page.keyboard.press(press_key)
    page.keyboard.press("Enter")


def press(part: Any) -> None:
    """Click, tap where the page is touched, or reach it and press Enter. part: a locator."""
    if touched(part.page):
        part.tap()
    elif not by_keyboard(part.page):
        part.click()
    else:
        reach(part)
        if not part.evaluate("part => part.checked"):  # a radio button is chosen by the arrow key that reaches it
            part.page.keyboard.press("Enter")


def press_in(page: Any, box: str, across: float, down: float) -> None:
    """Click in the picture of a box, at a share of its width and of its height."""
    picture = page.locator(f"{box} img")
    if by_keyboard(page):
        reach(page.locator(f"{box} [role=application]"))
    else:
        picture.scroll_into_view_if_needed()
    place = picture.bounding_box()
    x, y = place["x"] + across * place["width"], place["y"] + down * place["height"]
    if touched(page):
        page.touchscreen.tap(x, y)
    elif by_keyboard(page):
        cross_to(page, x, y)
    else:
        page.mouse.click(x, y)


class Fingers:
    """Fingers on the screen: ``put`` says where they are now; those that are left out are lifted."""

    def __init__(self, page: Any) -> None:
        self.session = page.context.new_cdp_session(page)
        self.down = 0

    def put(self, *points: tuple[float, float]) -> None:
        kind = "touchStart" if len(points) > self.down else "touchMove" if points else "touchEnd"
        touches = [{"x": x, "y": y, "id": number} for number, (x, y) in enumerate(points)]
        self.session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": touches})
        self.down = len(points)


def choose_file(page: Any, box: str, file: Path) -> None:
    """Give a file to a box that takes files: by keyboard through the dialog that its button opens."""
    if by_keyboard(page):
        page.once("filechooser", lambda chooser: chooser.set_files(file))
        press(page.locator(f"{box} button:has(input[type=file])"))
    else:
        page.set_input_files(f"{box} input[type=file]", file)


def load(page: Any, file: Path) -> None:
    choose_file(page, "#photo", file)
    settle(page)


def example(page: Any, name: str) -> None:
    press(page.get_by_role("button", name=name, exact=True))
    settle(page)


def settle(page: Any) -> None:
    """Wait until the editor has moved the photo into place; it says nothing when it has."""
    page.wait_for_selector("#fill:not([disabled])")
    page.wait_for_selector("#editor canvas")
    seen = -1
    while seen != zoom(page) or seen == 100:
        seen = zoom(page)
        page.wait_for_timeout(1500)


def zoom(page: Any) -> int:
    """Percent, as the editor writes it: other than 100 once a photo of 512 or 256 pixels has been fitted in."""
    shown = re.search(r"(\d+)%", page.locator("#editor").inner_text())
    return int(shown[1]) if shown else 100


def on_screen(page: Any, size: int | tuple[int, int], x: float, y: float) -> tuple[float, float]:
    """Where a pixel of a photo is on the screen, while the photo is in the middle of the editor.

    size: the photo's width and height, or its side.
    """
    width, height = size if isinstance(size, tuple) else (size, size)
    page.locator("#editor").scroll_into_view_if_needed()
    box = page.locator("#editor .pixi-target").bounding_box()
    scale = zoom(page) / 100
    left, top = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    return left + (x - width / 2) * scale, top + (y - height / 2) * scale


def drag(page: Any, start: tuple[float, float], end: tuple[float, float]) -> None:
    """From one place of the screen to another, with the mouse or with a finger."""
    (left, top), (right, bottom) = start, end
    way = [(left + (right - left) * step / 10, top + (bottom - top) * step / 10) for step in range(11)]
    if touched(page):
        fingers = Fingers(page)
        for point in way:
            fingers.put(point)
        fingers.put()
        return
    page.mouse.move(left, top)
    page.wait_for_timeout(1000)  # an idle editor measures a stroke's first point by its last frame: let it draw one
    page.mouse.move(left, top + 1)
    page.mouse.down()
    for point in way:
        page.mouse.move(*point)
    page.mouse.up()


def paint(page: Any, size: int | tuple[int, int], x: int, y: int, length: int) -> None:
    """One stroke from (x, y) of a photo to the right, in the photo's pixels; size: as ``on_screen`` takes it."""
    before = page.evaluate(SHARE)
    if by_keyboard(page):
        press(page.locator("#rectangle"))
        cross_to(page, *on_screen(page, size, x, y - HALF))
        cross_to(page, *on_screen(page, size, x + length, y + HALF))
    else:
        drag(page, on_screen(page, size, x, y), on_screen(page, size, x + length, y))
    page.wait_for_function(f"{SHARE} != {before!r}")


def unfold(page: Any, box: str) -> None:
    """Open one of the parts that are closed at first."""
    if not page.locator(f"{box} > [data-testid=accordion-content]").is_visible():
        press(page.locator(f"{box} > button"))
        page.wait_for_selector(f"{box} > [data-testid=accordion-content]")


def put_on(page: Any, preset: str) -> None:
    unfold(page, "#shapes")
    page.locator("#preset input").click()
    page.get_by_role("option", name=re.compile(rf"^{preset}:")).click()
    page.wait_for_selector("#share span")
    page.wait_for_timeout(1500)  # for the editor, which says nothing


def use(page: Any, engine: str) -> None:
    unfold(page, "#settings")
    page.locator("#engine").get_by_label(engine, exact=True).check()


def set_to(page: Any, slider: str, number: float) -> None:
    page.locator(f"{slider} input[type=number]").fill(str(number))
    page.locator(f"{slider} input[type=number]").press("Enter")


def fill(page: Any, button: str = "#fill") -> None:
    """Press Fill and wait until there is nothing more to cancel."""
    press(page.locator(button))
    page.wait_for_selector("#cancel:not([disabled])")
    page.wait_for_selector("#cancel[disabled]", state="attached")
    page.wait_for_selector("#fill:not([disabled])")


def facts(page: Any) -> str:
    """What is written under Details."""
    unfold(page, "#details")
    page.locator("#facts details").evaluate("part => (part.open = true)")
    return str(page.locator("#facts").inner_text())


def message(page: Any) -> str:
    return str(page.locator("#message").inner_text())


def saved(page: Any, button: str = "#download") -> Image.Image:
    with page.expect_download() as download:
        press(page.locator(button))
    return Image.open(io.BytesIO(Path(download.value.path()).read_bytes()))


def changed(picture: Image.Image, before: np.ndarray) -> np.ndarray:
    return (np.asarray(picture.convert("RGB")) != before).any(axis=2)


def hidden(page: Any) -> float:
    """Per cent of the photo that is painted over."""
    return float(page.evaluate(SHARE).partition("%")[0] or 0)
