"""The page of the examples, on its own server, in Chromium: by mouse, touch and keyboard, and without a network."""

import http.server
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

pytest.importorskip("onnx", reason="the extra 'export' is not installed")
from example_graphs import odd_profile, put_detector, put_photo

from .hands import Fingers
from .test_accessible import serious

pytestmark = [pytest.mark.browser, pytest.mark.flaky(reruns=1)]

EXAMPLES = Path(__file__).parent.parent.parent / "export" / "examples"
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


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    if not (EXAMPLES / "node_modules" / "onnxruntime-web").is_dir():
        pytest.skip("onnxruntime-web is not here: run npm install in export/examples")
    folder = tmp_path / "site"
    folder.mkdir()
    site = Site(folder)
    yield site
    site.stop()


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    """A photo as a file that keeps its pixels, with a profile of other colours than sRGB's."""
    file = tmp_path / "photo.png"
    Image.fromarray(skimage.data.astronaut()[20 : 20 + HEIGHT, 110 : 110 + WIDTH]).save(file, icc_profile=odd_profile())
    return file


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


@pytest.fixture
def use(browser: Any, site: Site) -> Iterator[Callable[..., Hands]]:
    contexts = []

    def use(width: int = 1100, height: int = 900, **options: Any) -> Hands:
        contexts.append(browser.new_context(viewport={"width": width, "height": height}, **options))
        return Hands(contexts[-1].new_page(), site)

    yield use
    for context in contexts:
        context.close()


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


def test_strokes_are_undone_done_again_erased_and_cleared(use: Callable[..., Hands], photo: Path) -> None:
    hands = use()
    hands.open(photo)
    hands.stroke((60, 60), (180, 60))
    hands.stroke((60, 110), (180, 110))
    press = hands.page.keyboard.press
    both = hands.filled()
    assert both[60, 120] and both[110, 120] and not both[85, 120]
    hands.page.click("#undo")
    assert not hands.filled()[110].any()
    press("Control+Shift+z")
    assert np.array_equal(hands.filled(), both)
    hands.page.click("[value=eraser]")
    hands.stroke((120, 40), (120, 140))
    erased = hands.filled()
    assert not erased[:, 120].any() and erased[60, 70] and erased[110, 170]
    press("Control+z")
    assert np.array_equal(hands.filled(), both)
    hands.page.click("#clear")
    hands.page.click("#fill")
    hands.status("Nothing is painted over yet")
    press("Control+z")
    assert np.array_equal(hands.filled(), both)
    hands.page.click("#clear")
    hands.page.click("[value=brush]")
    hands.page.locator("#size").fill("60")
    hands.stroke((120, 90), (121, 90))
    assert hands.filled()[:, 120].sum() > 1.5 * both[:85, 120].sum()


def test_a_stroke_that_begins_outside_draws_nothing(use: Callable[..., Hands], photo: Path) -> None:
    hands = use()
    hands.open(photo)
    hands.stroke((60, 60), (180, 60))
    once = hands.filled()
    outside = hands.page.locator("#status").bounding_box()
    hands.page.mouse.move(outside["x"] + 5, outside["y"] + 5)
    hands.page.mouse.down()
    hands.page.mouse.move(*hands.on_screen(120, 120), steps=5)
    hands.page.mouse.up()
    hands.page.mouse.move(*hands.on_screen(160, 140), steps=5)
    assert np.array_equal(hands.filled(), once)


def test_all_can_be_done_by_keyboard(use: Callable[..., Hands], photo: Path) -> None:
    hands = use()
    hands.open(photo)
    keyboard = hands.page.keyboard
    hands.page.locator("#canvas").focus()
    keyboard.press("ArrowUp")
    keyboard.down(" ")
    for _ in range(3):
        keyboard.press("Shift+ArrowRight")
    keyboard.up(" ")
    keyboard.press("Shift+ArrowDown")
    line = hands.filled()
    rows, columns = np.nonzero(line)
    assert line[88:90, 120:145].all() and 25 < np.ptp(columns) < 60 and np.ptp(rows) < 16 and columns.min() > 110
    hands.page.locator("#canvas").focus()
    for key in "[[+-0e":
        keyboard.press(key)
    assert hands.page.locator("[value=eraser]").is_checked() and hands.page.locator("#size").input_value() == "20"
    keyboard.press("b")
    keyboard.press("Control+z")
    hands.page.click("#fill")
    hands.status("Nothing is painted over yet")
    # Each control is reached by Tab, in the order in which it is seen.
    hands.page.locator("#file").focus()
    reached = ["file"]
    for _ in range(10):
        keyboard.press("Tab")
        reached.append(hands.page.evaluate("document.activeElement.id || document.activeElement.value"))
    order = [
        "file",
        "fill",
        "go-on",
        "download",
        "canvas",
        "brush",
        "size",
        "redo",
        "clear",
        "zoom-out",
        "zoom-in",
        "zoom-fit",
        "before",
    ]
    assert reached == order[: len(reached)]


def test_zooming_in_keeps_strokes_in_their_place(use: Callable[..., Hands], photo: Path) -> None:
    hands = use()
    hands.open(photo)
    middle = hands.on_screen(120, 90)
    hands.page.mouse.move(*middle)
    hands.page.mouse.wheel(0, -700)
    hands.page.mouse.down()
    hands.page.mouse.move(middle[0] + 40, middle[1], steps=3)
    hands.page.mouse.up()
    near = hands.filled()
    rows, columns = np.nonzero(near)
    assert near[90, 120] and np.ptp(rows) < 15 and columns.max() < 140
    hands.page.click("[value=hand]")
    hands.page.mouse.move(*middle)
    hands.page.mouse.down()
    hands.page.mouse.move(middle[0] + 80, middle[1], steps=3)
    hands.page.mouse.up()
    assert np.array_equal(hands.filled(), near), "moving paints nothing"


def test_one_finger_paints_and_two_never_do(use: Callable[..., Hands], photo: Path) -> None:
    hands = use(390, 844, has_touch=True, is_mobile=True)
    hands.open(photo)
    fingers = Fingers(hands.page)
    fingers.put(hands.on_screen(80, 60))
    for x in (100, 120, 140, 160):
        fingers.put(hands.on_screen(x, 60))
    fingers.put()
    once = hands.filled()
    assert once[60, 85:155].all() and not once[90].any()
    hands.page.locator("#canvas").scroll_into_view_if_needed()
    before = hands.page.locator("#canvas").screenshot()
    fingers.put(hands.on_screen(110, 120))
    for apart in range(0, 50, 10):
        fingers.put(hands.on_screen(110 - apart, 120), hands.on_screen(130 + apart, 120))
    fingers.put(hands.on_screen(110 - apart, 100))
    fingers.put(hands.on_screen(110 - apart, 130))
    fingers.put()
    hands.page.wait_for_timeout(100)  # for the frame that shows it
    assert hands.page.locator("#canvas").screenshot() != before
    assert np.array_equal(hands.filled(), once)
    assert hands.page.evaluate("document.documentElement.scrollWidth <= innerWidth")


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
