"""``onnx:FILE``: somebody else's network sees what its sidecar says, and what it makes is blended like ours."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from skimage import data as pictures

import faceinp
from faceinp.cli.main import main
from faceinp.errors import EngineError, WeightsError

onnx = pytest.importorskip("onnx", reason="the extra 'export' is not installed")
pytest.importorskip("onnxruntime", reason="the extra 'export' is not installed")

from onnx import TensorProto, helper  # noqa: E402

NAN, INFINITY = float("nan"), float("inf")
SIDECAR = {
    "size": 64,
    "picture": {"name": "image", "range": [-1, 1]},
    "mask": {"name": "mask", "hole": 0, "known": 1},
    "result": {"name": "output", "range": [0, 255]},
}


def put(
    folder: Path,
    sidecar: dict[str, Any],
    *,
    kind: int = TensorProto.FLOAT,
    layout: str = "NCHW",
    sides: tuple[Any, Any] = ("h", "w"),
) -> Path:
    """A network that answers 100 * image + 50 * mask, its largest value first: what it saw can be read off."""
    side: list[Any] = ["n", *([3, *sides] if layout == "NCHW" else [*sides, 3])]
    hole = ["n", *([1, *sides] if layout == "NCHW" else [*sides, 1])]
    nodes = [
        helper.make_node("Cast", ["image"], ["floats"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["floats", "hundred"], ["scaled"]),
        helper.make_node("Cast", ["mask"], ["holes"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["holes", "fifty"], ["marked"]),
        helper.make_node("Add", ["scaled", "marked"], ["output"]),
    ]
    numbers = [helper.make_tensor(n, TensorProto.FLOAT, [], [v]) for n, v in (("hundred", 100.0), ("fifty", 50.0))]
    graph = helper.make_graph(
        nodes,
        "foreign",
        [helper.make_tensor_value_info("image", kind, side), helper.make_tensor_value_info("mask", kind, hole)],
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, side)],
        numbers,
    )
    file = folder / "theirs.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), file)
    (folder / "theirs.onnx.json").write_text(json.dumps(sidecar))
    return file


def crop(side: int = 64) -> tuple[np.ndarray, np.ndarray]:
    """Red is 1, green is .75, blue is .5; a hole in the middle."""
    picture = np.ones((1, 3, side, side), np.float32) * np.float32([1, 0.75, 0.5]).reshape(1, 3, 1, 1)
    mask = np.zeros((1, 1, side, side), np.bool_)
    mask[..., 20:40, 20:40] = True
    return picture, mask


def test_ranges_and_the_mask_s_polarity_are_the_sidecar_s(tmp_path: Path) -> None:
    engine = faceinp.load_engine(f"onnx:{put(tmp_path, SIDECAR)}")
    assert engine.name == "onnx:theirs.onnx" and engine.size == engine.largest == 64
    assert engine.runtime.startswith("onnxruntime") and engine.runtime.endswith("cpu")
    filled = engine.fill(*crop())[0]
    # Known: 100 * (1, .5, 0) + 50 * 1; in the hole: grey is 0, and so is the mask.
    assert filled[:, 0, 0] == pytest.approx(np.array([150, 100, 50]) / 255, abs=1e-6)
    assert filled[:, 30, 30] == pytest.approx(0, abs=1e-6)


def test_other_layouts_channels_and_types(tmp_path: Path) -> None:
    other = {
        "size": 64,
        "picture": {"name": "image", "range": [0, 2], "layout": "NHWC", "channels": "BGR"},
        "mask": {"name": "mask", "hole": 1, "known": 0, "layout": "NHWC"},
        "result": {"name": "output", "range": [0, 250], "layout": "NHWC", "channels": "BGR"},
    }
    file = put(tmp_path, other, kind=TensorProto.UINT8, layout="NHWC")
    filled = faceinp.load_engine(f"onnx:{file}").fill(*crop())[0]
    # As whole numbers the picture is 2, 2 (1.5 rounded) and 1, in BGR: turned back, red is 2.
    assert filled[:, 0, 0] == pytest.approx([0.8, 0.8, 0.4], abs=1e-6)
    assert filled[:, 30, 30] == pytest.approx([0.6, 0.6, 0.6], abs=1e-6)
    other["picture"] |= {"channels": "RGB"}
    filled = faceinp.load_engine(f"onnx:{put(tmp_path, other, kind=TensorProto.UINT8, layout='NHWC')}").fill(*crop())
    assert filled[0, :, 0, 0] == pytest.approx([0.4, 0.8, 0.8], abs=1e-6)


def test_a_network_of_many_sizes_is_padded_to_its_multiple(tmp_path: Path) -> None:
    file = put(tmp_path, SIDECAR | {"largest": 100, "multiple_of": 16}, sides=(80, 80))
    engine = faceinp.load_engine(f"onnx:{file}")
    filled = engine.fill(*crop(70))
    assert filled.shape == (1, 3, 70, 70) and filled[0, 0, 69, 69] == pytest.approx(150 / 255)
    with pytest.raises(EngineError, match="up to 100 pixels a side, got 101"):
        engine.fill(*crop(101))


@pytest.mark.model
def test_the_shell_fills_with_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = put(tmp_path, SIDECAR)
    photo = pictures.astronaut()[20:148, 150:278]
    Image.fromarray(photo).save(tmp_path / "photo.png")
    hole = np.zeros((128, 128), np.uint8)
    hole[40:60, 50:90] = 255
    Image.fromarray(hole).save(tmp_path / "mask.png")
    arguments = ["--mask", str(tmp_path / "mask.png"), "-o", str(tmp_path / "out.png"), "--aligned"]
    assert main(["fill", str(tmp_path / "photo.png"), *arguments, "--engine", f"onnx:{file}"]) == 0
    said = capsys.readouterr().out
    assert "filled by onnx:theirs.onnx (onnxruntime" in said and "known pixels changed: 0 of" in said
    after = np.asarray(Image.open(tmp_path / "out.png"))
    assert np.array_equal(after[hole == 0], photo[hole == 0]) and not np.array_equal(after, photo)


@pytest.mark.parametrize(
    ("sidecar", "said"),
    [
        ({"size": 64}, "must specify size, picture, mask and result"),
        (SIDECAR | {"mask": {"name": "mask", "hole": 1, "known": 1}}, "1 and 1 are equal in float32, in 'mask'"),
        (SIDECAR | {"mask": {"name": "mask", "hole": NAN, "known": 1}}, "'hole' must be a number"),
        (SIDECAR | {"picture": {"name": "image", "range": [0, INFINITY]}}, "'range' must be 2 numbers.*in 'picture'"),
        (SIDECAR | {"result": {"name": "output", "range": [NAN, 1]}}, "'range' must be 2 numbers.*in 'result'"),
        (SIDECAR | {"picture": [1]}, "'picture' must be an object"),
        (SIDECAR | {"picture": {"name": ["image"], "range": [0, 1]}}, "'name' must be one line of text"),
        (SIDECAR | {"size": INFINITY}, "'size' must be a whole number from 1"),
        (SIDECAR | {"size": 0}, "'size'"),
        (SIDECAR | {"size": 10**12}, "'size'"),
        (SIDECAR | {"largest": 32}, "'largest' must be a whole number from 64"),
        (SIDECAR | {"multiple_of": 0}, "'multiple_of'"),
        (SIDECAR | {"multiple_of": -3}, "'multiple_of'"),
        (SIDECAR | {"taught_by": [["facenet"]]}, "'taught_by' must be a list of names"),
        ({"engine": None} | SIDECAR, "'size' is missing"),
        (SIDECAR | {"mask": {"name": "image", "hole": 1, "known": 0}}, r"are \['image', 'mask'\]"),
        (SIDECAR | {"picture": {"name": "photo", "range": [0, 1]}}, r"are \['image', 'mask'\]"),
        (SIDECAR | {"picture": {"name": "image", "range": [0, 1], "layout": "CHW"}}, "CHW"),
    ],
)
def test_a_sidecar_that_does_not_suit_is_named(sidecar: dict[str, Any], said: str, tmp_path: Path) -> None:
    file = put(tmp_path, sidecar)
    with pytest.raises(WeightsError, match=said) as raised:
        faceinp.load_engine(f"onnx:{file}")
    assert "theirs.onnx.json" in str(raised.value)


def test_what_is_no_sidecar_is_a_sentence(tmp_path: Path) -> None:
    file = put(tmp_path, SIDECAR)
    for content in ("", "[]", "null", "{", "[" * 100_000, '{"a":' * 100_000, '{"size": ' + 5000 * "9"):
        (tmp_path / "theirs.onnx.json").write_text(content)
        with pytest.raises(WeightsError, match=r"theirs\.onnx\.json cannot be read as one"):
            faceinp.load_engine(f"onnx:{file}")


def test_a_byte_order_mark_and_a_single_teacher_are_understood(tmp_path: Path) -> None:
    file = put(tmp_path, {})
    (tmp_path / "theirs.onnx.json").write_text(json.dumps(SIDECAR | {"taught_by": "facenet"}), encoding="utf-8-sig")
    assert faceinp.load_engine(f"onnx:{file}").taught_by == ("facenet",)


def test_whole_numbers_are_given_to_a_network_that_takes_them(tmp_path: Path) -> None:
    file = put(tmp_path, SIDECAR, kind=TensorProto.UINT8)
    with pytest.raises(WeightsError, match=r"image of .*theirs\.onnx takes whole numbers from 0 to 255, not -1 to 1"):
        faceinp.load_engine(f"onnx:{file}")


def test_what_is_not_there_or_no_onnx_is_said(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"no file .*none\.onnx"):
        faceinp.load_engine(f"onnx:{tmp_path / 'none.onnx'}")
    with pytest.raises(WeightsError, match=r"is a folder"):
        faceinp.load_engine(f"onnx:{tmp_path}")
    file = put(tmp_path, SIDECAR)
    file.write_bytes(b"nothing")
    with pytest.raises(EngineError, match=r"cannot run .*theirs\.onnx") as raised:
        faceinp.load_engine(f"onnx:{file}")
    assert "\n" not in str(raised.value)
    put(tmp_path, SIDECAR)
    with pytest.raises(EngineError, match="'threads' must be a whole number from 0 to 1024, got 'abc'"):
        faceinp.load_engine(f"onnx:{file}", {"threads": "abc"})
    with pytest.raises(
        EngineError, match=r"option 'colour' for engine 'onnx:.*'\. Available: sidecar, provider, threads\."
    ):
        faceinp.load_engine(f"onnx:{file}", {"colour": "red"})
