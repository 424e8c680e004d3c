"""Choose the faces to fill: cut out each face that the mask touches, and divide the hole among them."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from faceinp.engines.base import Engine
from faceinp.errors import MaskError, NoFaceError
from faceinp.face import faces
from faceinp.face.face_location import FaceLocation, locate, no_face
from faceinp.face.faces import Crop, Face
from faceinp.face.heads import Turn
from faceinp.photo.arrays import Bools, Pixels
from faceinp.photo.tone import Tone, estimate_tone


@dataclass(eq=False)
class Target:
    """A face to fill.

    location: None for an aligned photo. crop: the engine's input. notes: sentences for the user. generated, landmarks:
    the engine's output, as in ``result.FilledFace``, once it has run.
    """

    location: Face | None
    crop: Crop
    notes: list[str]
    generated: NDArray[np.float32] = field(init=False)
    landmarks: NDArray[np.float32] | None = field(init=False, default=None)

    @cached_property
    def tone(self) -> Tone | None:
        """The tone of the crop; None unless it is monochrome."""
        return estimate_tone(self.crop.pixels, self.crop.hole)

    @property
    def in_tone(self) -> NDArray[np.float32]:
        """The generated picture in the photo's tone: float32 (S, S, 3)."""
        return self.generated if self.tone is None else self.tone(self.generated)

    @property
    def hidden(self) -> bool:
        """Whether the mask covers the entire crop, so that no engine can complete it."""
        return bool(self.crop.hole.all())


class Targets(NamedTuple):
    """The faces to fill in a photo.

    faces: in the order in which they are filled. owner: uint8 (H, W), the face that each hole pixel belongs to, as
    ``owners`` returns it. quads: of all detected faces, filled or not. notes: sentences on the mask and its faces.
    """

    faces: tuple[Target, ...]
    owner: NDArray[np.uint8]
    quads: tuple[NDArray[np.float64], ...]
    notes: tuple[str, ...]


def find_targets(
    pixels: Pixels,
    hole: Bools,
    location: FaceLocation | None,
    turn: Turn,
    engine: Engine,
    *,
    with_references: bool,
    require_face: bool,
) -> Targets:
    """The faces to fill; none where the mask touches none.

    pixels: uint8 (H, W, 3). hole: bool (H, W), True = hole. location, turn, require_face: as for ``pipeline.fill``.
    engine: limits the size of the crops. with_references: whether there are reference photos; they can show a face that
    the mask covers entirely. Raises MaskError, NoFaceError, and PhotoError for an aligned photo that is not square.
    """
    detected: tuple[Face, ...] = ()
    if location is not None and location.kind == "aligned":
        quad = faces.whole_quad(pixels.shape, 0 if turn == "auto" else turn)
        targets = [Target(None, _crop(pixels, hole, quad, engine), [])]
    else:
        located, detected = locate(pixels, hole, location, turn)
        targets = [
            Target(face, _crop(pixels, hole, faces.quad(face), engine), _notes(face, location)) for face in located
        ]
    _check_visible(targets, location, with_references=with_references)
    targets, notes = _without_hidden(targets, specified=location is not None)
    if not targets:
        if require_face and detected:
            raise NoFaceError("No face lies under the mask. Draw over a face, or leave out --require-face.")
        if require_face:
            raise no_face()
        notes.append(
            "No face was found under the mask, so it was filled from its surroundings. If it hides a face, specify "
            "where: --box or --points (face=FaceLocation.box, FaceLocation.points)."
        )
    owner = owners(hole, [target.crop.quad for target in targets])
    owning = [target for index, target in enumerate(targets, 1) if (owner == index).any()]
    if len(owning) < len(targets):  # another crop contains all the hole pixels of a face, farther inside
        owner = owners(hole, [target.crop.quad for target in owning])
    quads = [faces.quad(face) for face in detected] or [target.crop.quad for target in owning]
    return Targets(tuple(owning), owner, tuple(quads), tuple(notes))


