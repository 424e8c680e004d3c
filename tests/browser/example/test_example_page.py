"""The examples' page fills and downloads a photo, without a network, and says what it cannot do."""

import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pytest
import skimage.data
from PIL import Image

pytest.importorskip("onnx", reason="the extra 'export' is not installed")
from example_graphs import put_detector, put_photo

from ..test_accessible import serious
from .site import FACE, GREY, HEIGHT, WIDTH, Hands, Site

pytestmark = [pytest.mark.browser, pytest.mark.flaky(reruns=1)]


def test_a_photo_is_painted_on_filled_and_downloaded_and_never_leaves(
    use: Callable[..., Hands], browser: Any, site: Site, photo: Path
) -> None:
    context, sent = browser.new_context(accept_downloads=True), []
    context.on("request", lambda request: sent.append((request.method, urlsplit(request.url), request.post_data)))
    hands = Hands(context.new_page(), site)
    hands.open(photo)
    hands.page.click("#fill")
    hands.status("Nothing is painted over yet")
    hands.stroke((80, 60), (160, 80))
    said = hands.fill()
    threads = hands.page.evaluate("Math.min(8, navigator.hardwareConcurrency)")
    assert re.fullmatch(rf"Filled in \d+\.\d s, on WASM with {threads} threads?\.", said), said

    out, before = hands.download(), Image.open(photo)
    filled = (np.asarray(out) == GREY).all(2)
    assert out.mode == "RGB" and out.size == (WIDTH, HEIGHT) and 0.02 < filled.mean() < 0.2
    assert filled[70, 120] and np.array_equal(np.asarray(out)[~filled], np.asarray(before)[~filled])
    assert out.info["icc_profile"] == before.info["icc_profile"], "else its colours would be others"

    web = [(method, parts, body) for method, parts, body in sent if parts.scheme not in ("blob", "data")]
    assert web and all(method == "GET" and not body for method, _, body in web)
    assert {parts.hostname for _, parts, _ in web} == {"127.0.0.1"}
    context.close()


def test_a_phones_photo_leaves_upright_at_full_size(use: Callable[..., Hands], tmp_path: Path, photo: Path) -> None:
    upright = Image.open(photo).convert("RGB")
    profile, exif = upright.info["icc_profile"], Image.Exif()
    exif[0x0112] = 6
    lying = upright.transpose(Image.Transpose.ROTATE_90)
    lying.save(tmp_path / "photo.jpg", quality=95, subsampling=0, exif=exif, icc_profile=profile)
    hands = use()
    hands.open(tmp_path / "photo.jpg")
    hands.stroke((100, 60), (140, 60))
    assert "Filled in" in hands.fill()
    out = hands.download()
    wanted = np.asarray(Image.open(tmp_path / "photo.jpg").transpose(Image.Transpose.ROTATE_270)).astype(int)
    far = np.abs(np.asarray(out) - wanted).max(2)
    assert out.size == (WIDTH, HEIGHT) and not out.getexif() and out.info["icc_profile"] == profile
    assert np.median(far) == 0 and far[120:].max() <= 3, "decoders of JPEG differ by a level or two"


def test_it_works_without_its_server_once_it_was_loaded(use: Callable[..., Hands], site: Site, photo: Path) -> None:
    hands = use()
    assert "works without a network" in hands.page.locator("#offline").inner_text()
    assert hands.page.evaluate("crossOriginIsolated"), "WASM has one thread otherwise"
    site.stop()
    hands.page.reload()
    hands.ready()
    hands.open(photo)
    hands.stroke((80, 60), (160, 80))
    assert hands.filled().any()


def test_the_browser_keeps_page_and_worker_from_sending_anything_elsewhere(use: Callable[..., Hands]) -> None:
    page = use().page
    (worker,) = (worker for worker in page.workers if worker.url.startswith("blob:"))
    for side in (page, worker):
        policy = side.evaluate(
            "new Promise((done) => {"
            "self.addEventListener('securitypolicyviolation', (event) => done(event.violatedDirective));"
            "fetch('http://127.0.0.1:9/', {method: 'POST', body: 'x', mode: 'no-cors'}).then(() => done('sent'),"
            " () => setTimeout(() => done('failed'), 1000)); })"
        )
        assert policy == "connect-src"


