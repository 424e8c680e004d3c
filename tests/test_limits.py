"""What an exported file takes is said in the file and beside it, and anything else is refused in a sentence."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import faceinp
from faceinp.errors import EngineError, WeightsError
from faceinp.models import input_limits, sessions, sidecar

Exported = Callable[..., Path]


def restorer(count: int = 1, height: int = 64, width: int = 48, **other: Any) -> dict[str, np.ndarray]:
    return {
        "image": np.zeros((count, height, width, 3), np.uint8),
        "mask": np.ones((count, height, width), np.uint8),
        "landmarks": np.full((count, 68, 2), -1, np.float32),
    } | other


def completion(count: int, height: int, width: int) -> dict[str, np.ndarray]:
    channels = {"picture": 3, "mask": 1, "landmark_map": 5}
    return {name: np.zeros((count, number, height, width), np.float32) for name, number in channels.items()}


@pytest.fixture(scope="module", params=["onnxruntime", "openvino"])
def opened(request: pytest.FixtureRequest, exported: Exported) -> sessions.Session:
    """The restorer, open on each runtime."""
    pytest.importorskip(request.param, reason=f"{request.param} is not installed")
    return {"onnxruntime": sessions.OnnxFile, "openvino": sessions.OpenvinoFile}[request.param](exported("restorer"))


@pytest.mark.parametrize(
    ("inputs", "said"),
    [
        (restorer(0), "batch must be 1 to 16, got 0 in image"),
        (restorer(17), "batch must be 1 to 16, got 17"),
        (restorer(1, 8, 64), "height must be 16 to 4096, got 8"),
        (
            restorer(mask=np.ones((1, 32, 48), np.uint8)),
            "height must be the same in all inputs, got 64 in image, 32 in mask",
        ),
        (
            restorer(landmarks=np.zeros((2, 68, 2), np.float32)),
            "batch must be the same in all inputs, got 1 in image, 2 in landmarks",
        ),
        (
            restorer(landmarks=np.zeros((1, 5, 2), np.float32)),
            r"landmarks must be float32 \(batch, 68, 2\), got .* 5, 2",
        ),
        (restorer(image=np.zeros((1, 64, 48, 3))), "image must be uint8 .*, got float64"),
        ({"image": np.zeros((1, 64, 48, 3), np.uint8)}, "inputs must be image, mask, landmarks, got image"),
    ],
)
def test_what_a_restorer_does_not_take_is_a_sentence(
    inputs: dict[str, np.ndarray], said: str, opened: sessions.Session
) -> None:
    with pytest.raises(EngineError, match=said) as raised:
        opened.run(inputs)
    assert "ONNXRuntime" not in str(raised.value)


def test_a_restorer_that_refused_goes_on(opened: sessions.Session) -> None:
    with pytest.raises(EngineError):
        opened.run(restorer(0))
    assert opened.run(restorer(2))[0].shape == (2, 64, 48, 3)


def test_sides_of_the_completion_are_multiples_of_32(exported: Exported) -> None:
    opened = sessions.OnnxFile(exported("completion"))
    with pytest.raises(EngineError, match=r"height must be a multiple of 32 from 64 to 4096, got 250"):
        opened.run(completion(1, 250, 250))
    assert opened.run(completion(1, 64, 96))[0].shape == (1, 3, 64, 96)


def test_limits_stand_in_the_file_and_beside_it(exported: Exported) -> None:
    onnx = pytest.importorskip("onnx")
    file = exported("completion")
    said = {entry.key: entry.value for entry in onnx.load(file).metadata_props}
    assert json.loads(said["faceinp.limits"]) == sidecar.read(file)["limits"]
    assert sidecar.read(file)["limits"]["axes"] == {
        "batch": {"least": 1, "most": 16, "multiple": 1},
        "height": {"least": 64, "most": 4096, "multiple": 32},
        "width": {"least": 64, "most": 4096, "multiple": 32},
    }


def test_the_engine_gives_a_file_as_many_as_it_takes(small_weights: Path, tmp_path: Path, exported: Exported) -> None:
    from faceinp.export import onnx

    pair = onnx.export("landmarks", tmp_path, batch=(1, 2))
    engine = faceinp.load_engine("landmark", {"file": exported("completion"), "predictor": pair})
    crops, masks = np.zeros((5, 3, 256, 256), np.float32), np.zeros((5, 1, 256, 256), np.bool_)
    masks[..., 80:150, 60:180] = True
    assert engine.predict_landmarks(crops, masks).shape == (5, 68, 2)
    other = faceinp.load_engine("landmark", {"file": exported("completion"), "predictor": exported("landmarks")})
    with pytest.raises(EngineError, match=r"picture must be float32 \(batch, 3, 128, 128\), got .*256, 256"):
        other.predict_landmarks(crops, masks)


@pytest.mark.parametrize(
    "odd",
    [
        [],
        {},
        {"inputs": {}, "axes": {"batch": {"least": 1, "most": "many", "multiple": 1}}},
        {"inputs": {}, "axes": {"batch": {"least": 1, "most": 16, "multiple": 0}}},
        {"inputs": {"picture": {"type": "float32", "shape": [-1]}}, "axes": {}},
        {"inputs": {"picture": {"type": "float32", "shape": [["batch"]]}}, "axes": {}},
        {"inputs": {"picture": {"type": None, "shape": []}}, "axes": {}},
    ],
)
def test_odd_limits_are_refused_when_the_file_is_opened(odd: Any, onnx_file: Path, tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx")
    model, file = onnx.load(onnx_file), tmp_path / "odd.onnx"
    entry = model.metadata_props.add()
    entry.key, entry.value = "faceinp.limits", json.dumps(odd)
    onnx.save(model, file)
    with pytest.raises(WeightsError, match="has invalid metadata"):
        sessions.OnnxFile(file)


def test_limits_are_read_back_as_they_were_written() -> None:
    known = input_limits.Limits(
        {"z": input_limits.Input("float32", ("batch", 100))},
        {"batch": input_limits.Axis(1, 16), "height": input_limits.Axis(64, 96, 32)},
    )
    assert input_limits.from_json(json.loads(json.dumps(known.as_json()))) == known
    assert input_limits.at_once({}, 8) == 8 and input_limits.at_once({"limits": known.as_json()}, 32) == 16
