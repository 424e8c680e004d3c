"""Faces with something before them, drawn for training: the picture and what hides the face where.

Classes: 0 face or background, 1 glasses, 2 protective mask, 3 hand, 4 hair across the face, 5 other; UNJUDGED (255)
where a lock of hair goes on beyond the inner face. Clear lenses, beards, make-up, shadows, wrinkles, brows, a fringe
above the eyes, hats and collars are 0.
"""

from typing import Any

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from faceinp.photo.arrays import Pixels
from faceinp.train.drawn_occluders import looks
from faceinp.train.drawn_occluders.cloth import protective_mask, scarf
from faceinp.train.drawn_occluders.eyewear import glasses
from faceinp.train.drawn_occluders.hair import beard, brows, fringe, hair
from faceinp.train.drawn_occluders.hands import hand
from faceinp.train.drawn_occluders.layers import UNJUDGED, Face
from faceinp.train.drawn_occluders.objects import thing

__all__ = ["CLASSES", "UNJUDGED", "draw", "photographed"]

CLASSES = ("face", "glasses", "protective mask", "hand", "hair", "other")
NOTHING = 1 / 3  # of all faces get no occluder
_LOOKS = (beard, brows, fringe, looks.shade, looks.make_up, looks.sockets, looks.wrinkles, looks.hat, looks.shine)


def draw(picture: Pixels, points: NDArray[np.floating[Any]], rng: Generator, others: Pixels) -> tuple[Pixels, Pixels]:
    """Draw what may hide a face, and what only looks like it, on an aligned face.

    picture: uint8 (S, S, 3), RGB. points: (68, 2) of the iBUG scheme, in shares of the side.
    others: uint8 (N, S, S, 3), other aligned faces, from which skin and textures are taken; N may be 0.
    Returns the picture and the classes, uint8 (S, S): see the module. A third of the faces get no occluder.
    Random numbers come from ``rng`` alone. Follow it by ``photographed``, which makes drawing and photo one.
    """
    side = picture.shape[0]
    face = Face(
        picture.astype(np.float32), np.zeros((side, side), np.uint8), np.asarray(points, np.float64) * side, rng, others
    )
    for _ in range(int(rng.choice(4, p=(0.35, 0.35, 0.2, 0.1)))):
        _LOOKS[rng.integers(len(_LOOKS))](face)
    if rng.random() >= NOTHING:
        _occlude(face)
    return np.rint(np.clip(face.picture, 0, 255)).astype(np.uint8), face.classes


def _occlude(face: Face) -> None:
    """Draw one occluder or several, in the order in which they lie on each other."""
    rng = face.rng
    first = rng.choice(["glasses", "mask", "hand", "hair", "other"], p=(0.36, 0.17, 0.2, 0.13, 0.14))
    if first == "glasses" or (first == "mask" and rng.random() < 0.2):
        glasses(face)
    if first == "mask":
        protective_mask(face)
        if rng.random() < 0.15:
            glasses(face)
    if first == "hair" or rng.random() < 0.06:
        hair(face)
    if first == "other":
        (scarf if rng.random() < 0.2 else thing)(face)
    if first == "hand":
        if rng.random() < 0.2:
            glasses(face)
        hand(face)
        if rng.random() < 0.2:
            hand(face)
    elif first in ("other", "glasses") and rng.random() < 0.15:
        hand(face)


def photographed(picture: Pixels, rng: Generator) -> Pixels:
    """The picture, uint8 (S, S, 3), as a camera or a scanner would have it: blur, light, colour, grain, JPEG."""
    side = picture.shape[0]
    if rng.random() < 0.35:  # enlarged from a small face
        small = max(24, int(side * rng.uniform(0.3, 0.9)))
        picture = cv2.resize(picture, (small, small), interpolation=cv2.INTER_AREA).astype(np.uint8)
        picture = np.asarray(cv2.resize(picture, (side, side), interpolation=int(rng.choice([1, 2]))), np.uint8)
    elif rng.random() < 0.3:
        picture = np.asarray(cv2.GaussianBlur(picture, (0, 0), rng.uniform(0.4, 1.6)), np.uint8)
    light = picture.astype(np.float32) / 255
    light = np.clip(light, 0, 1) ** np.float32(np.exp(rng.normal(0, 0.2)))
    light = (light - 0.5) * rng.uniform(0.7, 1.2) + 0.5 + rng.normal(0, 0.05)
    if rng.random() < 0.5:
        light = light * rng.normal(1, 0.06, 3)
    if rng.random() < 0.18:
        grey = light.mean(axis=2, keepdims=True)
        light = grey * (rng.uniform((1.0, 0.85, 0.6), (1.15, 1.0, 0.9)) if rng.random() < 0.4 else np.ones(3))
    if rng.random() < 0.4:
        grain = rng.standard_normal((side, side, 1 if rng.random() < 0.6 else 3)).astype(np.float32)
        if rng.random() < 0.5:
            grain = np.atleast_3d(cv2.GaussianBlur(grain, (0, 0), 0.7)) * 1.6
        light = light + grain * rng.uniform(0.005, 0.06)
    picture = np.rint(np.clip(light, 0, 1) * 255).astype(np.uint8)
    if rng.random() < 0.5:
        _, data = cv2.imencode(".jpg", picture[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(35, 96))])
        picture = np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)[..., ::-1]
    return np.ascontiguousarray(picture)
