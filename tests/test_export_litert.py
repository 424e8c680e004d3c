"""LiteRT files do what torch does, under the names that the ONNX files have."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("onnxscript", reason="the extra 'export' is not installed")

from faceinp.export import litert, parity
from faceinp.export.graphs import Built

from faceinp.errors import FaceinpError, WeightsError

SIDE = 128


@pytest.fixture(scope="module")
def file(small_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The restorer of small networks."""
    pytest.importorskip("litert_torch", reason="the extra 'litert' is not installed")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FACEINP_WEIGHTS", str(small_folder))
        return litert.export("restorer", tmp_path_factory.mktemp("litert"), size=SIDE)


@pytest.mark.slow
def test_other_programs_call_it_by_name(file: Path) -> None:
    interpreter = pytest.importorskip("ai_edge_litert.interpreter").Interpreter(str(file))
    image = np.random.default_rng(0).integers(0, 256, (1, SIDE, SIDE, 3), np.uint8)
    mask = np.zeros((1, SIDE, SIDE), np.uint8)
    mask[:, 40:90, 30:100] = 255
    landmarks = np.full((1, 68, 2), -1, np.float32)
    answered = interpreter.get_signature_runner()(image=image, mask=mask, landmarks=landmarks)
    assert np.array_equal(answered["result"][mask == 0], image[mask == 0])
    assert (answered["result"] != image).any()
    assert answered["points"].shape == (1, 68, 2) and answered["face"].shape == (1,)


@pytest.mark.slow
def test_it_is_described_and_compared_again(file: Path, small_weights: Path) -> None:
    about = json.loads(file.with_name("restorer.tflite.json").read_text())
    assert about["limits"]["axes"]["height"] == {"least": SIDE, "most": SIDE, "multiple": 1}
    assert about["limits"]["inputs"]["image"]["type"] == "uint8" and about["batch"] == [1, 1]
    assert {error["output"] for error in about["errors"]} == {"result", "points", "face"}
    assert parity.main([str(file)]) == 0
    assert len(list(file.parent.iterdir())) == 2


@pytest.mark.slow
def test_one_of_other_weights_is_not_compared(file: Path) -> None:
    with pytest.raises(WeightsError, match="other weights"):
        parity.check(file)


def test_one_that_is_another_network_is_not_left_behind(
    small_weights: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    pytest.importorskip("litert_torch", reason="the extra 'litert' is not installed")
    run = litert.runner

    def wrong(file: Path, built: Built) -> parity.Runner:
        return lambda given: [value + 0.01 for value in run(file, built)(given)]

    monkeypatch.setattr(litert, "runner", wrong)
    with pytest.raises(parity.ParityError, match=r"dcgan\.tflite does not compute the same as torch"):
        litert.export("dcgan", tmp_path)
    assert not list(tmp_path.iterdir())


def test_whole_photos_are_refused(tmp_path: Path) -> None:
    with pytest.raises(FaceinpError, match="photos of any size"):
        litert.export("photo", tmp_path)


def test_without_the_converter_the_pip_line_is_told(
    small_weights: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "litert_torch", None)
    assert litert.main(["dcgan", "-o", str(tmp_path)]) == 5
    assert "pip install 'faceinp[litert]'" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
