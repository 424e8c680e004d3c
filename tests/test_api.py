"""The page's endpoints as programs use them, and what they do with what nobody should send."""

import io
import json
import re
import socket
import struct
import subprocess
import sys
import urllib.error
import urllib.parse
import urllib.request
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skimage.data
from PIL import Image
from serving import ROOT, SLOWLY, Server, serving, until

gradio_client = pytest.importorskip("gradio_client", reason="the extra 'demo' is not installed")

PORTRAIT = skimage.data.astronaut()
# An upload, as a browser sends it: its kind, and what comes before the photo.
FORM = "multipart/form-data; boundary=x"
HEAD = b'--x\r\nContent-Disposition: form-data; name="files"; filename="photo.png"\r\n\r\n'


def png(pixels: np.ndarray) -> bytes:
    written = io.BytesIO()
    Image.fromarray(pixels).save(written, "PNG")
    return written.getvalue()


def hole(shape: tuple[int, int] = (512, 512)) -> bytes:
    mask = np.zeros(shape, np.uint8)
    mask[shape[0] // 5 : shape[0] // 4, shape[1] * 2 // 5 : shape[1] // 2] = 255
    return png(mask)


@pytest.fixture(scope="module")
def client(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("downloads")
    return gradio_client.Client(server.url, verbose=False, download_files=folder, httpx_kwargs=SLOWLY)


@pytest.fixture
def send(client: Any, tmp_path: Path) -> Any:
    """``send(photo, mask, **more)`` -> (filled, facts): bytes, or names of files, to /fill."""
    count = iter(range(100))

    def file(data: bytes | None, name: str) -> Any:
        if data is None:
            return None
        path = tmp_path / str(next(count)) / name
        path.parent.mkdir()
        path.write_bytes(data)
        return gradio_client.handle_file(path)

    def send(photo: bytes | None, mask: bytes | None = None, name: str = "photo.png", **more: Any) -> Any:
        more = {"engine": "telea", "aligned": True} | more
        if isinstance(more.get("second"), bytes):
            more["second"] = file(more["second"], "second.png")
        if isinstance(more.get("references"), list):
            more["references"] = [file(data, "reference.png") for data in more["references"]]
        return client.predict(photo=file(photo, name), mask=file(mask, "mask.png"), api_name="/fill", **more)

    return send


def sending(server: Server, photo: bytes) -> urllib.request.Request:
    """An upload, as a browser sends it."""
    return urllib.request.Request(
        f"{server.url}/gradio_api/upload", HEAD + photo + b"\r\n--x--\r\n", {"Content-Type": FORM}
    )


def uploads(server: Server) -> set[Path]:
    """Pages that were open a while ago may have left some, too."""
    return {file for file in server.files() if "upload-" in str(file)}


@pytest.fixture
def alive(server: Server, send: Any) -> Any:
    """Afterwards the server answers as before, and holds no file of the one it refused."""
    before = uploads(server)
    yield
    filled, facts = send(png(PORTRAIT), hole())
    assert facts["changed_pixels"] == 0 and Path(filled).exists()
    assert uploads(server) <= before


@pytest.mark.parametrize(
    ("language", "number", "says"),
    [
        ("python", 0, "telea.*not evidence of identity"),
        ("python", 1, r"% of the photo: \{"),
        ("python", 2, r"filled\.png \{'\w"),
        ("sh", 3, ""),
    ],
)
def test_the_examples_of_the_docs_run(language: str, number: int, says: str, server: Server, tmp_path: Path) -> None:
    examples = re.findall(r"```(\w+)\n(.*?)```", (ROOT / "docs" / "demo.md").read_text(), re.DOTALL)
    assert len(examples) == 4 and examples[number][0] == language
    example = examples[number][1].replace("http://127.0.0.1:7860", server.url)
    (tmp_path / "photo.png").write_bytes(png(PORTRAIT))
    command = [sys.executable, "-c", example] if language == "python" else ["bash", "-euc", example]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=240)
    assert done.returncode == 0, done.stderr
    assert re.search(f"(?s){says}", done.stdout)
    if language == "sh":
        with Image.open(tmp_path / "filled.png") as filled:
            assert filled.size == (512, 512) and filled.text["faceinp:engine"] == "telea"


def test_known_pixels_leave_as_they_came(send: Any) -> None:
    filled, facts = send(png(PORTRAIT), hole())
    pixels, mask = np.asarray(Image.open(filled)), np.asarray(Image.open(io.BytesIO(hole()))) > 0
    assert np.array_equal(pixels[~mask], PORTRAIT[~mask]) and (pixels[mask] != PORTRAIT[mask]).any()
    assert facts["known_pixels"] == np.count_nonzero(~mask) and facts["size"] == [512, 512]


def test_landmarks_that_come_back_moved_move_the_face_and_a_second_photo_is_judged_by(send: Any) -> None:
    order = {"preset": "lower-face", "engine": "landmark", "aligned": False}
    first, facts = send(png(PORTRAIT), None, **order)
    points = np.array(facts["landmarks"])
    assert points.shape == (68, 2) and facts["identity"]["second"] is None
    moved = points.copy()
    moved[48:, 1] -= 12
    second, facts = send(png(PORTRAIT), None, landmarks=moved.tolist(), second=png(PORTRAIT[:, ::-1]), **order)
    assert np.allclose(facts["landmarks"], moved, atol=0.01) and facts["changed_pixels"] == 0
    assert facts["identity"]["second"]["probability"] > 0 and facts["identity"]["second_floor"]
    before, after = (np.asarray(Image.open(file)).astype(int) for file in (first, second))
    assert np.abs(after - before).max() > 20, "the fill follows its landmarks"
    again, _ = send(png(PORTRAIT), None, landmarks=points.tolist(), **order)
    assert np.abs(np.asarray(Image.open(again)) - before).max() <= 1, "its own landmarks change nothing"


def test_references_are_compared_with_unless_they_were_used_and_every_source_has_its_share(
    send: Any, server: Server
) -> None:
    before = uploads(server)
    mirrored, closer = png(PORTRAIT[:, ::-1]), png(PORTRAIT[20:400, 60:440])
    order = {"preset": "lower-face", "aligned": False, "references": [mirrored, closer], "reference_check": False}
    _, facts = send(png(PORTRAIT), None, symmetry=True, **order)
    assert facts["changed_pixels"] == 0
    assert sum(facts["sources"].values()) == pytest.approx(1, abs=0.01)
    names = {"engine", "symmetry", "surroundings", "reference 1", "reference 2"}
    assert facts["sources"].keys() <= names
    others = facts["identity"]["others"]
    assert len(others) == 2 and all(bool(other["filled"]) != bool(other["left_out"]) for other in others)
    for number, (reference, other) in enumerate(zip(facts["references"], others, strict=False), 1):
        assert reference["share"] == pytest.approx(facts["sources"].get(f"reference {number}", 0), abs=0.001)
        assert bool(other["left_out"]) == (reference["share"] > 0)
    assert uploads(server) <= before


def test_an_engine_that_draws_no_face_fills_alone_unless_it_is_asked(send: Any) -> None:
    _, facts = send(png(PORTRAIT), None, preset="eyes", aligned=False)
    assert facts["sources"] == {"engine": 1.0} and facts["references"] == [] and facts["identity"]["others"] == []


def test_every_engine_says_whether_it_runs_here(client: Any) -> None:
    engines = {engine["name"]: engine for engine in client.predict(api_name="/engines")}
    assert engines["landmark"]["ready"] and engines["telea"]["seconds"] > 0
    assert all(engine["about"] and bool(engine["missing"]) != engine["ready"] for engine in engines.values())


def test_a_name_and_a_password_are_asked_for_where_they_are_set(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "demo", "--auth", "me:secret"]
    with serving(tmp_path, command=command) as served:
        for address in ("config", "gradio_api/info"):
            with pytest.raises(urllib.error.HTTPError) as refused:
                urllib.request.urlopen(f"{served.url}/{address}", timeout=20)
            assert refused.value.code == 401
        client = gradio_client.Client(served.url, auth=("me", "secret"), verbose=False, httpx_kwargs=SLOWLY)
        assert client.predict(api_name="/engines")


def test_a_server_without_weights_says_what_is_missing_and_not_where(tmp_path: Path) -> None:
    empty = tmp_path / "nothing-in-it"
    empty.mkdir()
    Image.fromarray(PORTRAIT).save(tmp_path / "photo.png")
    order = {"photo": gradio_client.handle_file(tmp_path / "photo.png"), "preset": "glasses", "api_name": "/fill"}
    with serving(tmp_path, FACEINP_WEIGHTS=str(empty)) as served:
        client = gradio_client.Client(served.url, verbose=False, download_files=tmp_path, httpx_kwargs=SLOWLY)
        missing = {engine["name"]: engine["missing"] for engine in client.predict(api_name="/engines")}
        assert "completion.safetensors does not exist" in missing["landmark"]
        with pytest.raises(
            gradio_client.exceptions.AppError, match=r"completion\.safetensors does not exist"
        ) as refused:
            client.predict(**order, engine="landmark-onnx")
        _, facts = client.predict(**order, engine="telea")
        assert facts["no_judge"]
        with urllib.request.urlopen(served.url, timeout=60) as answer:
            page = answer.read().decode()
        assert "completion.safetensors does not exist" in page
        for told in (json.dumps(missing), str(refused.value), json.dumps(facts), page):
            assert str(empty) not in told


def bomb(side: int) -> bytes:
    """A small PNG of side x side pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    packed = zlib.compressobj(9)
    data = b"".join(packed.compress(bytes(1 + 3 * side)) for _ in range(200)) + packed.flush()
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def gif() -> bytes:
    written = io.BytesIO()
    Image.fromarray(PORTRAIT).save(written, "GIF")
    return written.getvalue()


SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><image href="file:///etc/passwd"/></svg>'
POINTS = [[float(x), 200.0] for x in range(68)]
HEIC = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(200)


@pytest.mark.parametrize(
    ("photo", "mask", "more", "says"),
    [
        (bomb(60_000), hole(), {}, "megapixels"),
        (png(PORTRAIT)[:9000], hole(), {}, "photo|picture"),
        (b"", hole(), {}, "photo|picture|empty"),
        (b"just words", hole(), {}, "photo|picture"),
        (SVG, hole(), {"name": "photo.svg"}, "SVG"),
        (gif(), hole(), {"name": "photo.gif"}, "GIF"),
        (HEIC, hole(), {"name": "photo.heic"}, "HEIC"),
        (png(PORTRAIT[:1, :1]), hole((1, 1)), {}, "."),
        (png(PORTRAIT), png(np.zeros((512, 512), np.uint8)), {}, "."),
        (png(PORTRAIT), b"just words", {}, "mask|picture"),
        (png(PORTRAIT), None, {}, "exactly one of"),
        (None, hole(), {}, "photo"),
        (png(PORTRAIT), hole(), {"engine": "../../etc/passwd"}, "Unknown engine"),
        (png(PORTRAIT), hole(), {"engine": "x" * 100_000}, "Unknown engine"),
        (png(PORTRAIT), hole(), {"seed": -1}, "seed"),
        (png(PORTRAIT), hole(), {"seed": 10**30}, "seed"),
        (png(PORTRAIT), hole(), {"seed": "0; rm -rf"}, "seed"),
        (png(PORTRAIT), hole(), {"seed": [1, 2]}, "seed"),
        (png(PORTRAIT), hole(), {"iterations": 10**9, "engine": "structural"}, "iterations"),
        (png(PORTRAIT), hole(), {"face": 10**9}, "face"),
        (png(PORTRAIT), hole(), {"aligned": "perhaps"}, "aligned"),
        (png(PORTRAIT), hole(), {"blending": "magic"}, "blending"),
        (png(PORTRAIT), hole(), {"mask_hole": "green"}, "mask_hole"),
        (png(PORTRAIT), None, {"preset": "random-1000000"}, "preset"),
        (png(PORTRAIT), None, {"preset": "x" * 100_000}, "Unknown preset"),
        (png(PORTRAIT), None, {"preset": "eyes", "seed": {"a": 1}}, "seed"),
        (png(PORTRAIT), hole(), {"second": b"just words"}, "second photo"),
        (png(PORTRAIT), hole(), {"second": bomb(60_000)}, "second photo.*megapixels"),
        (png(PORTRAIT), hole(), {"references": [png(PORTRAIT), b"just words"]}, "Reference 2"),
        (png(PORTRAIT), hole(), {"references": [bomb(60_000)]}, "Reference 1.*megapixels"),
        (png(PORTRAIT), hole(), {"references": [png(PORTRAIT[:8, :8])] * 9}, "9 references"),
        (png(PORTRAIT), hole(), {"symmetry": "both"}, "symmetry"),
        (png(PORTRAIT), hole(), {"reference_check": None}, "reference_check"),
        (png(PORTRAIT), hole(), {"landmarks": POINTS}, "does not use landmarks"),
        *(
            (png(PORTRAIT), hole(), {"landmarks": wrong, "engine": "landmark"}, "68 pairs")
            for wrong in (
                [],
                POINTS[1:],
                [*POINTS[1:], [1, 2, 3]],
                [*POINTS[1:], [1, "2"]],
                [*POINTS[1:], [True, 2]],
                [*POINTS[1:], [1e300, 2]],
                [*POINTS[1:], [10**400, 2]],
                [*POINTS[1:], [[1, 2]]],
                POINTS * 10_000,
                {"x": 1},
                "everywhere",
                68,
            )
        ),
    ],
    ids=lambda value: repr(value)[:24],
)
def test_what_cannot_be_filled_is_one_clear_message(
    photo: bytes | None, mask: bytes | None, more: dict[str, Any], says: str, send: Any, server: Server
) -> None:
    before = uploads(server)
    with pytest.raises(gradio_client.exceptions.AppError, match=f"(?s){says}") as refused:
        send(photo, mask, **more)
    said = str(refused.value)
    assert len(said) < 600 and "Traceback" not in said and str(server.folder) not in said
    assert uploads(server) <= before, "what was refused is gone"


def test_a_photo_of_50_megapixels_is_filled_at_its_size(send: Any, alive: None) -> None:
    large = np.full((6144, 8192, 3), 128, np.uint8)
    large[:, :6144] = np.repeat(np.repeat(PORTRAIT, 12, axis=0), 12, axis=1)
    photo = Image.fromarray(large[:, :6144])
    written = io.BytesIO()
    photo.save(written, "JPEG", quality=60)
    filled, facts = send(written.getvalue(), None, name="photo.jpg", preset="eyes", aligned=False)
    assert facts["size"] == [6144, 6144] and facts["changed_pixels"] == 0
    with Image.open(filled) as picture:
        assert picture.size == (6144, 6144)


@pytest.mark.parametrize("name", ["..%2f..%2fphoto.png", "a" * 300 + ".png", "photo\n.png", "☃.png", ".png", "CON.png"])
def test_names_of_files_lead_nowhere(name: str, server: Server, alive: None) -> None:
    boundary = "frontier"
    body = (
        f'--{boundary}\r\nContent-Disposition: form-data; name="files"; filename="../../{name}"\r\n'
        "Content-Type: image/png\r\n\r\n"
    ).encode() + png(PORTRAIT)
    request = urllib.request.Request(
        f"{server.url}/gradio_api/upload",
        body + f"\r\n--{boundary}--\r\n".encode(),
        {"Content-Type": f"multipart/form-data; boundary={boundary}"},
    )
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            (path,) = json.load(answer)
    except urllib.error.HTTPError as error:
        assert error.code < 500
        return
    assert Path(path).resolve().is_relative_to(server.folder)
    assert call(server, photo={"path": path}, preset="eyes", engine="telea")[0] == "complete"


@pytest.mark.parametrize(
    "path",
    ["/etc/passwd", "../../../../etc/passwd", str(ROOT / "README.md"), "", "/proc/self/environ", "C:\\boot.ini"],
)
def test_nothing_outside_of_its_folder_is_read(path: str, server: Server, alive: None) -> None:
    kind, _ = call(server, photo={"path": path}, preset="eyes", engine="telea")
    assert kind == "error"
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(f"{server.url}/gradio_api/file={urllib.request.pathname2url(path)}", timeout=20)
    assert refused.value.code in (403, 404)


def test_an_upload_ends_at_its_limit(server: Server, alive: None) -> None:
    with pytest.raises((urllib.error.HTTPError, ConnectionError, urllib.error.URLError)) as refused:
        urllib.request.urlopen(sending(server, bytes(130 << 20)), timeout=120)
    assert not isinstance(refused.value, urllib.error.HTTPError) or refused.value.code == 413


def test_an_upload_that_is_cut_off_leaves_no_file_and_no_error(server: Server, alive: None) -> None:
    before, address = uploads(server), urllib.parse.urlsplit(server.url)
    with socket.create_connection((str(address.hostname), address.port or 80)) as sender:
        sender.sendall(
            b"POST /gradio_api/upload HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n"
            + f"Content-Type: {FORM}\r\n\r\n".encode()
            + HEAD
            + bytes(100_000)
        )
        until(lambda: uploads(server) - before)
    until(lambda: not uploads(server) - before)  # at the server's end its log is looked at, too


def test_one_photo_sent_twice_is_two_files_and_each_goes_by_itself(server: Server) -> None:
    paths = []
    for _ in range(2):
        with urllib.request.urlopen(sending(server, png(PORTRAIT)), timeout=60) as answer:
            paths += [Path(path) for path in json.load(answer)]
    assert len(set(paths)) == 2 and all(path.is_file() and "/upload-" in str(path) for path in paths)
    others = set(server.files()) - set(paths)
    assert call(server, photo={"path": str(paths[0])}, preset="eyes", engine="telea")[0] == "complete"
    assert not paths[0].exists() and paths[1].is_file()
    left = set(server.files()) - set(paths) - others
    assert all("/result-" in str(file) for file in left), "nothing lies beside a photo"
    assert call(server, photo={"path": str(paths[1])}, preset="eyes", engine="telea")[0] == "complete"
    assert not paths[1].exists()


def test_a_folder_is_no_photo_and_stays(server: Server, alive: None) -> None:
    root = next(server.folder.glob("faceinp-demo-*"))
    kind, _ = call(server, photo={"path": str(root)}, preset="eyes", engine="telea")
    assert kind == "error" and root.is_dir()


def call(server: Server, **arguments: Any) -> tuple[str, str]:
    """The last event of a call of /fill without a client that checks what is sent: its kind and its data."""
    photo = arguments.get("photo")
    if isinstance(photo, dict):
        photo["meta"] = {"_type": "gradio.FileData"}
    address = f"{server.url}/gradio_api/call"
    request = urllib.request.Request(
        f"{address}/v2/fill", json.dumps(arguments).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        event = json.load(answer)["event_id"]
    with urllib.request.urlopen(f"{address}/fill/{event}", timeout=240) as answer:
        lines = answer.read().decode().strip().splitlines()
    events = [line.removeprefix("event: ") for line in lines if line.startswith("event: ")]
    return events[-1], lines[-1]
