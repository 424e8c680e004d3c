"""The examples for other people's programs run as they are, without faceinp, and all make the same of a photo."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
import skimage.data
from PIL import Image

pytest.importorskip("onnx", reason="the extra 'export' is not installed")
from example_graphs import odd_profile, put_detector, put_photo

EXAMPLES = Path(__file__).parent.parent / "export" / "examples"
NONE_OF_FACEINP = "import sys, runpy; sys.modules['faceinp'] = sys.modules['torch'] = None; "
HEIGHT, WIDTH = 120, 160
FACE = (40, 20, 50, 60)  # x, y, width, height
HOLE = (60, 30, 20, 16)
GREY = 60  # what put_photo makes of a face at FACE: the mean of its points' coordinates

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The C++ example, compiled. ONNXRUNTIME_ROOT: the folder of onnxruntime's include and lib, if not the system's."""
    if not (shutil.which("cmake") and shutil.which("c++")):
        pytest.skip("no C++ compiler or no CMake is here: apt-get install g++ cmake")
    build = tmp_path_factory.mktemp("build")
    prefix = f"-DCMAKE_PREFIX_PATH={os.environ.get('ONNXRUNTIME_ROOT', '')}"
    configured = subprocess.run(
        ["cmake", "-S", EXAMPLES, "-B", build, prefix], capture_output=True, text=True, check=False
    )
    if configured.returncode:
        lacking = "OpenCV" if "OpenCV" in configured.stderr else "onnxruntime"
        assert lacking == "OpenCV" or "ONNXRUNTIME_" in configured.stderr, configured.stderr
        pytest.skip(f"the C++ headers and libraries of {lacking} are not here: see the first lines of CMakeLists.txt")
    subprocess.run(["cmake", "--build", build], check=True)
    return build / "fill"


@pytest.fixture(params=["python", "node", "c++"])
def run(request: pytest.FixtureRequest, tmp_path: Path) -> Run:
    """``run(photo, mask, out)`` in ``tmp_path``, where the models are; what it says is in ``stderr``."""
    if request.param == "python":
        script = shutil.copy(EXAMPLES / "fill.py", tmp_path)
        program = [sys.executable, "-I", "-c", f"{NONE_OF_FACEINP}runpy.run_path({script!r}, run_name='__main__')"]
    elif request.param == "node":
        if not shutil.which("node") or not (EXAMPLES / "node_modules").is_dir():
            pytest.skip("Node is not here, or its packages are not: run npm install in export/examples")
        for name in ("fill.mjs", "faces.js", "package.json"):
            shutil.copy(EXAMPLES / name, tmp_path)
        (tmp_path / "node_modules").symlink_to(EXAMPLES / "node_modules")
        program = ["node", "fill.mjs"]
    else:
        program = [str(request.getfixturevalue("built"))]

    def run(photo: str = "photo.jpg", mask: str = "mask.png", out: str = "out.png") -> subprocess.CompletedProcess[str]:
        return subprocess.run([*program, photo, mask, out], cwd=tmp_path, capture_output=True, text=True, check=False)

    run.language = request.param  # type: ignore[attr-defined]
    return run


def rectangles(*boxes: tuple[int, int, int, int]) -> np.ndarray:
    """A mask, uint8 (H, W), white in boxes of x, y, width, height."""
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    for x, y, width, height in boxes:
        mask[y : y + height, x : x + width] = 255
    return mask


