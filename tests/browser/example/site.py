"""The examples' page on a server of its own, and who uses it."""

import http.server
import re
import shutil
import threading
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from example_graphs import put_detector, put_photo
from PIL import Image
from serving import ROOT

EXAMPLES = ROOT / "export" / "examples"
HEIGHT, WIDTH = 180, 240
FACE = (20, 20, 201, 140)  # x, y, width, height: nearly all of the photo
GREY = 112  # what put_photo makes of a face at FACE: the mean of its points' coordinates
PATIENCE = 60_000  # milliseconds


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *args: Any) -> None:
        pass


class Site:
    """A server on this machine that offers the page, onnxruntime-web, and the graphs that a test puts there."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for file in (*EXAMPLES.glob("*.js"), *EXAMPLES.glob("*.css"), EXAMPLES / "index.html"):
            shutil.copy(file, folder)
        (folder / "node_modules").symlink_to(EXAMPLES / "node_modules")
        put_photo(folder)
        put_detector(folder, [FACE])
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=folder))
        self.address = f"http://127.0.0.1:{self.server.server_port}/"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        self.server.shutdown()
        self.server.server_close()


class Hands:
    """Who uses the page."""

    def __init__(self, page: Any, site: Site) -> None:
        self.page = page
        page.set_default_timeout(PATIENCE)
        page.goto(site.address)
        self.ready()

    def ready(self) -> None:
        self.page.locator("#offline", has_text="network").wait_for()

    def status(self, wanted: str) -> str:
        """Wait until the page says something; return all of it."""
        self.page.locator("#status", has_text=re.compile(wanted)).wait_for()
        return self.page.locator("#status").inner_text()

    def open(self, file: Path) -> None:
        self.page.set_input_files("#file", file)
        self.status("pixels")

    def on_screen(self, x: float, y: float) -> tuple[float, float]:
        """Where a pixel of a photo of WIDTH x HEIGHT is while the whole photo is seen."""
        box = self.page.locator("#canvas").bounding_box()
        scale = min(box["width"] / WIDTH, box["height"] / HEIGHT)
        left, top = (box["width"] - scale * WIDTH) / 2, (box["height"] - scale * HEIGHT) / 2
        return box["x"] + left + scale * x, box["y"] + top + scale * y

    def stroke(self, *points: tuple[float, float]) -> None:
        """Drag the mouse from one pixel of the photo to the others."""
        self.page.mouse.move(*self.on_screen(*points[0]))
        self.page.mouse.down()
        for point in points[1:]:
            self.page.mouse.move(*self.on_screen(*point), steps=4)
        self.page.mouse.up()

    def fill(self) -> str:
        self.page.click("#fill")
        return self.status("Filled in|did not work|cannot")

    def download(self) -> Image.Image:
        with self.page.expect_download() as download:
            self.page.click("#download")
        self.status("is written")
        return Image.open(download.value.path())

    def filled(self) -> np.ndarray:
        """Fill, download, and return where the result is put_photo's grey."""
        assert "Filled in" in self.fill()
        return (np.asarray(self.download()) == GREY).all(2)
