"""A real browser that looks at the served page."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import skimage.data
from PIL import Image
from serving import PATIENCE, ROOT, Server

ARTIFACTS = ROOT / "tests" / "artifacts"
CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
SWITCHES = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run "
    "--disable-background-networking --disable-component-update --disable-sync"
)


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed: pip install playwright")
    if not Path(CHROMIUM).exists():
        missing = f"{CHROMIUM} is not here. Run: apt-get update && apt-get install -y chromium"
        if os.environ.get("FACEINP_REQUIRE_BROWSER"):
            pytest.fail(missing)
        pytest.skip(missing)
    with sync_api.sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=SWITCHES.split())
        yield chromium
        chromium.close()


@pytest.fixture
def open_page(browser: Any, server: Server, request: pytest.FixtureRequest) -> Iterator[Callable[..., Any]]:
    """``open_page(width, height)`` -> the page, loaded. What a failed test saw is kept in tests/artifacts."""
    contexts = []

    def open_page(width: int = 1440, height: int = 900, **options: Any) -> Any:
        context = browser.new_context(viewport={"width": width, "height": height}, accept_downloads=True, **options)
        contexts.append(context)
        context.set_default_timeout(PATIENCE * 1000)
        context.tracing.start(screenshots=True, snapshots=True)
        page = context.new_page()
        page.goto(server.url)
        page.wait_for_selector("#photo")
        return page

    yield open_page
    failed = getattr(request.node, "failed", False)
    for context in contexts:
        with _kept(context, request.node.name) if failed else _dropped(context):
            context.close()


@pytest.fixture(scope="session")
def photo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A portrait as a file."""
    file = tmp_path_factory.mktemp("photo") / "astronaut.png"
    Image.fromarray(skimage.data.astronaut()).save(file)
    return file


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Any:
    report = yield
    if report.when == "call":
        item.failed = report.failed  # type: ignore[attr-defined]
    return report


@contextmanager
def _kept(context: Any, name: str) -> Iterator[None]:
    ARTIFACTS.mkdir(exist_ok=True)
    for page in context.pages:
        page.screenshot(path=ARTIFACTS / f"{name}.png", full_page=True)
    context.tracing.stop(path=ARTIFACTS / f"{name}.zip")
    yield


@contextmanager
def _dropped(context: Any) -> Iterator[None]:
    context.tracing.stop()
    yield
