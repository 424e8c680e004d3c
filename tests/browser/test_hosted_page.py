"""The page as it is served to others, in Chromium: it may load nothing from elsewhere, and needs nothing."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skimage.data
from serving import ROOT, Server, serving

from .hands import changed, example, fill, hidden, load, paint, put_on, saved, use

pytestmark = [pytest.mark.browser, pytest.mark.flaky(reruns=1)]

Open = Callable[..., Any]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with the limits that it has by itself."""
    folder = tmp_path_factory.mktemp("limited")
    with serving(folder, FACEINP_WEIGHTS=str(ROOT / "weights"), FACEINP_FILLS_PER_MINUTE="30") as served:
        yield served


@pytest.fixture(scope="module")
def strict_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that lets nobody order more than one fill in a minute."""
    folder = tmp_path_factory.mktemp("strict")
    with serving(folder, FACEINP_WEIGHTS=str(ROOT / "weights"), FACEINP_FILLS_PER_MINUTE="1") as served:
        yield served


def test_the_page_loads_is_painted_and_fills_under_its_policy_and_meets_no_limit(open_page: Open, photo: Path) -> None:
    page = open_page()
    said: list[str] = []
    refused: list[str] = []
    page.on("console", lambda line: said.append(line.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("response", lambda answer: refused.append(answer.url) if answer.status >= 400 else None)
    page.reload()
    page.wait_for_selector("#photo")
    load(page, photo)
    for row in (150, 180, 210):
        paint(page, 512, 200, row, 100)
    assert hidden(page) > 0
    use(page, "telea")
    fill(page)
    page.wait_for_selector("#outcome .known")
    touched = changed(saved(page), skimage.data.astronaut())
    assert touched[140:220, 190:310].any() and not np.delete(touched, np.s_[120:260], axis=0).any()
    assert not [line for line in said if "Content Security Policy" in line or "unsafe-eval" in line], said
    assert not refused


def test_who_fills_too_often_reads_when_to_try_again(browser: Any, strict_server: Server) -> None:
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    context.set_default_timeout(240_000)
    page = context.new_page()
    page.goto(strict_server.url)
    page.wait_for_selector("#photo")
    example(page, "Glasses")
    put_on(page, "eyes")
    use(page, "telea")
    fill(page)
    page.wait_for_selector("#outcome .known")
    page.click("#fill")
    page.wait_for_selector("text=/Too many fills from your address. Try again in [0-9]+ s./")
    page.wait_for_selector("#fill:not([disabled])")
    context.close()
