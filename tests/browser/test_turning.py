"""A photo that is turned by quick clicks, in Chromium."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skimage.data

from .hands import changed, fill, load, paint, saved, use

pytestmark = [pytest.mark.browser, pytest.mark.flaky(reruns=1)]


@pytest.mark.parametrize("pause", [0, 5000])
def test_two_clicks_turn_photo_and_strokes_by_two_quarters(
    pause: int, open_page: Callable[..., Any], photo: Path
) -> None:
    page = open_page()
    load(page, photo)
    paint(page, 512, 60, 150, 60)
    if pause:
        page.locator("#turn").click()
        page.wait_for_timeout(pause)
        page.locator("#turn").click()
    else:
        page.locator("#turn").dblclick()
    page.wait_for_selector("#message >> text=No face was found")  # on the photo upside down: both turns are over
    page.wait_for_timeout(3000)  # for the editor, which says nothing
    use(page, "telea")
    fill(page)
    upside_down = np.rot90(skimage.data.astronaut(), 2)
    hole = changed(saved(page), upside_down)
    rows, columns = np.nonzero(hole)
    assert hole.any() and rows.min() > 300 and columns.min() > 350, "known pixels are turned, and so is the stroke"
