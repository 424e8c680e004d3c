"""Match an exemplar with the photo's face: align it, adapt its light, and compute a confidence for each pixel.

All of this happens on crops of SIZE pixels, aligned like those for engines; ``transfer`` samples the exemplar at the
photo's own resolution. Lengths are shares of the crop's side.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from faceinp.exemplars import features, gaze, warp
from faceinp.exemplars import light as lights
from faceinp.exemplars.exemplar import SIZE, AlignedFace
from faceinp.exemplars.fields import blurred, eroded, grey, ramp
from faceinp.exemplars.light import LARGE_SCALE, Light
from faceinp.exemplars.warp import Map
from faceinp.face import faces
from faceinp.photo.arrays import Bools, Floats

NEARBY_SCALE = 0.07  # standard deviation of the surroundings of the hole, where colours and differences are measured
# Pairs of thresholds for ``ramp``: full confidence from the first on, none from the second on.
# Differences of large structure, on a scale from 0 to 1:
ENGINE_DIFFERENCE = (24 / 255, 66 / 255)  # between exemplar and generated face
AROUND_DIFFERENCE = (50 / 255, 100 / 255)  # between exemplar and photo around the hole
EXACT_DIFFERENCE = (2.5 / 255, 8 / 255)  # the same, where the exemplar's large structure replaces the engine's
EXACT_TOLERANCE = 55 / 255  # added to ENGINE_DIFFERENCE where the exemplar is exact
BRIGHTNESS_QUANTILES = (0.05, 0.98)  # of the known part of the face
BRIGHTNESS_EXCESS = (0.0, 15 / 255)  # of an exemplar's brightness beyond these quantiles
YAW_MIRRORED = (36.0, 54.0)  # degrees, of a face that is its own exemplar
YAW_DIFFERENCE = (25.0, 45.0)  # degrees, between face and exemplar
SHARPNESS_RATIO = (0.5, 0.3)  # fine structure of the exemplar over the photo's, where both are known
# Structure of medium size around a pixel, in the exemplar compared with the generated face.
STRUCTURE_RATIO = (0.82, 0.68)  # the skin of a hand has less structure than a mouth
STRUCTURE_CORRELATION = (-0.1, -0.45)
STRUCTURE_SCALE = 0.045
# Distortion by the map to the exemplar: areas that shrink or grow, and the greatest stretch over the smallest.
AREA_SHRINKING = (0.4, 0.25)
AREA_GROWTH = (2.5, 4.0)
ANISOTROPY = (2.2, 3.2)
USABLE_CONFIDENCE = 0.5  # of a pixel
MIN_USABLE_SHARE = 0.1  # of the hole; an exemplar with less is reported as not used

HIDDEN = "it is hidden there, too"


@dataclass(frozen=True, eq=False)
class Match:
    """How an exemplar fits a face.

    map: from shares of the target's crop to shares of the exemplar's. gaze: float32 (SIZE, SIZE, 2), subtracted from
    the target's coordinates before ``map``, to shift a mirrored iris. light: adapts its colours to the target's.
    confidence: float32 (SIZE, SIZE) in [0, 1], of its fine structure. deviation: float32 (SIZE, SIZE) in [0, 1], of its
    large structure from the target's; 0 where the exemplar's is used. problem: why it is not usable in the hole, a
    clause; empty where it is usable.
    """

    map: Map
    gaze: Floats
    light: Light
    confidence: Floats
    deviation: Floats
    problem: str = ""


def match(target: AlignedFace, source: AlignedFace, *, mirrored: bool, face_generated: bool = True) -> Match:
    """Match ``source``, an exemplar, with ``target``, the photo's face.

    source: its points correspond to the target's landmarks. mirrored: whether it is the target itself.
    face_generated: whether the target's hole shows a generated face; if it is a smooth fill, it is weaker evidence.
    """
    all_hidden = not target.known.any()
    face = features.whole_crop() if all_hidden else features.extent(target.points)
    weight = (eroded(target.known) * (face > 0.5) * _nearby(~target.known)).astype(np.float32)
    known = eroded(source.known)
    certain = target.knows(target.points) & source.knows(source.points)
    brightness = grey(target.pixels), grey(source.pixels)
    mapping = warp.align(target.points, source.points, certain, *brightness, weight, known)

    source_face = np.ones_like(face) if all_hidden else features.extent(source.points)
    warped, warped_known, warped_face = _warped(mapping, source.pixels, known, source_face)
    valid = np.where(warped_known > 0.99, weight * (warped_face > 0.5), 0).astype(np.float32)
    if not valid.any():
        light = lights.unchanged(warped)
    else:
        light = (lights.fit_field if mirrored else lights.fit)(target.pixels, warped, valid)
    lit = light.apply(warped, light.field, light.large)

    around = _difference_around(lit - target.pixels, valid)
    exact = ramp(around, *EXACT_DIFFERENCE)
    similar = _like_generated(target.pixels, lit, exact, structured=face_generated)
    confidences = {
        HIDDEN: face * warped_face * ramp(blurred(warped_known, 1.5 / SIZE), 0.99, 0.8),
        "the face is turned too differently": _pose(target, source, mapping, mirrored),
        "it is blurred or too small": np.full_like(face, 1 if mirrored else _sharpness(target.pixels, lit, valid)),
        "it looks too different there": ramp(around, *AROUND_DIFFERENCE)
        * np.maximum(similar, exact * usual_brightness(target.pixels, lit, valid)),
        "the expression is different": np.ones_like(face) if mirrored else features.expression(target, source, exact),
    }
    shift, gaze_confidence = gaze.correct(target, source, mapping) if mirrored else gaze.no_shift()
    confidence = features.by_part(np.prod(list(confidences.values()), axis=0) * gaze_confidence, target)
    deviation = np.asarray(1 - exact, np.float32)
    return Match(mapping, shift, light, confidence, deviation, _problem(confidences, confidence, ~target.known))


def _like_generated(generated: Floats, lit: Floats, exact: Floats, *, structured: bool) -> Floats:
    """1 where the exemplar shows the same as the generated picture: (SIZE, SIZE).

    structured: whether structure of medium size is compared, besides large structure.
    """
    difference = np.abs(blurred(lit - generated, LARGE_SCALE)).max(axis=2) - EXACT_TOLERANCE * exact
    similar = ramp(difference, *ENGINE_DIFFERENCE)
    if structured:
        ratio, correlation = compare_structure(generated, lit)
        similar = similar * ramp(ratio, *STRUCTURE_RATIO) * ramp(correlation, *STRUCTURE_CORRELATION)
    return np.asarray(similar, np.float32)


def usual_brightness(target: Floats, lit: Floats, valid: Floats) -> Floats:
    """1 where the brightness of ``lit`` also occurs in the known part of the face: (SIZE, SIZE).

    target, lit: (SIZE, SIZE, 3). valid: (SIZE, SIZE). It separates a chin from a patch over it.
    """
    if not valid.any():
        return np.ones_like(valid)
    known, brightness = (blurred(grey(picture), LARGE_SCALE) for picture in (target, lit))
    darkest, brightest = np.quantile(known[valid > 0], BRIGHTNESS_QUANTILES)
    excess = np.maximum(darkest - brightness, brightness - brightest)
    return np.asarray(ramp(excess, *BRIGHTNESS_EXCESS), np.float32)


def compare_structure(generated: Floats, source: Floats) -> tuple[Floats, Floats]:
    """Compare structure of medium size around each pixel.

    generated, source: (SIZE, SIZE, 3). Returns the ratio, source over generated, and the correlation, (SIZE, SIZE)
    each.
    """
    a, b = lights.medium(generated), lights.medium(source)
    energies = [blurred(x * x, STRUCTURE_SCALE) + np.float32(1e-5) for x in (a, b)]
    correlation = blurred(a * b, STRUCTURE_SCALE) / np.sqrt(energies[0] * energies[1])
    return np.sqrt(energies[1] / energies[0]), np.asarray(correlation, np.float32)


def _warped(mapping: Map, pixels: Floats, known: Floats, face: Floats) -> tuple[Floats, Floats, Floats]:
    """Pixels (SIZE, SIZE, 3) and the maps ``known`` and ``face`` (SIZE, SIZE) of a source, warped onto the target."""
    at = mapping.grid(SIZE) * SIZE - np.float32(0.5)
    layers = np.dstack([pixels, known, face])
    sampled = cv2.remap(layers, at[..., 0], at[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
    warped = np.asarray(sampled, np.float32)
    return warped[..., :3], warped[..., 3], warped[..., 4]


def _pose(target: AlignedFace, source: AlignedFace, mapping: Map, mirrored: bool) -> Floats:
    """1 where the map distorts little and the yaw is similar: (SIZE, SIZE)."""
    growth, ratio = mapping.stretch(SIZE)
    undistorted = ramp(growth, *AREA_SHRINKING) * ramp(growth, *AREA_GROWTH) * ramp(ratio, *ANISOTROPY)
    yaw, other = (faces.yaw(faces.five_points(face.points)) for face in (target, source))
    similar = ramp(abs(yaw), *YAW_MIRRORED) if mirrored else ramp(abs(yaw - other), *YAW_DIFFERENCE)
    return np.asarray(undistorted * similar, np.float32)


def _sharpness(target: Floats, lit: Floats, valid: Floats) -> float:
    """1 where the exemplar is about as sharp as the target."""
    if not valid.any():
        return 1.0
    return float(ramp(lights.detail(lit, valid) / max(lights.detail(target, valid), 1e-4), *SHARPNESS_RATIO))


def _problem(confidences: dict[str, Floats], confidence: Floats, hole: Bools) -> str:
    """The reason with the lowest confidence in the hole; empty where the exemplar is usable in enough of it."""
    if not hole.any() or (confidence[hole] >= USABLE_CONFIDENCE).mean() >= MIN_USABLE_SHARE:
        return ""
    return min(confidences, key=lambda reason: float(confidences[reason][hole].mean()))


def _nearby(hole: Bools) -> Floats:
    """Weights that are large near the hole and never 0: float32 (SIZE, SIZE)."""
    near = blurred(hole.astype(np.float32), NEARBY_SCALE)
    return near / max(float(near.max()), 1e-6) + np.float32(0.05)


def _difference_around(difference: Floats, weight: Floats) -> Floats:
    """Root mean square of differences of large structure, on known pixels around each pixel: (SIZE, SIZE).

    difference: (SIZE, SIZE, 3). weight: (SIZE, SIZE). The result is 1 far from all known pixels, and 0 everywhere if
    none is known, since there is no evidence against the exemplar.
    """
    if not weight.any():
        return np.zeros_like(weight)
    known = (weight > 0).astype(np.float32)
    share = np.maximum(blurred(known, LARGE_SCALE / 2), np.float32(1e-3))
    means = blurred(difference * known[..., None], LARGE_SCALE / 2) / share[..., None]
    total = blurred(weight, NEARBY_SCALE)
    squares = blurred((means**2).max(axis=2) * weight, NEARBY_SCALE)
    return np.sqrt(np.where(total > 1e-5, squares / np.maximum(total, 1e-5), 1)).astype(np.float32)
