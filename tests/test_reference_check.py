"""Who is let pass as the same person by the check of reference photos, and what it says of them."""

import io
import itertools
import json
import shutil
import tarfile
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import skimage.data
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from faceinp.cli.main import main
from faceinp.engines.search import Prior
from faceinp.errors import DataError, WeightsError
from faceinp.exemplars import check
from faceinp.exemplars.check import OUTCOMES, Limits
from faceinp.face import detection, faces
from faceinp.models import weights

pytest.importorskip("webdataset", reason="the extra 'eval' is not installed")

from faceinp.evaluate.judge_tables import reference_check
from faceinp.evaluate.judge_tables.reference_check import ALTERATIONS, AS_IT_IS, HOLES, SIDE, WHOLE_FACE
from faceinp.train.datasets.data import is_held_back

LIMITS = Limits("0" * 64, 1.3, 0.1, 1.2, 1.4, "drawn", 9, 99, 99, 9)
HARDLY_HIDES = ("one-eye", "mouth", "cheek", "eye-scratch", "scratches")
HIDES_NEARLY_ALL = ("centre", WHOLE_FACE)
distances = st.floats(0, 2)


def quick(names: Iterable[str], *few: str) -> list[Any]:
    """The names as parameters, slow but for a few."""
    return [pytest.param(name, marks=[pytest.mark.slow] * (name not in few)) for name in names]


