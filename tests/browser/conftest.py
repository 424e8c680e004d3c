"""A real server on a free port of this machine, and a real browser that looks at it."""

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent.parent
ARTIFACTS = ROOT / "tests" / "artifacts"
CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
SWITCHES = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run "
    "--disable-background-networking --disable-component-update --disable-sync"
)
PATIENCE = 240  # seconds; the editor draws by software here, and the first face found loads a network


@pytest.fixture(scope="session")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of ``python -m demo``."""
    pytest.importorskip("gradio", reason="the extra 'demo' is not installed")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    folder = tmp_path_factory.mktemp("server")
    log = folder / "log.txt"
    command = [sys.executable, "-m", "demo", "--port", str(port)]
    with log.open("w") as stream:
        server = subprocess.Popen(
            command, cwd=ROOT, stdout=stream, stderr=stream, env={**os.environ, "TMPDIR": str(folder)}
        )
    address = f"http://127.0.0.1:{port}"
    try:
        _wait_for(address, server, log)
        yield address
    finally:
        server.terminate()
        server.wait(30)
    assert not list(folder.glob("faceinp-*")), "people's photos outlive the server"


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
def open_page(browser: Any, url: str, request: pytest.FixtureRequest) -> Iterator[Callable[..., Any]]:
    """``open_page(width, height)`` -> the page, loaded. What a failed test saw is kept in tests/artifacts."""
    contexts = []

    def open_page(width: int, height: int) -> Any:
        context = browser.new_context(viewport={"width": width, "height": height}, accept_downloads=True)
        contexts.append(context)
        context.set_default_timeout(PATIENCE * 1000)
        context.tracing.start(screenshots=True, snapshots=True)
        page = context.new_page()
        page.goto(url)
        page.wait_for_selector("#fill")
        return page

    yield open_page
    failed = getattr(request.node, "failed", False)
    for context in contexts:
        with _kept(context, request.node.name) if failed else _dropped(context):
            context.close()


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


def _wait_for(address: str, server: subprocess.Popen[bytes], log: Path) -> None:
    ends = time.monotonic() + PATIENCE
    while time.monotonic() < ends and server.poll() is None:
        try:
            urllib.request.urlopen(address, timeout=5).close()
            return
        except (urllib.error.URLError, TimeoutError, ConnectionError):
            time.sleep(0.3)
    pytest.fail(f"The page did not start:\n{log.read_text()[-2000:]}")
