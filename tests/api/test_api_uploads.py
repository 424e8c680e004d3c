"""Uploads: their size, their names, and that they go."""

import io
import json
import socket
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from api_calls import FORM, HEAD, PORTRAIT, call, png, sending, uploads
from PIL import Image
from serving import Server, until


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
