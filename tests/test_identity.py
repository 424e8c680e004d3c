"""Judges: what they take and give, what their lineage is, and what the shell says."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from judge_files import calibrated, crops
from PIL import Image
from skimage.data import astronaut

import faceinp
from faceinp import identity
from faceinp.cli.main import main
from faceinp.errors import EngineError, NoFaceError, WeightsError
from faceinp.identity import calibration
from faceinp.identity.judges import POINTS, box_of
from faceinp.nets.embedding import BOX

pytestmark = pytest.mark.usefixtures("judge_places")

NAN, INFINITY = float("nan"), float("inf")
TEMPLATE = [[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]]
SHIPPED = Path(__file__).parent.parent / "weights"
SIDECAR = {"size": [112, 112], "box": [0.1, 0.1, 0.9, 0.9], "mean": [0.5] * 3, "std": [0.5] * 3, "scale": 1}


@pytest.fixture(params=["drawn", "shipped"])
def either(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> identity.Judge:
    """The judge with drawn weights, and with the package's own."""
    if request.param == "shipped":
        monkeypatch.setenv("FACEINP_WEIGHTS", str(SHIPPED))
    return identity.load("bundled")


# ---- vectors ----


def test_vectors_are_of_unit_length_and_of_the_kind_that_was_given(judge: identity.Judge) -> None:
    given = crops(3)
    vectors = judge.embed(given)
    assert isinstance(vectors, np.ndarray) and vectors.dtype == np.float32 and vectors.shape == (3, 16)
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)
    tensors = judge.embed(torch.from_numpy(given))
    assert isinstance(tensors, torch.Tensor) and not tensors.requires_grad
    assert np.allclose(tensors.numpy(), vectors, atol=1e-5)


def test_a_batch_gives_what_its_faces_give_one_by_one(either: identity.Judge) -> None:
    given = crops(identity.judges.BATCH + 2, 64)
    together = either.embed(given)
    alone = np.concatenate([either.embed(face[None]) for face in given])
    assert np.abs(together - alone).max() < 1e-5


def test_gradients_reach_the_picture(either: identity.Judge) -> None:
    """Against finite differences, along the gradient and along what it says of half of the pixels."""
    rng = np.random.default_rng(0)
    picture = torch.from_numpy(crops(1, 64))
    target = torch.from_numpy(rng.normal(size=either.embed(picture).shape[1]).astype(np.float32))

    def score(at: torch.Tensor) -> torch.Tensor:
        return (either.embed(at) @ target).sum()

    leaf = picture.clone().requires_grad_()
    score(leaf).backward()
    assert leaf.grad is not None and leaf.grad.abs().max() > 1e-4
    whole = leaf.grad / leaf.grad.abs().mean()
    for way in (whole, whole * torch.from_numpy(rng.random(picture.shape) < 0.5)):
        slope = float((leaf.grad * way).sum())
        step = 0.02 / slope  # so that the score changes by little, and by much more than rounding
        difference = float(score(picture + step * way) - score(picture - step * way)) / (2 * step)
        assert slope == pytest.approx(difference, rel=0.02)


def test_half_precision_agrees(either: identity.Judge) -> None:
    given = torch.from_numpy(crops(2))
    exact = either.embed(given)
    with torch.autocast("cpu", torch.bfloat16):
        coarse = either.embed(given)
    assert coarse.dtype == torch.float32
    assert not torch.equal(coarse, exact) and (coarse * exact).sum(dim=1).min() > 0.99


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (np.zeros((3, 64, 64), np.float32), r"\(N, 3, S, S\)"),
        (np.zeros((1, 64, 64, 3), np.float32), r"\(N, 3, S, S\)"),
        (np.zeros((1, 3, 64, 48), np.float32), r"\(N, 3, S, S\)"),
        (np.zeros((0, 3, 64, 64), np.float32), r"\(N, 3, S, S\)"),
        (np.zeros((1, 3, 64, 64), np.uint8), "uint8"),
        (np.full((1, 3, 64, 64), 255, np.float32), "Divide uint8 values by 255"),
        (np.full((1, 3, 64, 64), np.nan, np.float32), "Crops must be in"),
    ],
)
def test_other_crops_are_refused(wrong: np.ndarray, said: str, judge: identity.Judge) -> None:
    with pytest.raises(EngineError, match=said):
        judge.embed(wrong)


def test_distances_are_those_of_unit_vectors(judge: identity.Judge) -> None:
    distance = judge.distance(np.array([1.0, 0]), torch.tensor([[0.6, 0.8]]))
    assert distance.cosine == pytest.approx(0.6) and distance.euclidean == pytest.approx(np.sqrt(0.8))
    for a, b in (([1, 0], [3, 4]), ([1, 0], [1, 0, 0]), (np.eye(2), np.eye(2))):
        with pytest.raises(EngineError, match=r"unit vector|one judge"):
            judge.distance(np.asarray(a, float), np.asarray(b, float))


# ---- alignment ----


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
    with pytest.raises(WeightsError, match=r"no calibration.*faceinp identity calibrate"):
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


def test_dlib_sees_a_person_again() -> None:
    pytest.importorskip("dlib")
    pytest.importorskip("onnxruntime")
    judge = identity.load("dlib")
    found = faceinp.find_faces(astronaut())[0]
    from faceinp.face import faces

    crop = faces.align(astronaut(), np.zeros((512, 512), bool), faces.quad(found), 256).pixels
    upright = crop.transpose(2, 0, 1).astype(np.float32) / np.float32(255)
    same, darker, noise = judge.embed(
        np.stack([upright, 0.7 * upright, np.random.default_rng(0).random(upright.shape, np.float32)])
    )
    assert judge.distance(same, darker).euclidean < 0.3 < judge.distance(same, noise).euclidean
    assert judge.lineage == {"dlib"} and not judge.differentiable


