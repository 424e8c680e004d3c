"""What distances mean: thresholds, probabilities, pairs, intervals, and the tables and files made of them."""

import io
import itertools
import json
import tarfile
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from safetensors.torch import save_file
from skimage.data import astronaut

from faceinp import identity
from faceinp.cli.main import main
from faceinp.errors import DataError, WeightsError
from faceinp.identity import calibration
from faceinp.models import weights
from faceinp.nets.embedding import Embedding

pytest.importorskip("webdataset")

from faceinp.evaluate.judge_tables import pairs
from faceinp.train.datasets.data import is_held_back

distances = st.floats(0, 2, allow_nan=False)


def fitted(genuine: np.ndarray, impostor: np.ndarray) -> calibration.Calibration:
    return calibration.fit("drawn", "0" * 64, genuine, impostor, data="drawn", people=9, pictures=99)


def two_kinds(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.normal(0.9, 0.15, 500).clip(0, 2), rng.normal(1.35, 0.1, 5000).clip(0, 2)


# ---- thresholds and probability ----


@given(st.lists(distances, min_size=1, max_size=60), st.floats(0.001, 0.9))
def test_a_threshold_lets_no_more_strangers_through_than_said(found: list[float], rate: float) -> None:
    limit = calibration.threshold(found, rate)
    passed = sum(distance <= limit for distance in found)
    assert passed <= rate * len(found) + 1e-6
    beyond = [distance for distance in found if distance > limit]
    nearest = sum(distance <= min(beyond) for distance in found)
    assert nearest > rate * len(found) - 1e-6  # a larger one would let too many through


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 1000), st.lists(distances, min_size=2, max_size=30))
def test_probability_falls_with_distance(seed: int, asked: list[float]) -> None:
    rng = np.random.default_rng(seed)
    # whatever the data, even strangers nearer than friends
    found = fitted(rng.uniform(0, 2, 20), rng.uniform(0, rng.uniform(0.1, 2), 1500))
    chances = [found.probability(distance) for distance in sorted(asked)]
    assert all(0 <= chance <= 1 for chance in chances)
    assert all(later <= earlier for earlier, later in itertools.pairwise(chances))


