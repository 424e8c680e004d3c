"""The page of the examples, on its own server, in Chromium: what it makes is what Python makes of the same file."""

import base64
import http.server
import io
import re
import shutil
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pytest
import skimage.data
from PIL import Image

pytestmark = [pytest.mark.browser, pytest.mark.flaky(reruns=1)]

EXAMPLES = Path(__file__).parent.parent.parent / "export" / "examples"
ONNXRUNTIME = EXAMPLES / "node_modules" / "onnxruntime-web"
SIDE = 192


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *args: Any) -> None:
        pass


@pytest.fixture
def address(exported: Callable[..., Path], tmp_path: Path) -> Iterator[str]:
    """Where a server on this machine offers the page, the network and onnxruntime-web."""
    if not ONNXRUNTIME.is_dir():
        pytest.skip("onnxruntime-web is not here: run npm install in export/examples")
    shutil.copy(EXAMPLES / "index.html", tmp_path)
    shutil.copy(exported("restorer"), tmp_path / "restorer.onnx")
    (tmp_path / "node_modules").symlink_to(EXAMPLES / "node_modules")
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=tmp_path))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def pixels(page: Any, canvas: str) -> np.ndarray:
    """What a canvas holds, uint8 (H, W, 4)."""
    png = page.evaluate(f"document.getElementById('{canvas}').toDataURL('image/png').split(',')[1]")
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(png))).convert("RGBA"))


def test_a_photo_is_sketched_on_filled_and_downloaded_and_never_leaves(
    browser: Any,
    address: str,
    exported: Callable[..., Path],
    tmp_path: Path,
) -> None:
    onnxruntime = pytest.importorskip("onnxruntime", reason="the extra 'export' is not installed")
    photo = skimage.data.astronaut()[20 : 20 + SIDE, 130 : 130 + SIDE]
    Image.fromarray(photo).save(tmp_path / "photo.png")
    context = browser.new_context(viewport={"width": 1100, "height": 900}, accept_downloads=True)
    page, sent = context.new_page(), []
    page.set_default_timeout(240_000)
    page.on("request", lambda request: sent.append((request.method, urlsplit(request.url), request.post_data)))
    page.goto(address)
    page.set_input_files("#photo-file", tmp_path / "photo.png")
    page.wait_for_selector("#fill:not([disabled])")

    page.click("#fill")
    assert "Nothing is drawn yet" in page.locator("#status").inner_text()
    box = page.locator("#sketch").bounding_box()
    page.mouse.move(box["x"] + 0.3 * box["width"], box["y"] + 0.4 * box["height"])
    page.mouse.down()
    page.mouse.move(box["x"] + 0.7 * box["width"], box["y"] + 0.5 * box["height"], steps=8)
    page.mouse.up()
    page.click("#fill")
    page.locator("#status", has_text=re.compile("^Filled in|did not work")).wait_for()
    assert "Filled in" in page.locator("#status").inner_text(), page.locator("#status").inner_text()
    with page.expect_download() as download:
        page.click("#download")
    downloaded = np.asarray(Image.open(download.value.path()).convert("RGB"))

    hole = pixels(page, "sketch")[..., 3] > 0
    assert 0.02 < hole.mean() < 0.3
    assert np.array_equal(pixels(page, "photo")[..., :3], photo)
    unknown = np.full((1, 68, 2), -1, np.float32)
    session = onnxruntime.InferenceSession(exported("restorer"), providers=["CPUExecutionProvider"])
    given = {"image": photo[None], "mask": hole[None].astype(np.uint8), "landmarks": unknown}
    wanted = session.run(None, given)[0][0].astype(int)
    assert np.array_equal(downloaded[~hole], photo[~hole])
    assert np.abs(downloaded.astype(int) - wanted)[hole].max() <= 1 and (downloaded != photo)[hole].any()

    web = [(method, parts, body) for method, parts, body in sent if parts.scheme not in ("blob", "data")]
    assert web and all(method == "GET" and not body for method, _, body in web)
    assert {parts.hostname for _, parts, _ in web} == {"127.0.0.1"}
    context.close()


def test_the_bundled_judge_runs_in_the_browser(
    browser: Any, address: str, exported: Callable[..., Path], tmp_path: Path
) -> None:
    onnxruntime = pytest.importorskip("onnxruntime", reason="the extra 'export' is not installed")
    shutil.copy(exported("embedding"), tmp_path / "embedding.onnx")
    face = (skimage.data.astronaut()[20:148, 150:278].transpose(2, 0, 1) / np.float32(255)).astype(np.float32)[None]
    page = browser.new_page()
    page.goto(address)
    vector = page.evaluate(
        """async (face) => {
          const ort = await import("./node_modules/onnxruntime-web/dist/ort.webgpu.bundle.min.mjs");
          const session = await ort.InferenceSession.create("embedding.onnx", { executionProviders: ["wasm"] });
          const picture = new ort.Tensor("float32", Float32Array.from(face), [1, 3, 128, 128]);
          return Array.from((await session.run({ picture })).vector.data);
        }""",
        face.flatten().tolist(),
    )
    page.close()
    session = onnxruntime.InferenceSession(exported("embedding"), providers=["CPUExecutionProvider"])
    assert vector == pytest.approx(session.run(None, {"picture": face})[0][0].tolist(), abs=1e-4)


def test_the_browser_keeps_the_page_from_sending_anything_elsewhere(browser: Any, address: str) -> None:
    page = browser.new_page()
    page.goto(address)
    refused = page.evaluate("fetch('http://127.0.0.1:9/', {method: 'POST', body: 'x'}).then(() => '', String)")
    policy = page.evaluate(
        "new Promise((done) => {"
        "document.addEventListener('securitypolicyviolation', (event) => done(event.violatedDirective));"
        "fetch('http://127.0.0.1:9/').catch(() => 0); })"
    )
    assert "Failed to fetch" in refused and policy == "connect-src"
    page.close()