# ---- lineage ----


def test_no_judge_shares_the_lineage_of_a_loss(judge: identity.Judge, onnx_file: Path, tmp_path: Path) -> None:
    (tmp_path / "pooling.onnx.json").write_text(json.dumps(SIDECAR | {"kin": ["mobilefacenet-foamliu"]}))
    teacher = identity.load(onnx_file, sidecar=tmp_path)
    for one, losses in (
        (judge, ["bundled"]),
        (judge, ["style", "../some/mobilefacenet-foamliu.onnx"]),
        (teacher, ["bundled"]),
        (teacher, ["pooling"]),
    ):
        with pytest.raises(EngineError, match="is not independent: it shares training with"):
            identity.check_independent(one, losses)
    identity.check_independent(judge, ["facenet", "style"])
    identity.check_independent(judge, [])


# ---- verdicts ----


def test_a_verdict_is_by_the_judges_own_calibration(judge: identity.Judge) -> None:
    near, far = np.eye(16)[0], np.eye(16)[1]
    same, different = judge.same_person(near, near), judge.same_person(near, far)
    assert same.same and same.probability > 0.99 and same.distance.euclidean == 0
    assert not different.same and different.probability < 0.01
    assert same.judge == "bundled" and same.false_match_rate == pytest.approx(0.01, abs=0.0005)
    assert judge.same_person(near, near, false_match_rate=0.1).threshold > same.threshold
    for verdict in (same, different):
        assert identity.CAVEAT in str(verdict)
    with pytest.raises(EngineError, match=r"0\.001, 0\.01, 0\.1"):
        judge.same_person(near, far, false_match_rate=0.05)


@pytest.mark.parametrize("file", ["embedding.json", "dlib.json"])
def test_what_is_shipped_tells_the_user_among_whom_strangers_pass(file: str) -> None:
    """Calibrated on held-back people, checked on others, and known to be worse on Asian faces at each threshold."""
    found = calibration.Calibration.read(SHIPPED / file)
    people, strangers = found.checks
    assert found.people > 100 and (people.data, people.genuine, people.impostor) == ("celeba-val", 780, 47_736)
    assert (strangers.data, strangers.impostor) == ("mostly Asian faces", 19_900)
    assert people.half.threshold == calibration.HALF
    for number, rate in enumerate(identity.RATES):
        measured = strangers.points[number].false_match_rate
        assert f"On mostly Asian faces the false match rate of this threshold is {measured:.1%}" in " ".join(
            found.warnings(rate)
        )


def test_a_calibration_of_other_weights_is_refused(judge_folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.json"
    replace(calibrated(judge_folder / "embedding.safetensors"), fingerprint="0" * 64).write(other)
    judge = identity.load("bundled", calibration=other)
    with pytest.raises(WeightsError, match="other weights"):
        judge.same_person(np.eye(16)[0], np.eye(16)[1])


# ---- photos and the shell ----


@pytest.fixture
def photos(tmp_path: Path) -> list[str]:
    Image.fromarray(astronaut()).save(tmp_path / "a.png")
    Image.fromarray(astronaut()[:, ::-1]).save(tmp_path / "b.png")
    return [str(tmp_path / "a.png"), str(tmp_path / "b.png")]


def test_the_shell_compares_photos(photos: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["identity", photos[0], photos[0], "--judge", "bundled"]) == 0
    said = capsys.readouterr()
    assert (
        said.out.startswith("Probably the same person according to bundled: probability 100.0%")
        and identity.CAVEAT in said.out
    )
    assert "note: The first photo shows 1 face: 8" in said.err and "The second photo" in said.err
    assert main(["identity", *photos, "--aligned", "--false-match-rate", "0.1"]) == 0
    said = capsys.readouterr()
    assert "note: Using the bundled judge. (FaceNet is not calibrated" in said.err
    assert "at 10.0% false matches" in said.out


def test_comparing_finds_the_largest_face(judge: identity.Judge) -> None:
    photo = astronaut()
    alone = np.zeros((512, 900, 3), np.uint8)
    alone[:, :512] = photo
    small = np.zeros_like(alone)
    small[:300, 600:900] = 0.6 * np.asarray(Image.fromarray(photo[:, ::-1]).resize((300, 300)))
    both, first, second = (identity.compare(photo, other, judge).distance for other in (alone + small, alone, small))
    counted = identity.compare(photo, alone + small, judge).notes
    assert any("The second photo shows 2 faces. The largest" in note for note in counted)
    lying = identity.compare(photo, np.ascontiguousarray(np.rot90(photo)), judge)
    assert lying.distance.euclidean < 0.2 and any("turned by" in note for note in lying.notes)
    assert both.euclidean == pytest.approx(first.euclidean, abs=1e-3) and second.euclidean > first.euclidean + 0.01
    with pytest.raises(NoFaceError, match="second photo"):
        identity.compare(photo, np.zeros((200, 200, 3), np.uint8), judge)


def test_mistakes_have_their_exit_codes(photos: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["identity", *photos, "--judge", "magic"]) == 5
    assert main(["identity", *photos, "--judge", "facenet"]) == 6
    assert main(["identity", *photos, "--false-match-rate", "0.5", "--judge", "bundled"]) == 5
    assert main(["identity", photos[0], "missing.png", "--judge", "bundled"]) == 2
    assert all(line.startswith("faceinp: ") for line in capsys.readouterr().err.splitlines())
