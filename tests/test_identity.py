"""Whether two photos show one person: verdicts, lineage, and the command."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from judge_files import SIDECAR, calibrated
from PIL import Image
from serving import ROOT
from skimage.data import astronaut

import faceinp
from faceinp import identity
from faceinp.cli.main import main
from faceinp.errors import EngineError, NoFaceError, WeightsError
from faceinp.identity import calibration


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
    found = calibration.Calibration.read(ROOT / "weights" / file)
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
    compared = [identity.compare(photo, other, judge) for other in (alone + small, alone, small)]
    both, first, second = (one.distance for one in compared)
    assert any("The second photo shows 2 faces. The largest" in note for note in compared[0].notes)
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
