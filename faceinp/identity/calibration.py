"""Calibration of a judge: thresholds on its distances with known false match rates, and a probability."""

import json
from dataclasses import asdict, dataclass
from math import exp, log1p
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from faceinp.errors import DataError, EngineError, WeightsError
from faceinp.models import json_values

RATES = (0.001, 0.01, 0.1)
HALF = 0.5  # the second paper counts a distance below it as the same person
TOO_MANY = 2  # times the calibrated false match rate: from there on a warning says so
MIN_GENUINE = 10


@dataclass(frozen=True)
class Point:
    """One threshold: a Euclidean distance up to ``threshold`` counts as the same person.

    false_match_rate: the share of impostor pairs (two people) below it. true_match_rate: the share of genuine pairs
    (one person); None if the data have none.
    """

    threshold: float
    false_match_rate: float
    true_match_rate: float | None


@dataclass(frozen=True)
class Check:
    """The thresholds of a calibration measured on other data: ``points`` in the order of RATES, and ``half``.

    data: its name. genuine, impostor: numbers of pairs.
    """

    data: str
    genuine: int
    impostor: int
    points: tuple[Point, ...]
    half: Point


@dataclass(frozen=True)
class Calibration:
    """The calibration of one judge.

    fingerprint: the SHA-256 of the judge's weights. points: the thresholds for RATES. half: the threshold HALF.
    probability(d) = 1 / (1 + exp(slope (d - middle))). data, people, pictures, genuine, impostor: the data set, and the
    numbers of its people, pictures and pairs. checks: the same thresholds on other data sets.
    """

    judge: str
    fingerprint: str
    points: tuple[Point, ...]
    half: Point
    slope: float
    middle: float
    data: str
    people: int
    pictures: int
    genuine: int
    impostor: int
    checks: tuple[Check, ...] = ()

    def at(self, false_match_rate: float) -> Point:
        """The point for one of RATES. Raises EngineError for another rate."""
        for point, rate in zip(self.points, RATES, strict=True):
            if rate == false_match_rate:
                return point
        raise EngineError(
            f"No threshold is calibrated for a false match rate of {false_match_rate}. "
            f"Choose one of {', '.join(map(str, RATES))}."
        )

    def probability(self, distance: float) -> float:
        """The probability of the same person at a Euclidean distance (0 to 2), with even prior odds."""
        logit = self.slope * (self.middle - distance)
        return exp(logit - log1p(exp(logit))) if logit < 0 else 1 / (1 + exp(-logit))

    def warnings(self, false_match_rate: float) -> tuple[str, ...]:
        """One sentence for each check whose false match rate is at least TOO_MANY times the calibrated one."""
        index = RATES.index(false_match_rate)
        calibrated = self.points[index].false_match_rate
        measured = ((check.data, check.points[index].false_match_rate) for check in self.checks)
        return tuple(
            f"On {data} the false match rate of this threshold is {rate:.1%}, not {false_match_rate:.1%}."
            for data, rate in measured
            if rate >= TOO_MANY * calibrated
        )

    def write(self, file: str | Path) -> None:
        """Write it as JSON."""
        Path(file).write_text(json.dumps(asdict(self), indent=2) + "\n")

    @classmethod
    def read(cls, file: str | Path) -> "Calibration":
        """A calibration that ``write`` wrote. Raises WeightsError for any other file."""
        try:
            content = json_values.read_object(Path(file))
            return cls(
                judge=json_values.text(content, "judge"),
                fingerprint=json_values.text(content, "fingerprint"),
                points=_points(content),
                half=_point(json_values.section(content, "half")),
                slope=json_values.number(content, "slope", 0, 1e9),
                middle=json_values.number(content, "middle", -1e9, 1e9),
                data=json_values.text(content, "data"),
                people=_count(content, "people"),
                pictures=_count(content, "pictures"),
                genuine=_count(content, "genuine"),
                impostor=_count(content, "impostor"),
                checks=tuple(_check({"checks": check}) for check in json_values.values_of(content, "checks")),
            )
        except (OSError, ValueError) as error:
            raise WeightsError(
                f"{file} is no calibration ({error}). Run `faceinp identity calibrate` to make one."
            ) from error


def threshold(impostor: ArrayLike, rate: float) -> float:
    """The largest threshold with a false match rate of at most ``rate``. impostor: (N,) distances of two people."""
    ordered = np.sort(np.asarray(impostor, np.float64))
    allowed = int(rate * len(ordered) + 1e-9)
    return float(ordered[-1] if allowed >= len(ordered) else np.nextafter(ordered[allowed], -np.inf))


