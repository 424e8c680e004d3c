"""Calls of the page's endpoints, and photos to send."""

import io
import json
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any

import numpy as np
import skimage.data
from PIL import Image
from serving import Server

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


def sending(server: Server, photo: bytes) -> urllib.request.Request:
    """An upload, as a browser sends it."""
    return urllib.request.Request(
        f"{server.url}/gradio_api/upload", HEAD + photo + b"\r\n--x--\r\n", {"Content-Type": FORM}
    )


def uploads(server: Server) -> set[Path]:
    """Pages that were open a while ago may have left some, too."""
    return {file for file in server.files() if "upload-" in str(file)}


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
