"""What cannot be filled is one clear message, and nothing outside of its folder is read."""

import io
import struct
import urllib.error
import urllib.parse
import urllib.request
import zlib
from typing import Any

import numpy as np
import pytest
from api_calls import PORTRAIT, call, hole, png, uploads
from PIL import Image
from serving import ROOT, Server

gradio_client = pytest.importorskip("gradio_client", reason="the extra 'demo' is not installed")


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


def test_a_folder_is_no_photo_and_stays(server: Server, alive: None) -> None:
    root = next(server.folder.glob("faceinp-demo-*"))
    kind, _ = call(server, photo={"path": str(root)}, preset="eyes", engine="telea")
    assert kind == "error" and root.is_dir()
