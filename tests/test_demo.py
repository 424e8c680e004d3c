"""The page as it is put together: what it says, what it offers, what it draws, and how it is started."""

import subprocess
import sys

import numpy as np
import pytest
from serving import ROOT

import faceinp

pytest.importorskip("gradio", reason="the extra 'demo' is not installed")

from demo import app, looks, pictures, words
from demo.__main__ import _auth


@pytest.mark.parametrize(
    ("said", "read"),
    [
        (
            "are missing: /srv/page/weights/completion.safetensors is not there.",
            "are missing: completion.safetensors is",
        ),
        ("(`python -m export.onnx completion -o /root/.cache/faceinp/export-1` was", "completion -o export-1` was"),
        ("No module in '/usr/lib/python3/a b.py'", "No module in 'a b.py'"),
        ("/tmp/one/two is full", "two is full"),
        ("fetched from https://example.org/a/b.pt", "fetched from https://example.org/a/b.pt"),
        ("10 / 20, and/or 1/2 of it", "10 / 20, and/or 1/2 of it"),
    ],
)
def test_people_read_names_of_files_and_no_folders(said: str, read: str) -> None:
    assert read in words.for_people(faceinp.EngineError(said))
    assert "/srv/" not in words.say(words.for_people(faceinp.EngineError(said)), error=True)


def test_what_an_upload_or_a_note_says_is_never_markup() -> None:
    assert "<script>" not in words.say("<script>alert(1)</script>", error=True)


def test_the_page_asks_nobody_for_anything_and_offers_three_endpoints() -> None:
    page = app.build()
    assert not page.analytics_enabled
    assert page.delete_cache is not None
    assert not [line for line in looks.theme()._stylesheets if line]
    public = {d["api_name"] for d in page.get_config_file()["dependencies"] if d["api_visibility"] == "public"}
    assert public == {"fill", "engines", "identity"}


def test_no_progress_is_shown_on_the_editor() -> None:
    config = app.build().get_config_file()
    (editor,) = (part["id"] for part in config["components"] if part["type"] == "imageeditor")
    shown = [event["show_progress_on"] or event["outputs"] for event in config["dependencies"]]
    assert sum(editor in event["outputs"] for event in config["dependencies"]) >= 8
    assert not any(editor in where for where in shown), "it would stay there on a busy machine"


def test_a_seam_is_seen_and_none_where_none_is() -> None:
    hole = np.zeros((40, 40), np.bool_)
    hole[10:30, 10:30] = True
    slope = np.repeat(np.arange(40, dtype=np.uint8)[None, :, None] * 3, 40, axis=0).repeat(3, axis=2)
    assert abs(pictures.seam(slope, hole)) < 0.1
    stepped = slope.copy()
    stepped[hole] += 50
    assert pictures.seam(stepped, hole) > 30


def test_landmarks_go_to_the_face_and_back() -> None:
    points = np.random.default_rng(0).uniform(100, 200, (68, 2)).astype(np.float32)
    window, shape = (90, 80, 210, 220), (640, 549, 3)
    back = pictures.to_photo(pictures.to_face(points, window, shape), window, shape)
    assert np.allclose(points, back, atol=1e-3)
    face = np.zeros(shape, np.uint8)
    drawn = pictures.draw_landmarks(face, points, window, 30)
    x, y = pictures.to_face(points, window, shape)[30].round().astype(int)
    assert drawn[y, x].tolist() == list(pictures.RED)


def test_a_name_and_a_password_are_read_at_the_first_colon() -> None:
    assert _auth("me:a:b") == ("me", "a:b")


@pytest.mark.parametrize("text", ["me", "me:", ":secret"])
def test_half_a_login_is_refused(text: str) -> None:
    command = [sys.executable, "-m", "demo", "--auth", text]
    done = subprocess.run(command, check=False, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 2 and "USER:PASSWORD" in done.stderr