def put_mask(folder: Path, *boxes: tuple[int, int, int, int]) -> np.ndarray:
    mask = rectangles(*boxes)
    Image.fromarray(mask).save(folder / "mask.png")
    return mask > 0


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A photo that lies on its side and is turned by its EXIF, as a phone writes it; a mask; the two graphs."""
    upright = Image.fromarray(skimage.data.astronaut()[20 : 20 + HEIGHT, 130 : 130 + WIDTH])
    exif = Image.Exif()
    exif[0x0112] = 6
    upright.transpose(Image.Transpose.ROTATE_90).save(tmp_path / "photo.jpg", quality=95, exif=exif, subsampling=0)
    put_mask(tmp_path, HOLE)
    put_photo(tmp_path)
    put_detector(tmp_path, [FACE])
    return tmp_path


def upright(file: Path) -> np.ndarray:
    """The photo as one sees it, uint8 (H, W, 3)."""
    photo = Image.open(file)
    return np.asarray(photo.convert("RGB").transpose(Image.Transpose.ROTATE_270))


def test_a_turned_photo_is_filled_and_leaves_upright(run: Run, folder: Path) -> None:
    done = run()
    assert (done.returncode, done.stderr) == (0, "")
    out = Image.open(folder / "out.png")
    assert out.size == (WIDTH, HEIGHT) and not out.getexif()
    filled, before, hole = np.asarray(out), upright(folder / "photo.jpg"), rectangles(HOLE) > 0
    assert (filled[hole] == GREY).all()
    # Decoders of JPEG differ by a level or two; where the example's is Pillow's, no known pixel does.
    far = 0 if run.language == "python" else 3
    assert np.abs(filled.astype(int) - before)[~hole].max() <= far


def test_known_pixels_of_a_png_leave_as_they_came(run: Run, folder: Path) -> None:
    before = np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)
    profile = odd_profile()
    Image.fromarray(before).save(folder / "photo.png", icc_profile=profile)
    assert run("photo.png").returncode == 0
    out, hole = Image.open(folder / "out.png"), rectangles(HOLE) > 0
    assert np.array_equal(np.asarray(out)[~hole], before[~hole]) and (np.asarray(out)[hole] == GREY).all()
    assert out.info.get("icc_profile") == (None if run.language == "c++" else profile)


@pytest.mark.parametrize("form", ["grey", "CMYK"])
def test_other_photos_come_out_in_colour(run: Run, folder: Path, form: str) -> None:
    before = Image.fromarray(upright(folder / "photo.jpg")).convert("L" if form == "grey" else form)
    before.save(folder / "other.jpg", quality=95)
    assert run("other.jpg").returncode == 0
    filled, hole = np.asarray(Image.open(folder / "out.png")).astype(int), rectangles(HOLE) > 0
    assert (filled[hole] == GREY).all()
    # What CMYK means without a profile is guessed by each library.
    assert np.abs(filled - np.asarray(before.convert("RGB")))[~hole].mean() < (2 if form == "grey" else 25)


def test_transparent_photos_keep_it_or_are_refused(run: Run, folder: Path) -> None:
    before = np.dstack([upright(folder / "photo.jpg"), np.tile(np.arange(WIDTH, dtype=np.uint8), (HEIGHT, 1))])
    Image.fromarray(before).save(folder / "photo.png")
    done, hole = run("photo.png"), rectangles(HOLE) > 0
    if run.language == "python":
        filled = np.asarray(Image.open(folder / "out.png"))
        assert np.array_equal(filled[~hole], before[~hole]) and (filled[hole] == (GREY, GREY, GREY, 255)).all()
    else:
        assert done.returncode == 1 and "photo.png is transparent in places" in done.stderr
    opaque = np.dstack([before[..., :3], np.full((HEIGHT, WIDTH), 255, np.uint8)])
    Image.fromarray(opaque).save(folder / "photo.png")
    assert run("photo.png").returncode == 0


def test_masks_that_cannot_be_meant_are_refused(run: Run, folder: Path) -> None:
    lying = Image.fromarray(rectangles(HOLE)).transpose(Image.Transpose.ROTATE_90)
    lying.save(folder / "lying.png")
    lying.crop((0, 0, 100, 100)).save(folder / "small.png")
    Image.fromarray(rectangles()).save(folder / "empty.png")
    Image.fromarray(~rectangles()).save(folder / "full.png")
    for mask, sentence in (
        ("lying.png", "Rotate it as the photo's EXIF"),
        ("small.png", "Both must have the same size"),
        ("empty.png", "The mask is empty"),
        ("full.png", "Leave part of the face unmasked"),
    ):
        done = run(mask=mask)
        assert done.returncode == 1 and sentence in done.stderr, mask
        assert "Traceback" not in done.stderr and ("Rotate it" in done.stderr) == (mask == "lying.png")
    assert not (folder / "out.png").exists()


def test_photos_of_16_bits_are_refused(run: Run, folder: Path) -> None:
    deep = upright(folder / "photo.jpg").astype(np.uint16) * 257
    for photo in (deep[..., 0], deep):
        cv2.imwrite(str(folder / "photo.png"), photo)
        done = run("photo.png")
        assert done.returncode == 1 and "more than 8 bits" in done.stderr


def test_what_cannot_be_read_is_a_sentence(run: Run, folder: Path) -> None:
    (folder / "text.jpg").write_text("no photo")
    for photo in ("missing.jpg", "text.jpg"):
        done = run(photo)
        said = [line for line in done.stderr.splitlines() if not line.startswith("[ WARN")]  # OpenCV's own
        assert done.returncode == 1 and len(said) == 1


def test_no_face_is_an_error(run: Run, folder: Path) -> None:
    put_detector(folder, [])
    done = run()
    assert done.returncode == 1 and "No face was found" in done.stderr and not (folder / "out.png").exists()
    put_detector(folder, [(120, 90, 10, 10)])
    assert run().returncode == 1


def test_hair_beside_the_box_belongs_to_the_face(run: Run, folder: Path) -> None:
    hole = put_mask(folder, (50, 2, 30, 10))
    assert run().returncode == 0 and (np.asarray(Image.open(folder / "out.png"))[hole] == GREY).all()


def test_of_two_faces_one_is_filled_and_the_other_left(run: Run, folder: Path) -> None:
    other = (95, 20, 50, 60)
    put_detector(folder, [other, FACE])
    put_mask(folder, (60, 30, 45, 16))  # 30 columns of FACE, 5 of none, 10 of the other
    done = run()
    assert done.returncode == 0 and "also covers another face" in done.stderr
    filled, before = np.asarray(Image.open(folder / "out.png")).astype(int), upright(folder / "photo.jpg")
    assert (filled[30:46, 60:95] == GREY).all()
    assert np.abs(filled - before)[30:46, 95:105].max() <= 3


def test_what_looks_like_no_face_is_said(run: Run, folder: Path) -> None:
    put_photo(folder, likeness=0.2)
    done = run()
    assert done.returncode == 0 and "may not look like a face" in done.stderr and (folder / "out.png").exists()


def test_the_exported_files_fit(run: Run, exported: Callable[..., Path], tmp_path: Path) -> None:
    for name in ("photo", "detector"):
        shutil.copy(exported(name), tmp_path / f"{name}.onnx")
    before = skimage.data.astronaut()[:256, 96:352]
    hole = np.zeros(before.shape[:2], np.uint8)
    hole[95:125, 100:160] = 255
    Image.fromarray(before).save(tmp_path / "photo.png")
    Image.fromarray(hole).save(tmp_path / "mask.png")
    done = run("photo.png")
    assert done.returncode == 0, done.stderr
    filled = np.asarray(Image.open(tmp_path / "out.png"))
    assert np.array_equal(filled[hole == 0], before[hole == 0]) and (filled != before)[hole > 0].any(1).mean() > 0.9
    runtime = pytest.importorskip("onnxruntime")
    sessions = [runtime.InferenceSession(tmp_path / f"{name}.onnx") for name in ("detector", "photo")]
    given = {"image": before[None], "mask": (hole > 0)[None].astype(np.uint8)}
    boxes, points = sessions[0].run(["boxes", "points"], given)
    assert len(boxes) == 1
    (wanted,) = sessions[1].run(["result"], {**given, "points": points})
    assert np.abs(filled.astype(int) - wanted[0]).max() <= 1


@pytest.mark.parametrize("protocol", ["http", "grpc"])
def test_a_triton_server_fills_as_onnxruntime_does(protocol: str, folder: Path) -> None:
    for package in ("tritonclient", {"http": "geventhttpclient", "grpc": "grpc"}[protocol]):
        pytest.importorskip(package, reason="the extra 'triton' is not installed")
    from triton_server import by_grpc, by_http

    for name in ("fill.py", "triton.py"):
        shutil.copy(EXAMPLES / name, folder)

    def run(script: str, out: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        code = f"sys.path.insert(0, {str(folder)!r}); runpy.run_path({str(folder / script)!r}, run_name='__main__')"
        command = [sys.executable, "-I", "-c", NONE_OF_FACEINP + code, "photo.jpg", "mask.png", out, *arguments]
        return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)

    options = ["--grpc"] if protocol == "grpc" else []
    with {"http": by_http, "grpc": by_grpc}[protocol](folder) as server:
        done = run("triton.py", "triton.png", "--server", server, *options)
        assert done.returncode == 0, done.stderr
        (folder / "photo.onnx").rename(folder / "away.onnx")
        unknown = run("triton.py", "no.png", "--server", server, *options)
        (folder / "away.onnx").rename(folder / "photo.onnx")
    assert run("fill.py", "python.png").returncode == 0
    ours, alone = (np.asarray(Image.open(folder / f"{name}.png")) for name in ("triton", "python"))
    assert np.array_equal(ours, alone)
    gone = run("triton.py", "no.png", "--server", server, *options)
    for refused, model in ((unknown, "photo"), (gone, "detector")):
        assert refused.returncode == 1 and refused.stderr.startswith(f"{server} did not fill the photo (")
        assert refused.stderr.endswith(f"Check that Triton runs there with the model {model}.\n")
    assert not (folder / "no.png").exists()


def test_the_examples_are_short() -> None:
    for name, most in {"fill.py": 100, "fill.mjs": 60, "fill.cpp": 150}.items():
        assert len((EXAMPLES / name).read_text().splitlines()) <= most
