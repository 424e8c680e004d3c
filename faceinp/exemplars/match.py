"""How far an exemplar can be trusted: where it lies on the photo's face, in which light, and pixel by pixel how surely.

Everything is judged on crops of SIZE pixels, aligned like those for engines; sampling at the photo's own resolution is
``transfer``'s work. Lengths are shares of the crop's side.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from faceinp.exemplars import features, gaze, warp
from faceinp.exemplars import light as lights
from faceinp.exemplars.exemplar import SIZE, Crop
from faceinp.exemplars.fields import blurred, eroded, grey, ramp
from faceinp.exemplars.light import LARGE, Light
from faceinp.exemplars.warp import Map

Floats = NDArray[np.float32]
Bools = NDArray[np.bool_]

NEAR = 0.07  # standard deviation of the surroundings of the hole, where colours and likeness are measured
ALIKE, UNLIKE = 24 / 255, 66 / 255  # large structure of exemplar and engine: surely the same thing, surely another
CLOSE, FAR = 50 / 255, 100 / 255  # the same of exemplar and photo around the hole
EXACT, LOOSE = 2.5 / 255, 8 / 255  # there, the exemplar's large structure is better than the engine's, or no better
TRUSTED = 55 / 255  # by which it may be more unlike the engine's where it is exact
COMMON, STRANGE = (0.05, 0.98), 15 / 255  # quantiles of a face's brightness, and how far beyond them no face is
# Degrees of yaw: of a face that is its own exemplar, of the same moment and light; and between two.
MIRRORED, MIRRORED_FAR = 36.0, 54.0
TURNED, TURNED_FAR = 25.0, 45.0
SHARP, BLURRED = 0.5, 0.3  # an exemplar's fine structure over the photo's, on what both know
# Structure of medium size: how much of the engine's an exemplar must have (the skin of a hand has less than a mouth),
# and how alike they must be, 1 being the same and -1 the contrary; measured over STRUCTURE.
PLENTY, LITTLE = 0.82, 0.68
AGREEING, CONTRARY = -0.1, -0.45
STRUCTURE = 0.045
# Growth of areas, and the greatest stretch over the smallest.
SHRUNK, GROWN, SQUEEZED = (0.4, 0.25), (2.5, 4.0), (2.2, 3.2)
SERVES, USABLE = 0.5, 0.1  # confidence of a pixel that is trusted; share of the hole that makes an exemplar worth it

HIDDEN = "it is hidden there, too"


@dataclass(frozen=True, eq=False)
class Match:
    """How an exemplar fits a face.

    map: from shares of the target's crop to shares of the exemplar's. gaze: float32 (SIZE, SIZE, 2), what is taken
    away from the target's coordinates before: a mirrored iris moved. light: how its colours become the target's.
    confidence: float32 (SIZE, SIZE) in [0, 1], how surely its fine structure is right. stray: float32 (SIZE, SIZE) in
    [0, 1], how far its large structure is from the target's; 0 where it can be taken as it is. problem: why it is
    trusted nowhere in the hole, a clause; empty where it is.
    """

    map: Map
    gaze: Floats
    light: Light
    confidence: Floats
    stray: Floats
    problem: str = ""


def match(target: Crop, source: Crop, *, mirrored: bool, drawn: bool = True) -> Match:
    """How ``source`` fits ``target``.

    source: the exemplar's crop, its points where the target's landmarks lie. mirrored: it is the target itself.
    drawn: whether the target's hole holds a face that an engine drew; else it is but a smooth fill, and proves little.
    """
    hidden_whole = not target.known.any()
    face = features.whole_crop() if hidden_whole else features.extent(target.points)
    weight = (eroded(target.known) * (face > 0.5) * _near(~target.known)).astype(np.float32)
    known = eroded(source.known)
    certain = target.knows(target.points) & source.knows(source.points)
    brightness = grey(target.pixels), grey(source.pixels)
    found = warp.align(target.points, source.points, certain, *brightness, weight, known)

    its_face = np.ones_like(face) if hidden_whole else features.extent(source.points)
    seen, seen_known, seen_face = _laid_over(found, source.pixels, known, its_face)
    valid = np.where(seen_known > 0.99, weight * (seen_face > 0.5), 0).astype(np.float32)
    if not valid.any():
        light = lights.unchanged(seen)
    else:
        light = (lights.own if mirrored else lights.fit)(target.pixels, seen, valid)
    lit = light.on(seen, light.field, light.large)

    around = _around(lit - target.pixels, valid)
    exact = ramp(around, EXACT, LOOSE)
    trust = {
        HIDDEN: face * seen_face * ramp(blurred(seen_known, 1.5 / SIZE), 0.99, 0.8),
        "the face is turned otherwise": _pose(target, source, found, mirrored),
        "it is blurred or too small": np.full_like(face, 1 if mirrored else _sharp(target.pixels, lit, valid)),
        "it looks too different there": ramp(around, CLOSE, FAR)
        * np.maximum(_like_engine(target.pixels, lit, exact, drawn), exact * familiar(target.pixels, lit, valid)),
        "the expression is another": np.ones_like(face) if mirrored else features.expression(target, source, exact),
    }
    shift, sure = gaze.along(target, source, found) if mirrored else gaze.as_it_is()
    confidence = features.by_part(np.prod(list(trust.values()), axis=0) * sure, target)
    stray = np.asarray(1 - exact, np.float32)
    return Match(found, shift, light, confidence, stray, _problem(trust, confidence, ~target.known))


def _like_engine(picture: Floats, lit: Floats, exact: Floats, drawn: bool) -> Floats:
    """1 where the exemplar shows what the engine made, as far as large and medium structure tell: (SIZE, SIZE)."""
    against = np.abs(blurred(lit - picture, LARGE)).max(axis=2) - TRUSTED * exact
    alike = ramp(against, ALIKE, UNLIKE)
    if drawn:
        plenty, agreeing = structure(picture, lit)
        alike = alike * ramp(plenty, PLENTY, LITTLE) * ramp(agreeing, AGREEING, CONTRARY)
    return np.asarray(alike, np.float32)


def familiar(target: Floats, lit: Floats, valid: Floats) -> Floats:
    """1 where the brightness of ``lit`` is one that the known part of the face has, too: (SIZE, SIZE).

    target, lit: (SIZE, SIZE, 3). valid: (SIZE, SIZE). What an exact exemplar shows is then rather a chin than a patch.
    """
    if not valid.any():
        return np.ones_like(valid)
    known, seen = (blurred(grey(picture), LARGE) for picture in (target, lit))
    darkest, brightest = np.quantile(known[valid > 0], COMMON)
    return np.asarray(ramp(np.maximum(darkest - seen, seen - brightest), 0, STRANGE), np.float32)


def structure(drawn: Floats, seen: Floats) -> tuple[Floats, Floats]:
    """Of structure of medium size around each pixel: how much ``seen`` has of ``drawn``'s, and their correlation.

    drawn, seen: (SIZE, SIZE, 3). Returns (SIZE, SIZE) each.
    """
    a, b = lights.medium(drawn), lights.medium(seen)
    energies = [blurred(x * x, STRUCTURE) + np.float32(1e-5) for x in (a, b)]
    correlation = blurred(a * b, STRUCTURE) / np.sqrt(energies[0] * energies[1])
    return np.sqrt(energies[1] / energies[0]), np.asarray(correlation, np.float32)


def _laid_over(found: Map, pixels: Floats, known: Floats, face: Floats) -> tuple[Floats, Floats, Floats]:
    """Colours (SIZE, SIZE, 3), what is known and where the face is (SIZE, SIZE), as they lie on the target."""
    place = found.grid(SIZE) * SIZE - np.float32(0.5)
    layers = np.dstack([pixels, known, face])
    looked = cv2.remap(layers, place[..., 0], place[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
    laid = np.asarray(looked, np.float32)
    return laid[..., :3], laid[..., 3], laid[..., 4]


def _pose(target: Crop, source: Crop, found: Map, mirrored: bool) -> Floats:
    growth, ratio = found.stretch(SIZE)
    sane = ramp(growth, *SHRUNK) * ramp(growth, *GROWN) * ramp(ratio, *SQUEEZED)
    yaw = features.yaw(target.points)
    if mirrored:
        return np.asarray(sane * ramp(abs(yaw), MIRRORED, MIRRORED_FAR), np.float32)
    return np.asarray(sane * ramp(abs(yaw - features.yaw(source.points)), TURNED, TURNED_FAR), np.float32)


def _sharp(target: Floats, lit: Floats, valid: Floats) -> float:
    if not valid.any():
        return 1.0
    return float(ramp(lights.detail(lit, valid) / max(lights.detail(target, valid), 1e-4), SHARP, BLURRED))


def _problem(trust: dict[str, Floats], confidence: Floats, hole: Bools) -> str:
    """What speaks most against an exemplar in the hole; empty where it serves on some of it."""
    if not hole.any() or (confidence[hole] >= SERVES).mean() >= USABLE:
        return ""
    return min(trust, key=lambda reason: float(trust[reason][hole].mean()))


def _near(hole: Bools) -> Floats:
    """Large beside the hole, never 0: float32 (SIZE, SIZE)."""
    near = blurred(hole.astype(np.float32), NEAR)
    return near / max(float(near.max()), 1e-6) + np.float32(0.05)


def _around(difference: Floats, weight: Floats) -> Floats:
    """Root mean square of large differences (SIZE, SIZE, 3) on known pixels around each pixel: (SIZE, SIZE).

    1 far from all that is known, and 0 everywhere where nothing is: then nothing speaks against the exemplar.
    """
    if not weight.any():
        return np.zeros_like(weight)
    known = (weight > 0).astype(np.float32)
    share = np.maximum(blurred(known, LARGE / 2), np.float32(1e-3))
    means = blurred(difference * known[..., None], LARGE / 2) / share[..., None]
    total = blurred(weight, NEAR)
    squares = blurred((means**2).max(axis=2) * weight, NEAR)
    return np.sqrt(np.where(total > 1e-5, squares / np.maximum(total, 1e-5), 1)).astype(np.float32)