def test_probability_is_the_share_where_both_kinds_are_as_many() -> None:
    """Drawn so that the logistic curve is exactly right, with fifty strangers for each friend."""
    rng = np.random.default_rng(0)
    asked = rng.uniform(0, 2, 150_000)
    one = rng.random(len(asked)) < 1 / (1 + np.exp(9 * (asked - 1.1)))
    own, other = asked[one], asked[~one]
    even = len(own) / len(other)  # both kinds weigh the same: the curve moves by the log of their ratio
    found = fitted(own[: len(own) // 50], other)
    assert found.slope == pytest.approx(9, rel=0.1)
    assert found.middle == pytest.approx(1.1 - np.log(even) / 9, abs=0.02)


def test_kinds_that_do_not_overlap_give_a_finite_curve() -> None:
    found = fitted(np.linspace(0.1, 0.5, 50), np.linspace(1.2, 1.6, 2000))
    assert np.isfinite(found.slope) and 0.5 < found.middle < 1.2
    assert found.probability(0) > 0.95 and found.probability(2) < 0.05
    assert found.probability(1e6) == 0 and fitted(*two_kinds()).probability(0) <= 1


def test_points_are_what_the_thresholds_do() -> None:
    genuine, impostor = two_kinds()
    found = fitted(genuine, impostor)
    for rate, point in zip(identity.RATES, found.points, strict=True):
        assert found.at(rate) == point and point.false_match_rate == pytest.approx(rate, abs=1e-4)
        assert (impostor <= point.threshold).mean() == point.false_match_rate
        assert (genuine <= point.threshold).mean() == point.true_match_rate
    assert found.half.threshold == 0.5 and found.half.false_match_rate == 0
    other = calibration.check(found, "elsewhere", [], impostor - 0.2)
    assert other.points[1].false_match_rate > 0.05 and other.points[1].true_match_rate is None


def test_a_calibration_survives_its_file(tmp_path: Path) -> None:
    from dataclasses import replace

    genuine, impostor = two_kinds()
    found = fitted(genuine, impostor)
    checks = (
        calibration.check(found, "drawn-val", genuine, impostor - 0.2),
        calibration.check(found, "x", [], impostor),
    )
    found = replace(found, checks=checks)
    found.write(tmp_path / "a.json")
    assert calibration.Calibration.read(tmp_path / "a.json") == found
    (warning,) = found.warnings(0.01)  # only the data on which more strangers pass
    assert "On drawn-val" in warning and "not 1.0%" in warning
    told = json.loads((tmp_path / "a.json").read_text())
    odd = [{"slope": float("nan")}, {"points": told["points"][:2]}, {"half": None}, {"people": "9"}, {"checks": [3]}]
    odd += [{"points": [*told["points"][:2], told["points"][2] | {"threshold": "1"}]}, {"judge": ["bundled"]}]
    for broken in ("", "[]", "{}", "[" * 100_000, *(json.dumps(told | other) for other in odd)):
        (tmp_path / "b.json").write_text(broken)
        with pytest.raises(WeightsError, match=r"b\.json is no calibration"):
            calibration.Calibration.read(tmp_path / "b.json")


def test_too_few_pairs_are_refused() -> None:
    with pytest.raises(DataError, match="too few"):
        fitted(np.zeros(9), np.ones(2000))
    with pytest.raises(DataError, match="too few"):
        fitted(np.zeros(20), np.ones(900))


# ---- pairs ----


def cloud(people: int, pictures: int, spread: float, seed: int = 0) -> tuple[np.ndarray, list[str]]:
    rng = np.random.default_rng(seed)
    vectors = np.repeat(rng.normal(size=(people, 8)), pictures, axis=0) + spread * rng.normal(
        size=(people * pictures, 8)
    )
    names = [f"p{number // pictures}" for number in range(people * pictures)]
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True), names


def test_pairs_are_all_pairs_with_their_distances() -> None:
    vectors, names = cloud(4, 3, 0.5)
    found = pairs.pairs(vectors, names)
    assert (len(found.distances), len(found.own), len(found.other), found.people) == (66, 12, 54, 4)
    assert (np.diff(found.distances) >= 0).all()
    every = [(np.linalg.norm(vectors[a] - vectors[b]), names[a] == names[b]) for a in range(12) for b in range(a)]
    assert np.allclose(found.own, sorted(d for d, same in every if same))
    assert np.allclose(found.other, sorted(d for d, same in every if not same))


def test_area_and_rates_are_those_of_the_definition() -> None:
    found = pairs.pairs(*cloud(6, 4, 1.0))
    nearer = (found.own[:, None] < found.other[None]).mean() + 0.5 * (found.own[:, None] == found.other[None]).mean()
    assert pairs.area_under_curve(found) == pytest.approx(nearer)
    tied = pairs.Pairs(
        np.array([0.5, 0.5, 1]), np.array([True, False, False]), np.array([0, 0, 0]), np.array([0, 1, 1]), 2
    )
    assert pairs.area_under_curve(tied) == pytest.approx(0.75)
    limit = calibration.threshold(found.other, 0.1)
    assert pairs.true_match_rate(found, 0.1) == (found.own <= limit).mean()
    ones = np.ones(len(found.distances))
    assert pairs.true_match_rate(found, 0.1, ones) == pytest.approx(pairs.true_match_rate(found, 0.1))


def test_a_person_drawn_twice_weighs_as_two_people_would() -> None:
    """The weights of the bootstrap against pictures that are really there twice."""
    vectors, names = cloud(5, 3, 0.9)
    found = pairs.pairs(vectors, names)
    drawn = np.array([2, 1, 1, 0, 1])
    weights = np.where(found.genuine, drawn[found.first], drawn[found.first] * drawn[found.second])
    chosen = [0, 0, 1, 2, 4]
    again = np.concatenate([vectors[3 * person : 3 * person + 3] for person in chosen])
    twice = pairs.pairs(again, [f"{place}" for place in range(5) for _ in range(3)])
    # One person's two copies are no strangers: those pairs do not count.
    numbers = np.array(chosen)
    real = twice.genuine | (numbers[twice.first] != numbers[twice.second])
    kept = pairs.Pairs(twice.distances[real], twice.genuine[real], twice.first[real], twice.second[real], 5)
    assert pairs.area_under_curve(found, weights) == pytest.approx(pairs.area_under_curve(kept))


def test_intervals_hold_the_value_and_shrink_with_people() -> None:
    widths = []
    for people in (8, 40):
        found = pairs.pairs(*cloud(people, 4, 1.0))
        low, high = pairs.interval(found, lambda weights: pairs.area_under_curve(found, weights))  # noqa: B023
        assert low < pairs.area_under_curve(found) < high
        widths.append(high - low)
    assert widths[1] < widths[0] / 1.8
    again = pairs.interval(found, lambda weights: pairs.area_under_curve(found, weights))
    assert again == (low, high)


# ---- from shards to files ----


def shard(file: Path, people: list[str], pictures: int, side: int = 96) -> None:
    """Cuts of one portrait: a person is a tint, a picture a shift."""
    photo = Image.fromarray(astronaut())
    points = [[side * x, side * y] for x, y in np.random.default_rng(0).uniform(0.3, 0.7, (68, 2))]
    with tarfile.open(file, "w") as tar:
        for number in range(len(people) * pictures):
            person, shift = divmod(number, pictures)
            tint = np.random.default_rng(person).uniform(0.4, 1, 3)
            cut = photo.crop((140 + 3 * shift, 30, 300 + 3 * shift, 190)).resize((side, side))
            encoded = io.BytesIO()
            Image.fromarray((np.asarray(cut) * tint).astype(np.uint8)).save(encoded, "png")
            about = {"identity": people[person], "points": points, "size": side}
            for suffix, content in (("png", encoded.getvalue()), ("json", json.dumps(about).encode())):
                entry = tarfile.TarInfo(f"{person:03}-{shift}.{suffix}")
                entry.size = len(content)
                tar.addfile(entry, io.BytesIO(content))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("faces")
    held = [name for name in map(str, range(2000)) if is_held_back(name)][:17]
    shard(folder / "drawn-train-00.tar", [*held, "not held back"], 3, 64)
    shard(folder / "drawn-train-01.tar", held[:1], 3, 96)  # the same pictures, larger
    shard(folder / "drawn-val-00.tar", [f"v{number}" for number in range(6)], 3)
    torch.manual_seed(0)
    network = Embedding((16, 24), (1, 1), 32, 16)
    config = {"widths": [16, 24], "depths": [1, 1], "features": 32, "embedding": 16}
    tensors = {f"embedding/{name}": value.contiguous() for name, value in network.state_dict().items()}
    save_file(tensors, folder / "embedding.safetensors", {"config": json.dumps(config)})
    return folder


@pytest.fixture(autouse=True)
def _weights(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FACEINP_WEIGHTS", str(folder))
    monkeypatch.setenv("FACEINP_CACHE", str(tmp_path / "cache"))


def test_portraits_are_chosen_by_person_and_once(folder: Path) -> None:
    found = pairs.portraits(str(folder / "drawn-train-*.tar"), keep=is_held_back)
    assert len(found.people) == 51 and len(set(found.people)) == 17
    assert sorted(len(picture) for picture in found.pictures) == [64] * 48 + [96] * 3  # the larger of two
    alone = pairs.portraits(str(folder / "drawn-val-*.tar"), strangers=True)
    assert len(set(alone.people)) == 18
    with pytest.raises(DataError, match="0 known people"):
        pairs.portraits(str(folder / "drawn-val-*.tar"), keep=lambda person: False)


def test_calibrating_writes_the_file_its_judge_reads_and_a_plot(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "new" / "embedding.json"
    data, val = (str(folder / f"drawn-{part}-*.tar") for part in ("train", "val"))
    argv = [
        "identity",
        "calibrate",
        "--judge",
        "bundled",
        "--data",
        data,
        "--check",
        val,
        "--strangers",
        val,
        "--strangers-are",
        "drawn faces",
    ]
    assert main([*argv, "-o", str(out)]) == 0
    said = capsys.readouterr().out
    made = calibration.Calibration.read(out)
    assert json.loads((out.parent / weights.CHECKSUMS).read_text()) == {out.name: weights.sha256(out)}
    assert (made.judge, made.people, made.pictures, made.genuine, made.impostor) == ("bundled", 17, 51, 51, 1224)
    assert [(check.data, check.genuine) for check in made.checks] == [("drawn-val", 18), ("drawn faces", 0)]
    assert made.data == "drawn-train" and identity.CAVEAT in said and said.count("\n| ") == 5
    assert Image.open(out.with_suffix(".png")).width > 500
    vectors = pairs.embed(identity.load("bundled", calibration=out), pairs.portraits(val).pictures)
    verdict = identity.load("bundled", calibration=out).same_person(vectors[0], vectors[0])
    assert verdict.threshold == made.points[1].threshold


def test_the_table_measures_judges_and_names_those_it_cannot(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    val = str(folder / "drawn-val-*.tar")
    assert main(["evaluate", "identity", "--data", val, "--judges", "bundled", "-o", str(tmp_path)]) == 0
    said = capsys.readouterr().out
    (row,) = [json.loads(line) for line in (tmp_path / "identity.jsonl").read_text().splitlines()]
    assert (row["judge"], row["people"], row["genuine"], row["impostor"]) == ("bundled", 6, 18, 135)
    for name in ("auc", "at_1", "at_01"):
        assert 0 <= row[name]["low"] <= row[name]["mean"] <= row[name]["high"] <= 1
    assert all(measure["mean"] < 0.9999 for measure in row["damage"].values()) and row["milliseconds"] > 0
    table = (tmp_path / "identity.md").read_text()
    assert said.endswith(table + "\n") and "| bundled | " in table and identity.CAVEAT in table
    assert main(["evaluate", "identity", "--data", val, "--judges", "magic", "-o", str(tmp_path)]) == 5
