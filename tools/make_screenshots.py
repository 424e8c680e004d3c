"""Make the pictures of the page in the docs: python tools/make_screenshots.py

It serves the page on a free port and opens it in Chromium (Debian: apt-get install chromium; CHROMIUM names another).
Only the NASA portrait of scikit-image (public domain) is shown, with scratches drawn on it.
"""

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

ROOT = Path(__file__).parent.parent
PICTURES = ROOT / "docs" / "pictures"
CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
PATIENCE = 300  # seconds
SIZES = {"desktop": (1440, 900), "phone": (390, 844)}


@contextmanager
def served() -> Iterator[str]:
    """The address of the page."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = subprocess.Popen([sys.executable, "-m", "faceinp", "demo", "--port", str(port)], cwd=ROOT)
    try:
        url = f"http://127.0.0.1:{port}"
        ends = time.monotonic() + PATIENCE
        while time.monotonic() < ends:
            try:
                urllib.request.urlopen(url, timeout=5).close()
                break
            except OSError:
                time.sleep(0.5)
        yield url
    finally:
        server.terminate()
        server.wait(30)


def filled(browser: Browser, url: str, size: str, scheme: str, example: str = "Scratches") -> Page:
    """The page after a fill of one of its examples by the engine that it recommends."""
    width, height = SIZES[size]
    context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)
    context.set_default_timeout(PATIENCE * 1000)
    page = context.new_page()
    page.goto(url)
    page.wait_for_selector("#state .ready", state="attached")
    page.get_by_role("button", name=example, exact=True).click()
    page.wait_for_selector("#fill:not([disabled])")
    page.wait_for_timeout(4000)  # the editor moves photo and scratches into place, and says nothing when it has
    page.click("#fill")
    page.wait_for_selector("#outcome .known")
    page.wait_for_selector("#fill:not([disabled])")
    page.mouse.move(0, 0)
    page.wait_for_timeout(1500)
    return page


def keep(page: Page, name: str) -> None:
    """The whole page as a PNG of 256 colours."""
    picture = Image.open(BytesIO(page.screenshot(full_page=True))).convert("RGB")
    picture.quantize(256, Image.Quantize.MEDIANCUT).save(PICTURES / f"demo-{name}.png", optimize=True)


def compare(browser: Browser, url: str) -> None:
    """The second tab, after a comparison of the engines that it has checked; of one network on two runtimes, one."""
    page = filled(browser, url, "desktop", "light", "A hidden eye")
    page.get_by_role("tab", name="Compare engines").click()
    for box in page.locator("#compared label", has_text="landmark-").all():
        box.locator("input").uncheck()
    page.click("#start")
    page.wait_for_selector("#grid-file")
    page.wait_for_selector("#halt[disabled]")
    page.mouse.move(0, 0)
    page.wait_for_timeout(1500)
    keep(page, "compare")
    page.context.close()


def main() -> None:
    with served() as url, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        for size in SIZES:
            for scheme in ("light", "dark"):
                page = filled(browser, url, size, scheme)
                keep(page, size if scheme == "light" else f"{size}-dark")
                page.context.close()
        compare(browser, url)
        browser.close()


if __name__ == "__main__":
    main()
