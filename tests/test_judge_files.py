"""Judges from ONNX files, and their sidecars."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from judge_files import SIDECAR, TEMPLATE, crops

import faceinp
from faceinp import identity
from faceinp.errors import EngineError, WeightsError
from faceinp.identity.judges import POINTS, box_of
from faceinp.nets.embedding import BOX

pytestmark = pytest.mark.usefixtures("judge_weights")

NAN, INFINITY = float("nan"), float("inf")


def test_a_template_is_met_by_a_box() -> None:
    left, top, right, bottom = box_of(TEMPLATE, (112, 112))
    placed = (np.array(POINTS) - [left, top]) / [right - left, bottom - top] * 112 - 0.5
    assert np.abs(placed - TEMPLATE).max() < 2.1
    assert np.abs(placed.mean(axis=0) - np.mean(TEMPLATE, axis=0)).max() < 1e-6
    assert np.allclose((left, top, right, bottom), BOX, atol=0.005)  # half a pixel
    assert identity.networks.Bundled.framing == BOX
    narrow = box_of(np.array(TEMPLATE) - [8, 0], (112, 96))
    assert narrow[1::2] == pytest.approx((top, bottom)) and narrow[0] == pytest.approx(left + 8 / 112 * (right - left))


def test_an_onnx_file_sees_what_its_sidecar_says(onnx_file: Path, tmp_path: Path) -> None:
    about = SIDECAR | {"box": [0.25, 0.5, 0.5, 0.75], "mean": [127.5] * 3, "std": [128] * 3, "scale": 255}
    (tmp_path / "pooling.onnx.json").write_text(json.dumps(about | {"kin": ["teacher"]}))
    judge = identity.load(onnx_file, sidecar=tmp_path)
    assert (judge.name, judge.size, judge.lineage) == ("pooling", (112, 112), {"pooling", "teacher"})
    given = crops(2, 448)  # the box is 112 pixels wide: nothing is resampled
    part = (255 * given[:, :, 224:336, 112:224] - 127.5) / 128
    expected = part.reshape(2, 3, 4, 28, 4, 28).mean(axis=(3, 5)).reshape(2, 48)
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    assert np.abs(judge.embed(given) - expected).max() < 1e-5
    with pytest.raises(WeightsError, match=rf"no calibration.*faceinp identity calibrate --judge {onnx_file} "):
        judge.same_person(*judge.embed(given))


def test_gradients_flow_through_an_onnx_file(onnx_file: Path, tmp_path: Path) -> None:
    pytest.importorskip("onnx2torch")
    (tmp_path / "pooling.onnx.json").write_text(json.dumps(SIDECAR | {"mean": [0.4, 0.5, 0.6], "scale": 2}))
    judge = identity.load(onnx_file, sidecar=tmp_path)
    given = torch.from_numpy(crops(2)).requires_grad_()
    wanted = judge.embed(torch.from_numpy(crops(3)[2:]))
    vectors = judge.embed(given)
    assert torch.allclose(vectors.detach(), judge.embed(given.detach()), atol=1e-6)
    (slope,) = torch.autograd.grad((vectors @ wanted.T).sum(), given)
    nearer = judge.embed((given + 0.01 * slope / slope.abs().max()).detach())
    assert ((nearer @ wanted.T) > (vectors.detach() @ wanted.T)).all()
    judge.differentiable = False  # as where onnx2torch is missing
    with pytest.raises(EngineError, match=r"no gradients.*onnx2torch"):
        judge.embed(given)


@pytest.mark.parametrize(
    ("operator", "attributes", "shape"), [("Det", {}, (3,)), ("Selu", {"alpha": 2.0}, (3, 112, 112))]
)
def test_a_network_that_torch_cannot_run_is_named(
    operator: str, attributes: dict, shape: tuple[int, ...], tmp_path: Path
) -> None:
    onnx = pytest.importorskip("onnx")
    pytest.importorskip("onnx2torch")
    from onnx import TensorProto, helper

    node = helper.make_node(operator, ["face"], ["vector"], **attributes)
    ends = (
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", *sizes])]
        for name, sizes in (("face", (3, 112, 112)), ("vector", shape))
    )
    model = helper.make_model(
        helper.make_graph([node], "det", *ends), opset_imports=[helper.make_opsetid("", 17)], ir_version=9
    )
    onnx.save(model, tmp_path / "det.onnx")
    (tmp_path / "det.onnx.json").write_text(json.dumps(SIDECAR))
    judge = identity.load(tmp_path / "det.onnx")
    with pytest.raises(EngineError, match=r"onnx2torch cannot convert .*det\.onnx.*another judge"):
        judge.embed(torch.from_numpy(crops(1)).requires_grad_())


@pytest.mark.parametrize(
    "broken",
    [
        *({"size": size} for size in (None, 112, [0, 0], [INFINITY, 112], [112.5, 112], [112, 10**6])),
        *(
            {"box": box}
            for box in ([0, 1], [NAN, 0, 1, 1], [0, 0, 1, INFINITY], [1, 1, 0, 0], [0.5] * 4, [0, 0, 1, 1e6])
        ),
        *({"mean": mean} for mean in ([1], [NAN] * 3, "abc")),
        *({"std": std} for std in ([0] * 3, [-1] * 3, None)),
        *({"scale": scale} for scale in ("much", [1, 2, 3], None, NAN, 0)),
        *({"kin": kin} for kin in (5, [["facenet"]], None)),
        {"about": ["a", "list"]},
    ],
)
def test_a_broken_sidecar_is_named(broken: dict, onnx_file: Path, tmp_path: Path) -> None:
    sidecar = tmp_path / "side.json"
    with pytest.raises(WeightsError, match=r"side\.json"):
        identity.load(onnx_file, sidecar=sidecar)
    sidecar.write_text(json.dumps(SIDECAR | broken))
    with pytest.raises(WeightsError, match=r"side\.json"):
        identity.load(onnx_file, sidecar=sidecar)


@pytest.mark.parametrize(
    "points",
    [[[1, 1]] * 5, [[1, 2]], TEMPLATE[:4], [[NAN, 51.7], *TEMPLATE[1:]], "abc", [[y, -x] for x, y in TEMPLATE]],
)
def test_points_that_are_no_face_are_named(points: object, onnx_file: Path, tmp_path: Path) -> None:
    about = {key: value for key, value in SIDECAR.items() if key != "box"} | {"points": points}
    (tmp_path / "pooling.onnx.json").write_text(json.dumps(about))
    with pytest.raises(WeightsError, match=r"pooling\.onnx\.json with size, box or points.*points"):
        identity.load(onnx_file, sidecar=tmp_path)


def test_a_single_relative_is_a_name(onnx_file: Path, tmp_path: Path) -> None:
    (tmp_path / "pooling.onnx.json").write_text(json.dumps(SIDECAR | {"kin": "facenet"}))
    assert identity.load(onnx_file, sidecar=tmp_path).lineage == {"pooling", "facenet"}


@pytest.mark.parametrize("said", ["[]", "nothing", '{"judge": 3}', pytest.param("[" * 100_000, id="deep")])
def test_a_sidecar_that_is_none_is_named(said: str, onnx_file: Path, tmp_path: Path) -> None:
    (tmp_path / "pooling.onnx.json").write_text(said)
    with pytest.raises(WeightsError, match=r"pooling\.onnx\.json"):
        identity.load(onnx_file, sidecar=tmp_path)


def test_a_sidecar_by_its_earlier_name_is_read(onnx_file: Path, tmp_path: Path) -> None:
    (tmp_path / "pooling.json").write_text(json.dumps(SIDECAR))
    with pytest.warns(DeprecationWarning, match=r"now called pooling\.onnx\.json"):
        judge = identity.load(onnx_file, sidecar=tmp_path)
    (tmp_path / "pooling.json").rename(tmp_path / "pooling.onnx.json")
    assert np.array_equal(judge.embed(crops(1)), identity.load(onnx_file, sidecar=tmp_path).embed(crops(1)))


def test_a_sidecar_says_what_its_file_is_to_each_who_opens_it(onnx_file: Path, tmp_path: Path) -> None:
    about = {"size": 64, "sha256": "of an exporter", "judge": SIDECAR, "engine": {"size": 64}}
    (tmp_path / "pooling.onnx.json").write_text(json.dumps(about))
    assert identity.load(onnx_file, sidecar=tmp_path).size == (112, 112)
    with pytest.raises(WeightsError, match="'picture'"):
        faceinp.load_engine(f"onnx:{onnx_file}", {"sidecar": tmp_path / "pooling.onnx.json"})


def test_a_file_that_is_no_network_is_named(tmp_path: Path) -> None:
    (tmp_path / "broken.onnx").write_bytes(b"nothing")
    (tmp_path / "broken.onnx.json").write_text(json.dumps(SIDECAR))
    with pytest.raises(EngineError, match=r"cannot run .*broken\.onnx"):
        identity.load(tmp_path / "broken.onnx")
