"""The page's endpoints as programs use them."""

import io
import json
import re
import subprocess
import sys
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from api_calls import PORTRAIT, hole, png, uploads
from PIL import Image
from serving import ROOT, SLOWLY, Server, serving

gradio_client = pytest.importorskip("gradio_client", reason="the extra 'demo' is not installed")


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