def _check_visible(targets: Sequence[Target], location: FaceLocation | None, *, with_references: bool) -> None:
    """Raise MaskError where the mask misses the face that was specified, or covers the only face entirely."""
    if location is not None and not targets[0].crop.hole.any():
        raise MaskError(
            "The mask does not touch the face. Draw over it, or specify another face with --face, --box or --points "
            "(face=FaceLocation...)."
        )
    if len(targets) == 1 and targets[0].hidden and not with_references:
        raise MaskError(
            "The mask covers the entire face. Leave part of the face unmasked, or give another photo of the person "
            "(references=, --reference)."
        )


def _without_hidden(targets: list[Target], *, specified: bool) -> tuple[list[Target], list[str]]:
    """Several targets without those that the mask covers entirely, and notes. specified: the first one always stays."""
    if len(targets) < 2:
        return targets, []
    notes = ["The mask also covers another face, which was filled, too."] if specified else []
    visible = [target for target in targets if not target.hidden or (specified and target is targets[0])]
    if len(visible) < len(targets):
        notes.append("The mask covers another face entirely; it was filled from its surroundings.")
    return visible, notes


def owners(hole: NDArray[np.bool_], quads: Sequence[NDArray[np.float64]]) -> NDArray[np.uint8]:
    """The face that each hole pixel belongs to: uint8 (H, W), 1 + its index in ``quads``; 0 outside all crops.

    hole: bool (H, W). quads: (4, 2) each. Where crops overlap, the pixel belongs to the crop in which it lies farther
    inside.
    """
    owner = np.zeros(hole.shape, np.uint8)
    if not quads:
        return owner
    y, x = np.nonzero(hole)
    centres = np.column_stack([x, y]) + 0.5
    farthest_inside, chosen = np.zeros(len(y), np.float32), np.zeros(len(y), np.uint8)
    for index, quad in enumerate(quads, 1):
        inside = 0.5 - np.abs(faces.to_crop(centres, quad) - 0.5).max(axis=1)
        better = inside >= farthest_inside if index == 1 else inside > farthest_inside
        farthest_inside[better], chosen[better] = inside[better], index
    owner[y, x] = chosen
    return owner


def crop_after(
    pixels: Pixels, hole: Bools, generated: Sequence[Target], owner: NDArray[np.uint8], target: Target, engine: Engine
) -> Crop:
    """The crop of a face after other faces were generated; their parts of the hole count as known."""
    pixels, hole = pixels.copy(), hole.copy()
    for index, one in enumerate(generated, 1):
        painted, _, region = faces.paste(one.in_tone, one.crop.quad, hole.shape, hole)
        own = owner[region] == index
        pixels[region][own] = np.rint(255 * painted[own])
        hole[region][own] = False
    return _crop(pixels, hole, target.crop.quad, engine)


def _crop(pixels: Pixels, hole: Bools, quad: NDArray[np.float64], engine: Engine) -> Crop:
    """The crop at the size of the face in the photo, within the engine's limits."""
    side = int(np.clip(round(faces.side(quad)), engine.size, engine.largest))
    return faces.align(pixels, hole, quad, side)


def _notes(face: Face, location: FaceLocation | None) -> list[str]:
    notes = []
    if location is not None and location.kind == "box" and not face.confidence:
        notes.append(
            "No face was found in the box, so an average face was assumed there. For a better fill, specify the five "
            "points of the face (--points)."
        )
    if face.turn:
        notes.append(
            f"The face is not upright: the photo would have to be turned by {face.turn} degrees clockwise. The fill "
            "follows the face, and the photo was not turned."
        )
    if abs(face.yaw) > faces.LARGE_YAW:
        notes.append(
            f"The head is turned by about {abs(face.yaw):.0f} degrees; engines fill frontal faces best. For a small "
            "hole, the engine telea, which needs no face, may be better."
        )
    return notes