def crop_of(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    return pixels.transpose(2, 0, 1).astype(np.float32) / np.float32(255)


def hole(name: str, seed: int = 0) -> NDArray[np.bool_]:
    return reference_check.draw_hole(name, np.random.default_rng(seed))


@pytest.fixture(scope="module")
def astronaut() -> NDArray[np.uint8]:
    photo = skimage.data.astronaut()
    (face,) = detection.find_faces(photo)
    return faces.align(photo, np.zeros(photo.shape[:2], bool), faces.quad(face), SIDE).pixels


@pytest.fixture(scope="module")
def copies(astronaut: NDArray[np.uint8]) -> NDArray[np.float32]:
    return np.stack([crop_of(alter(astronaut)) for alter in ALTERATIONS.values()])


@pytest.fixture(scope="module")
def strangers() -> NDArray[np.float32]:
    """Eight faces of nobody."""
    prior = Prior.load()
    drawn = prior.generator(prior.latents(8, seed=77)).numpy().transpose(0, 2, 3, 1)
    return np.stack([crop_of(cv2.resize((255 * face).astype(np.uint8), (SIDE, SIDE))) for face in drawn])


# ---- who passes ----


@pytest.mark.parametrize("name", quick(HOLES, "mouth", "glasses-band", WHOLE_FACE))
def test_altered_copies_of_the_photo_are_not_refused(
    name: str, astronaut: NDArray[np.uint8], copies: NDArray[np.float32]
) -> None:
    verdicts = check.verdicts(crop_of(astronaut), hole(name), copies)
    outcomes = dict(zip(ALTERATIONS, (verdict.outcome for verdict in verdicts), strict=True))
    assert "refused" not in outcomes.values(), outcomes
    if name in HARDLY_HIDES:
        assert set(outcomes.values()) == {"match"}, outcomes


@pytest.mark.parametrize("name", quick(sorted({*HOLES} - {*HIDES_NEARLY_ALL}), "mouth", "lower-face"))
def test_strangers_do_not_match(name: str, astronaut: NDArray[np.uint8], strangers: NDArray[np.float32]) -> None:
    verdicts = check.verdicts(crop_of(astronaut), hole(name), strangers)
    outcomes = [verdict.outcome for verdict in verdicts]
    assert "match" not in outcomes
    if name in HARDLY_HIDES:
        assert outcomes.count("refused") >= len(strangers) / 2, verdicts


@pytest.mark.parametrize("name", HIDES_NEARLY_ALL)
def test_what_nothing_is_known_of_is_not_refused(
    name: str, astronaut: NDArray[np.uint8], strangers: NDArray[np.float32]
) -> None:
    outcomes = [verdict.outcome for verdict in check.verdicts(crop_of(astronaut), hole(name), strangers)]
    assert "refused" not in outcomes and "unknown" in outcomes
    nothing = check.verdicts(crop_of(astronaut), np.ones((SIDE, SIDE), bool), strangers)
    assert {verdict.outcome for verdict in nothing} == {"unknown"}


def test_the_more_a_hole_hides_the_later_it_refuses(astronaut: NDArray[np.uint8]) -> None:
    face = crop_of(astronaut)
    nested = [np.zeros((SIDE, SIDE), bool)]
    for name in ("one-eye", "glasses-band", "eyes", WHOLE_FACE):
        nested.append(nested[-1] | hole(name))
    limits = [check.verdicts(face, part, face[None])[0].refuse_above for part in nested]
    assert all(later > earlier for earlier, later in itertools.pairwise(limits))


def test_what_lies_under_the_hole_does_not_count(
    astronaut: NDArray[np.uint8], copies: NDArray[np.float32], strangers: NDArray[np.float32]
) -> None:
    face, part = crop_of(astronaut), hole("lower-face")
    other = np.where(part, strangers[0], face)
    assert np.array_equal(check.known_distances(face, part, copies), check.known_distances(other, part, copies))


def test_each_reference_is_judged_alone_and_from_any_thread(
    astronaut: NDArray[np.uint8], strangers: NDArray[np.float32]
) -> None:
    face, part = crop_of(astronaut), hole("eyes")
    together = [verdict.distance for verdict in check.verdicts(face, part, strangers)]
    assert check.known_distances(face, part, strangers) == pytest.approx(together, abs=1e-5)
    with ThreadPoolExecutor(4) as pool:
        alone = pool.map(lambda other: check.verdicts(face, part, other[None])[0].distance, strangers[:4])
    assert list(alone) == pytest.approx(together[:4], abs=1e-5)
    assert (
        check.verdicts(face, part, strangers[:0]) == () and check.known_distances(face, part, strangers[:0]).size == 0
    )


# ---- what a distance means ----


@given(distances, distances, distances)
def test_a_larger_distance_is_never_better_and_a_costlier_hole_never_stricter(
    near: float, far: float, cost: float
) -> None:
    near, far = sorted((near, far))
    order = {"match": 0, "doubtful": 1, "unknown": 1, "refused": 2}
    assert order[LIMITS.verdict(near, cost).outcome] <= order[LIMITS.verdict(far, cost).outcome]
    assert LIMITS.verdict(cost, near).refuse_above <= LIMITS.verdict(cost, far).refuse_above
    assert order[LIMITS.verdict(cost, near).outcome] >= order[LIMITS.verdict(cost, far).outcome]


@pytest.mark.parametrize(
    ("distance", "cost", "outcome"),
    [(1.2, 0.5, "match"), (1.3, 0.5, "doubtful"), (1.36, 0.5, "refused"), (1.36, 1.5, "unknown"), (1.1, 1.5, "match")],
)
def test_outcomes(distance: float, cost: float, outcome: str) -> None:
    verdict = LIMITS.verdict(distance, cost)
    assert (verdict.outcome, verdict.refuse_above) == (outcome, pytest.approx(1.3 + 0.1 * cost))
    assert OUTCOMES[LIMITS.outcomes([distance], [cost])[0]] == outcome


def test_sentences_give_the_distance_and_a_way_on() -> None:
    refused, doubtful = LIMITS.verdict(1.4, 0.5), LIMITS.verdict(1.3, 0.5)
    assert refused.problem(0) == (
        "Reference photo 1 does not look like the same person (distance 1.40; 99% of true pairs lie below 1.35). "
        "To use it anyway, pass reference_check=False (--no-reference-check)."
    )
    assert doubtful.note(2) == (
        "Reference photo 3 could not be confirmed as the same person (distance 1.30; 99% of strangers lie above 1.20)."
    )
    assert "Too little of the face is visible" in LIMITS.verdict(1.36, 1.5).note(0)
    assert (
        refused.note(0) == doubtful.problem(0) == LIMITS.verdict(1, 0).note(0) == LIMITS.verdict(1, 0).problem(0) == ""
    )


@given(st.floats(0, 1), st.floats(0.05, 1), st.integers(0, 1000))
def test_a_quantile_line_is_found(base: float, slope: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    x, share = rng.uniform(0, 1.3, 4000), rng.uniform(0, 1, 4000)
    y = base + slope * x + 0.2 * (share - 0.9)
    found = reference_check.quantile_line(x, y, 0.9)
    assert found == pytest.approx((base, slope), abs=0.03)
    assert np.mean(y <= found[0] + found[1] * x) == pytest.approx(0.9, abs=0.01)


def test_a_scratch_closes_and_a_wide_hole_goes_grey() -> None:
    white = np.ones((1, 3, SIDE, SIDE), np.float32)
    scratch, wide = np.zeros((2, SIDE, SIDE), bool)
    scratch[100:103], wide[50:200, 50:200] = True, True
    assert check.blank(white, scratch).min() > 0.97
    blanked = check.blank(white, wide)
    assert blanked[0, :, 125, 125] == pytest.approx(0.5, abs=0.01) and (blanked[..., ~wide] == 1).all()


# ---- the calibration ----


def test_the_shipped_calibration_is_of_the_shipped_judge() -> None:
    weights.verify("reference-check")
    limits = check.read_limits()
    assert limits.fingerprint == check.bundled_judge().fingerprint
    assert limits.doubt_above < limits.base < limits.blind_above and limits.slope > 0


def test_a_calibration_of_another_judge_is_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, strangers: NDArray[np.float32]
) -> None:
    shutil.copy(weights.path("embedding"), tmp_path)
    monkeypatch.setenv("FACEINP_WEIGHTS", str(tmp_path))
    asked = strangers[0], hole("mouth"), strangers[1:]
    with pytest.raises(WeightsError, match=r"reference-check.json does not exist"):
        check.verdicts(*asked)
    LIMITS.write(tmp_path / "reference-check.json")
    with pytest.raises(WeightsError, match="calibrated with another judge"):
        check.verdicts(*asked)
    assert len(check.known_distances(*asked)) == 7
    odd = json.dumps(json.loads((tmp_path / "reference-check.json").read_text()) | {"slope": float("nan")})
    for broken in ("{}", "[1]", "no JSON", "[" * 100_000, odd):
        (tmp_path / "reference-check.json").write_text(broken)
        with pytest.raises(WeightsError, match="not a calibration"):
            check.verdicts(*asked)


def shard(file: Path, samples: list[tuple[str | None, NDArray[np.uint8]]]) -> str:
    with tarfile.open(file, "w") as tar:
        for number, (person, picture) in enumerate(samples):
            encoded = io.BytesIO()
            Image.fromarray(picture).save(encoded, "png")
            about = json.dumps({"identity": person}).encode()
            for suffix, content in (("png", encoded.getvalue()), ("json", about)):
                entry = tarfile.TarInfo(f"{number:03}.{suffix}")
                entry.size = len(content)
                tar.addfile(entry, io.BytesIO(content))
    return str(file)


def test_calibrating_writes_the_file_that_the_check_reads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], strangers: NDArray[np.float32]
) -> None:
    held = [name for name in map(str, range(2000)) if is_held_back(name)][:8]
    portraits = [(255 * face).astype(np.uint8).transpose(1, 2, 0) for face in strangers]
    alike = [(name, face) for name, face in zip(held, portraits, strict=True)]
    alike += [(name, ALTERATIONS["darker"](face)) for name, face in alike]
    train = shard(tmp_path / "drawn-train-00.tar", [*alike, ("not held back", portraits[0])])
    folder = tmp_path / "weights"
    folder.mkdir()
    shutil.copy(weights.path("embedding"), folder)
    monkeypatch.setenv("FACEINP_WEIGHTS", str(folder))
    monkeypatch.setattr(reference_check, "HOLES", ("mouth", WHOLE_FACE))
    command = ["evaluate", "reference-check", "--repeats", "1", "-o", str(tmp_path / "out")]
    assert main([*command, "--data", train, "--calibrate", str(folder / "reference-check.json")]) == 0
    limits = check.read_limits()
    weights.verify("reference-check")
    assert (limits.people, limits.pictures, limits.pairs, limits.holes, limits.data) == (8, 16, 16, 2, "drawn-train")
    assert check.verdicts(strangers[0], hole("mouth"), strangers[:1])[0].outcome == "match"
    said = capsys.readouterr().out
    assert "8 people, 16 pictures; 16 true pairs and 224 of strangers" in said and "| mouth | " in said
    rows = [json.loads(line) for line in (tmp_path / "out" / "reference-check.jsonl").read_text().splitlines()]
    assert {"mouth", WHOLE_FACE, AS_IT_IS, "all"} <= {row["subject"] for row in rows}
    assert all(sum(row[outcome] for outcome in OUTCOMES) == pytest.approx(1, abs=1e-5) for row in rows)

    unnamed = shard(tmp_path / "drawn-val-00.tar", [(None, face) for face in portraits])
    assert main([*command, "--data", unnamed]) == 0
    said = capsys.readouterr().out
    assert "8 true pairs (altered copies) and 56 of strangers" in said and AS_IT_IS not in said
    with pytest.raises(DataError):
        reference_check.run(unnamed, tmp_path / "out", calibrate=tmp_path / "none.json")
