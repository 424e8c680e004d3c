"""What a judge's distances mean: thresholds with known shares of false matches, and a probability."""

import json
from dataclasses import asdict, dataclass
from math import exp, log1p
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from faceinp.common import json_values
from faceinp.errors import DataError, EngineError, WeightsError

RATES = (0.001, 0.01, 0.1)
HALF = 0.5  # the second paper's "same person" is a distance under it


@dataclass(frozen=True)
class Point:
    """Faces up to ``threshold`` apart (Euclidean) are taken for one person's.

    false_match_rate: the share of pairs of strangers taken so; true_match_rate: that of one person's pairs (None where
    the data hold no such pair).
    """

    threshold: float
    false_match_rate: float
    true_match_rate: float | None


@dataclass(frozen=True)
class Check:
    """The same thresholds on other faces: ``points`` in the calibration's order, then ``half``."""

    data: str
    genuine: int
    impostor: int
    points: tuple[Point, ...]
    half: Point


@dataclass(frozen=True)
class Calibration:
    """Of one judge, told from others by its weights' sha256, ``fingerprint``.

    points: at each of RATES. half: at a distance of .5. probability(d) = 1 / (1 + exp(slope (d - middle))).
    data, people, pictures, genuine, impostor: what it was measured on. checks: how it does on other data.
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
        """The point calibrated for this rate; raises EngineError when there is none."""
        for point, rate in zip(self.points, RATES, strict=True):
            if rate == false_match_rate:
                return point
        raise EngineError(
            f"No threshold is known for a false match rate of {false_match_rate}. "
            f"Choose one of {', '.join(map(str, RATES))}."
        )

    def probability(self, distance: float) -> float:
        """That both are one person, by distance (0 to 2) alone, if one person and two are equally likely before."""
        risen = self.slope * (distance - self.middle)
        return exp(-risen - log1p(exp(-risen))) if risen > 0 else 1 / (1 + exp(risen))

    def warnings(self, false_match_rate: float) -> tuple[str, ...]:
        """One sentence for each check whose strangers are taken for one person twice as often, or more."""
        number, said = RATES.index(false_match_rate), []
        for check in self.checks:
            found = check.points[number].false_match_rate
            if found >= 2 * self.points[number].false_match_rate:
                said.append(
                    f"On {check.data} this threshold lets {found:.1%} of strangers through, not {false_match_rate:.1%}."
                )
        return tuple(said)

    def write(self, file: str | Path) -> None:
        Path(file).write_text(json.dumps(asdict(self), indent=2) + "\n")

    @classmethod
    def read(cls, file: str | Path) -> "Calibration":
        """Raises WeightsError when the file is no calibration."""
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
                f"{file} is no calibration ({error}). `faceinp identity calibrate` makes one."
            ) from error


def threshold(impostor: ArrayLike, rate: float) -> float:
    """The largest distance that takes at most the share ``rate`` of strangers' distances for one person's."""
    ordered = np.sort(np.asarray(impostor, np.float64))
    allowed = int(rate * len(ordered) + 1e-9)
    return float(ordered[-1] if allowed >= len(ordered) else np.nextafter(ordered[allowed], -np.inf))


def point(genuine: ArrayLike, impostor: ArrayLike, distance: float) -> Point:
    """What a threshold of ``distance`` does to one person's pairs and to strangers'."""
    own, other = np.asarray(genuine), np.asarray(impostor)
    return Point(distance, float((other <= distance).mean()), float((own <= distance).mean()) if own.size else None)


def logistic(genuine: ArrayLike, impostor: ArrayLike) -> tuple[float, float]:
    """Slope (over 0) and middle of the curve that fits best, both kinds of pairs weighing the same.

    Maximum likelihood with the smoothed targets of Platt 1999, which keep the slope finite where the kinds do not
    overlap.
    """
    from scipy.optimize import minimize

    kinds = [np.asarray(genuine, np.float64), np.asarray(impostor, np.float64)]
    distances = np.concatenate(kinds)
    targets = np.repeat([1 - 1 / (len(kinds[0]) + 2), 1 / (len(kinds[1]) + 2)], [len(kind) for kind in kinds])
    shares = np.repeat([0.5 / len(kind) for kind in kinds], [len(kind) for kind in kinds])

    def loss(given: NDArray[np.float64]) -> float:
        risen = np.exp(given[0]) * (distances - given[1])
        return float(shares @ (np.logaddexp(0, risen) - (1 - targets) * risen))

    found = minimize(loss, [np.log(10.0), distances.mean()], method="Nelder-Mead", options={"xatol": 1e-6})
    return float(np.exp(found.x[0])), float(found.x[1])


def fit(
    judge: str, fingerprint: str, genuine: ArrayLike, impostor: ArrayLike, *, data: str, people: int, pictures: int
) -> Calibration:
    """From distances of one person's pairs and of strangers'. Raises DataError where there are too few to tell."""
    own, other = np.asarray(genuine, np.float64), np.asarray(impostor, np.float64)
    if own.size < 10 or other.size < 1 / min(RATES):
        raise DataError(
            f"{own.size} pairs of one person and {other.size} of strangers are too few; 10 and {1 / min(RATES):.0f} "
            "are the least. Give shards of more people, whose JSON holds `identity`."
        )
    slope, middle = logistic(own, other)
    return Calibration(
        judge=judge,
        fingerprint=fingerprint,
        points=tuple(point(own, other, threshold(other, rate)) for rate in RATES),
        half=point(own, other, HALF),
        slope=slope,
        middle=middle,
        data=data,
        people=people,
        pictures=pictures,
        genuine=own.size,
        impostor=other.size,
    )


def check(calibration: Calibration, data: str, genuine: ArrayLike, impostor: ArrayLike) -> Check:
    """How the thresholds of ``calibration`` do on other distances."""
    own, other = np.asarray(genuine, np.float64), np.asarray(impostor, np.float64)
    return Check(
        data,
        own.size,
        other.size,
        tuple(point(own, other, known.threshold) for known in calibration.points),
        point(own, other, HALF),
    )


# ---- of a file ----


def _points(content: dict[str, Any]) -> tuple[Point, ...]:
    """At each of RATES."""
    points = json_values.values_of(content, "points")
    if len(points) != len(RATES):
        raise ValueError(f"'points' must be {len(RATES)} thresholds, got {len(points)}")
    return tuple(_point(json_values.section({"points": point}, "points")) for point in points)


def _point(content: dict[str, Any]) -> Point:
    known = content.get("true_match_rate") is not None
    return Point(
        json_values.number(content, "threshold", -1, 1e9),
        json_values.number(content, "false_match_rate", 0, 1),
        json_values.number(content, "true_match_rate", 0, 1) if known else None,
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