def test_what_cannot_be_filled_is_said(use: Callable[..., Hands], site: Site, tmp_path: Path, photo: Path) -> None:
    pixels = np.asarray(Image.open(photo))
    Image.fromarray(np.dstack([pixels, np.full((HEIGHT, WIDTH), 100, np.uint8)])).save(tmp_path / "clear.png")
    Image.fromarray(pixels[..., 0].astype(np.uint16) * 257).save(tmp_path / "deep.png")
    (tmp_path / "text.jpg").write_text("no photo")
    put_detector(site.folder, [])
    put_photo(site.folder, likeness=0.2)
    hands = use()
    for name, sentence in (
        ("clear.png", "transparent in places"),
        ("deep.png", "more than 8 bits"),
        ("text.jpg", "no photo that the browser can read"),
    ):
        hands.page.set_input_files("#file", tmp_path / name)
        hands.status(sentence)
        assert hands.page.locator("#fill").is_disabled()
    hands.open(photo)
    hands.stroke((80, 60), (160, 80))
    hands.page.click("#fill")
    hands.status("No face was found")
    put_detector(site.folder, [FACE])
    hands.page.reload()
    hands.ready()
    hands.open(photo)
    hands.stroke((80, 60), (160, 80))
    assert "It may not look like a face" in hands.fill()
    hands.page.locator("#size").fill("100")
    for y in range(5, HEIGHT, 15):
        hands.stroke((2, y), (WIDTH - 2, y))
    hands.page.click("#fill")
    hands.status("Everything is painted over")


def test_a_second_face_is_filled_from_the_result(use: Callable[..., Hands], site: Site, photo: Path) -> None:
    put_detector(site.folder, [(10, 20, 100, 140), (130, 20, 100, 140)])
    hands = use()
    hands.open(photo)
    hands.stroke((40, 60), (145, 60))
    assert "another face" in hands.fill()
    first = np.asarray(hands.download())
    changed = (first != np.asarray(Image.open(photo))).any(2)
    assert changed[60, 45:125].mean() > 0.9 and not changed[:, 130:].any()
    hands.page.click("#go-on")
    hands.status("The result is the photo now")
    hands.stroke((160, 100), (200, 100))
    assert "another face" not in hands.fill()
    second = np.asarray(hands.download())
    assert np.array_equal(second[:, :130], first[:, :130]) and (second != first)[100, 165:195].any(1).mean() > 0.9


@pytest.mark.parametrize("fault", ["no device", "its results differ by 50 of 255 levels from WASM's"])
def test_where_webgpu_fails_it_says_so_and_takes_wasm(
    use: Callable[..., Hands], site: Site, photo: Path, fault: str
) -> None:
    pretended = (
        "const device = async () => { throw new Error('no device') };"
        "const adapter = { features: new Set(['shader-f16']), limits: {}, info: {}, requestDevice: device };"
        "Object.defineProperty(navigator, 'gpu', { value: { requestAdapter: async () => adapter } });\n"
    )
    worker = site.folder / "worker.js"
    code = worker.read_text().replace("let photo;", f"{pretended}let photo;", 1)
    if fault != "no device":  # a file with other results in the place of WebGPU's
        put_photo(site.folder, name="other.onnx", brighter=50)
        code = re.sub(r'open\(half, \{ name: "webgpu".*?\}\)', 'open(await get("other.onnx"), "wasm")', code)
    worker.write_text(code)
    shutil.copy(site.folder / "photo.onnx", site.folder / "photo.fp16.onnx")
    hands = use()
    hands.open(photo)
    hands.stroke((80, 60), (160, 80))
    said = hands.fill()
    assert re.search(r"on WASM with \d threads?, since WebGPU failed: .+", said), said
    assert fault in said or fault == "no device", "of which onnxruntime tells a number only"
    assert (np.asarray(hands.download()) == GREY).all(2).any()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1100, 390])
def test_axe_finds_nothing_serious(use: Callable[..., Hands], photo: Path, scheme: str, width: int) -> None:
    hands = use(width, color_scheme=scheme, bypass_csp=True)  # axe is run by eval
    assert serious(hands.page) == []
    hands.open(photo)
    hands.stroke((80, 60), (160, 80))
    hands.fill()
    hands.page.locator("summary").click()
    assert serious(hands.page) == []
    assert hands.page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_the_bundled_judge_runs_in_the_browser(
    browser: Any, site: Site, exported: Callable[..., Path], tmp_path: Path
) -> None:
    onnxruntime = pytest.importorskip("onnxruntime", reason="the extra 'export' is not installed")
    shutil.copy(exported("embedding"), site.folder / "embedding.onnx")
    face = (skimage.data.astronaut()[20:148, 150:278].transpose(2, 0, 1) / np.float32(255)).astype(np.float32)[None]
    page = browser.new_page()
    page.goto(site.address)
    page.locator("#offline", has_text="network").wait_for()  # the page is loaded twice
    vector = page.evaluate(
        """async (face) => {
          const ort = await import("./node_modules/onnxruntime-web/dist/ort.wasm.bundle.min.mjs");
          const session = await ort.InferenceSession.create("embedding.onnx", { executionProviders: ["wasm"] });
          const picture = new ort.Tensor("float32", Float32Array.from(face), [1, 3, 128, 128]);
          return Array.from((await session.run({ picture })).vector.data);
        }""",
        face.flatten().tolist(),
    )
    page.close()
    session = onnxruntime.InferenceSession(exported("embedding"), providers=["CPUExecutionProvider"])
    assert vector == pytest.approx(session.run(None, {"picture": face})[0][0].tolist(), abs=1e-4)
