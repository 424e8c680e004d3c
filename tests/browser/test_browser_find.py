"""Damage is found, shown as paint, corrected and filled, in Chromium.

The page is what is tested: a finder that knows the drawn scratches takes the network's place.
"""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import known_damage
import numpy as np
import pytest
import skimage.data
from PIL import Image
from serving import ROOT, Server, serving

from .hands import changed, fill, hidden, load, paint, saved, set_to, unfold, use

pytestmark = [pytest.mark.browser, pytest.mark.flaky(reruns=1)]

Open = Callable[..., Any]
PORTRAIT, SCRATCHES, SCRATCHED = skimage.data.astronaut(), known_damage.scratches(), known_damage.scratched()
FAR = cv2.dilate(SCRATCHES.any(axis=0).astype(np.uint8), np.ones((13, 13))) == 0


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The page with a finder that knows the scratches."""
    pytest.importorskip("gradio", reason="the extra 'demo' is not installed")
    command = [sys.executable, str(ROOT / "tests" / "known_damage.py")]
    environment = {"FACEINP_WEIGHTS": str(ROOT / "weights"), "PYTHONPATH": str(ROOT)}
    with serving(tmp_path_factory.mktemp("finding"), command=command, **environment) as served:
        yield served


@pytest.fixture(scope="module")
def damaged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("damaged") / "scratched.png"
    Image.fromarray(SCRATCHED).save(file)
    return file


def find(page: Any) -> None:
    """Press the button, and wait until what was found is painted."""
    page.click("#find-damage")
    page.wait_for_selector("#found >> text=Found on")
    page.wait_for_selector("#find-damage:not([disabled])")
    page.wait_for_timeout(1500)  # for the editor, which says nothing


def off(picture: np.ndarray, where: np.ndarray) -> float:
    """Mean difference from the unscratched portrait, in grey levels."""
    return float(np.abs(picture.astype(int) - PORTRAIT)[where].mean())


@pytest.mark.parametrize(("width", "height"), [(1440, 900), (390, 844)], ids=["desk", "phone"])
def test_twelve_scratches_are_gone_after_three_clicks(open_page: Open, damaged: Path, width: int, height: int) -> None:
    page = open_page(width, height)
    load(page, damaged)  # one
    find(page)  # two
    assert "scratches" in page.locator("#found").inner_text() and hidden(page) > 0
    assert page.locator("#compare img").count() == 0, "nothing is filled before Fill"
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    buttons = "[...document.querySelectorAll('#find button')]"
    edges = f"{buttons}.map(e => [e.getBoundingClientRect().right, e.scrollWidth - e.clientWidth])"
    assert all(right <= width and cut <= 0 for right, cut in page.evaluate(edges)), "no button is cut off"
    fill(page)  # three
    page.wait_for_selector("#outcome .known")
    filled = saved(page)
    pixels = np.asarray(filled.convert("RGB"))
    for number, scratch in enumerate(SCRATCHES, 1):
        assert off(pixels, scratch) < 0.6 * off(SCRATCHED, scratch), f"scratch {number} is still there"
    assert off(pixels, SCRATCHES.any(axis=0)) < 0.3 * off(SCRATCHED, SCRATCHES.any(axis=0))
    elsewhere = changed(filled, SCRATCHED)[FAR].mean()
    assert elsewhere == 0


def test_what_is_erased_from_a_proposal_is_not_filled_and_what_is_painted_is(open_page: Open, damaged: Path) -> None:
    page = open_page()
    load(page, damaged)
    find(page)
    whole = hidden(page)
    rows, columns = np.nonzero(SCRATCHES[5])
    middle = int(columns.mean()), int(rows.mean())
    page.locator("#editor [aria-label='Erase']").click()
    page.wait_for_timeout(500)
    paint(page, 512, middle[0] - 30, middle[1], 60)
    assert hidden(page) < whole
    page.locator("#editor [aria-label='Brush']").click()
    page.wait_for_timeout(500)
    paint(page, 512, 200, 340, 20)
    both = hidden(page)
    set_to(page, "#sensitivity", 0.8)
    page.wait_for_function(f"parseFloat(document.querySelector('#share span').innerText) >= {both}")
    page.wait_for_timeout(3000)  # for the slider's answer, and the editor, which says nothing
    more = hidden(page)
    assert more >= both
    use(page, "telea")
    fill(page)
    page.wait_for_selector("#outcome .known")
    where = changed(saved(page), SCRATCHED)
    erased = SCRATCHES[5] & (np.hypot(*(np.indices((512, 512)) - np.array(middle)[::-1, None, None])) < 6)
    assert erased.any() and not where[erased].any(), "what was erased stays erased when more is found"
    assert where[338:343, 202:218].mean() > 0.8, "the visitor's own stroke is kept"
    assert where[SCRATCHES[0]].mean() > 0.8
    assert where[known_damage.doubtful()].mean() > 0.5


def test_a_preset_puts_a_proposal_away_with_its_controls(open_page: Open, damaged: Path) -> None:
    page = open_page()
    load(page, damaged)
    assert not page.locator("#sensitivity").is_visible()
    find(page)
    assert page.locator("#sensitivity").is_visible() and page.locator("#stamps").is_visible()
    unfold(page, "#shapes")
    page.click("#invert")
    page.wait_for_selector("#sensitivity", state="hidden")
    assert hidden(page) > 50 and not page.locator("#found .message").count()