def point(genuine: ArrayLike, impostor: ArrayLike, distance: float) -> Point:
    """The rates of a threshold ``distance`` on the distances of genuine (N,) and impostor (M,) pairs."""
    same, different = np.asarray(genuine), np.asarray(impostor)
    true_matches = float((same <= distance).mean()) if same.size else None
    return Point(distance, float((different <= distance).mean()), true_matches)


def logistic(genuine: ArrayLike, impostor: ArrayLike) -> tuple[float, float]:
    """Slope (above 0) and middle of the logistic curve of ``Calibration.probability``; both classes weigh the same.

    Maximum likelihood with the smoothed targets of Platt 1999, which keep the slope finite if the classes do not
    overlap. genuine, impostor: (N,) and (M,) distances.
    """
    from scipy.optimize import minimize

    classes = [np.asarray(genuine, np.float64), np.asarray(impostor, np.float64)]
    sizes = [len(distances) for distances in classes]
    distances = np.concatenate(classes)
    targets = np.repeat([1 - 1 / (sizes[0] + 2), 1 / (sizes[1] + 2)], sizes)
    weights = np.repeat([0.5 / size for size in sizes], sizes)

    def loss(parameters: NDArray[np.float64]) -> float:
        log_slope, middle = parameters
        logits = np.exp(log_slope) * (distances - middle)
        return float(weights @ (np.logaddexp(0, logits) - (1 - targets) * logits))

    result = minimize(loss, [np.log(10.0), distances.mean()], method="Nelder-Mead", options={"xatol": 1e-6})
    return float(np.exp(result.x[0])), float(result.x[1])


def fit(
    judge: str, fingerprint: str, genuine: ArrayLike, impostor: ArrayLike, *, data: str, people: int, pictures: int
) -> Calibration:
    """The calibration of a judge from the distances of genuine (N,) and impostor (M,) pairs.

    Raises DataError if there are too few pairs.
    """
    same, different = np.asarray(genuine, np.float64), np.asarray(impostor, np.float64)
    if same.size < MIN_GENUINE or different.size < 1 / min(RATES):
        raise DataError(
            f"There are too few pairs: {same.size} of one person and {different.size} of two people, but a calibration "
            f"needs {MIN_GENUINE} and {1 / min(RATES):.0f}. Use shards of more people whose JSON has `identity`."
        )
    slope, middle = logistic(same, different)
    return Calibration(
        judge=judge,
        fingerprint=fingerprint,
        points=tuple(point(same, different, threshold(different, rate)) for rate in RATES),
        half=point(same, different, HALF),
        slope=slope,
        middle=middle,
        data=data,
        people=people,
        pictures=pictures,
        genuine=same.size,
        impostor=different.size,
    )


def check(calibration: Calibration, data: str, genuine: ArrayLike, impostor: ArrayLike) -> Check:
    """The rates of the thresholds of ``calibration`` on the distances of another data set, called ``data``."""
    same, different = np.asarray(genuine, np.float64), np.asarray(impostor, np.float64)
    return Check(
        data,
        same.size,
        different.size,
        tuple(point(same, different, calibrated.threshold) for calibrated in calibration.points),
        point(same, different, HALF),
    )


# ---- reading a file ----


def _points(content: dict[str, Any]) -> tuple[Point, ...]:
    """The points for RATES."""
    points = json_values.values_of(content, "points")
    if len(points) != len(RATES):
        raise ValueError(f"'points' must have {len(RATES)} entries, got {len(points)}")
    return tuple(_point(json_values.section({"points": point}, "points")) for point in points)


def _point(content: dict[str, Any]) -> Point:
    has_genuine = content.get("true_match_rate") is not None
    return Point(
        json_values.number(content, "threshold", -1, 1e9),
        json_values.number(content, "false_match_rate", 0, 1),
        json_values.number(content, "true_match_rate", 0, 1) if has_genuine else None,
    )


def _check(content: dict[str, Any]) -> Check:
    check = json_values.section(content, "checks")
    return Check(
        json_values.text(check, "data"),
        _count(check, "genuine"),
        _count(check, "impostor"),
        _points(check),
        _point(json_values.section(check, "half")),
    )


def _count(content: dict[str, Any], key: str) -> int:
    return json_values.whole(content, key, 0, 10**15)
