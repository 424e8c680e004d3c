"""Nothing serious that axe finds, at each step of the page, in light and dark."""

from collections.abc import Callable
from typing import Any

import pytest

from .hands import example, unfold

pytestmark = [pytest.mark.browser, pytest.mark.flaky(reruns=1)]


def serious(page: Any) -> list[str]:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed")
    violations = axe.Axe().run(page).response["violations"]
    return [
        f"{one['id']}: {node['html'][:200]}"
        for one in violations
        if one["impact"] in ("serious", "critical")
        for node in one["nodes"]
    ]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious(open_page: Callable[..., Any], scheme: str) -> None:
    from faceinp.demo.images import examples

    page = open_page(color_scheme=scheme)
    found = {"photo": serious(page)}
    example(page, examples.GROUP)
    page.wait_for_selector("#faces img")
    for box in ("#shapes", "#others", "#settings"):
        unfold(page, box)
    page.click("#shape-one-eye")
    page.wait_for_selector("#share span")
    page.click("#rectangle")
    found["what should go"] = serious(page)
    page.click("#fill")
    page.wait_for_selector("#running .panel")
    found["running"] = serious(page)
    page.wait_for_selector("#outcome .known")
    page.wait_for_selector("#fill:not([disabled])")
    for box in ("#details", "#part", "#landmarks-box"):
        unfold(page, box)
    page.wait_for_selector("#part-source:visible")
    page.wait_for_selector("#landmarks [data-point]")
    found["result"] = serious(page)
    page.get_by_role("tab", name="Compare engines").click()
    page.wait_for_selector("#start")
    found["compare"] = serious(page)
    assert found == {step: [] for step in found}
