"""Which faces a mask touches: where each is, how the engine sees it, and which part of the hole is its own."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from faceinp.common.arrays import Pixels
from faceinp.engines.base import Engine
from faceinp.errors import MaskError, NoFaceError
from faceinp.face import faces
from faceinp.face.face_location import FaceLocation, locate, no_face
from faceinp.face.faces import Crop, Face
from faceinp.face.heads import Turn
from faceinp.photo.tone import Tone, estimate_tone

Hole = NDArray[np.bool_]


@dataclass(eq=False)
class Target:
    """A face to fill.

    location: None for an aligned photo. crop: as the engine sees it. notes: what a person should know of it. generated,
    landmarks: what the engine made of it, as in ``result.FilledFace``, once it was asked.
    """

    location: Face | None
    crop: Crop
    notes: list[str]
    generated: NDArray[np.float32] = field(init=False)
    landmarks: NDArray[np.float32] | None = field(init=False, default=None)

    @cached_property
    def tone(self) -> Tone | None:
        """The tone of the photo there, where it is monochrome."""
        return estimate_tone(self.crop.pixels, self.crop.hole)

    @property
    def in_tone(self) -> NDArray[np.float32]:
        """What the engine made, in the photo's tone."""
        return self.generated if self.tone is None else self.tone(self.generated)

    @property
    def hidden(self) -> bool:
        """Whether the mask covers the entire face, so that no engine can be asked."""
        return bool(self.crop.hole.all())


class Targets(NamedTuple):
    """faces: in the order in which they are filled. owner: uint8 (H, W), to which of them each hole pixel belongs, as
    ``owners`` has it. quads: of the crops of all faces that were detected, those that are not filled too. notes: on the
    mask and its faces together.
    """

    faces: tuple[Target, ...]
    owner: NDArray[np.uint8]
    quads: tuple[NDArray[np.float64], ...]
    notes: tuple[str, ...]


def find_targets(
    pixels: Pixels,
    hole: Hole,
    location: FaceLocation | None,
    turn: Turn,
    engine: Engine,
    *,
    with_references: bool,
    require_face: bool,
) -> Targets:
    """The faces to fill; none where the mask touches none.

    pixels: uint8 (H, W, 3). hole: bool (H, W). location, turn, require_face: as for ``pipeline.fill``. with_references:
    whether other photos may show what is hidden, so that nothing of a face need be known.
    Raises MaskError, NoFaceError, and PhotoError for an aligned photo that is not square.
    """
    found: tuple[Face, ...] = ()
    if location is not None and location.kind == "aligned":
        quad = faces.whole_quad(pixels.shape, 0 if turn == "auto" else turn)
        targets = [Target(None, _crop(pixels, hole, quad, engine), [])]
    else:
        located, found = locate(pixels, hole, location, turn)
        targets = [
            Target(face, _crop(pixels, hole, faces.quad(face), engine), _notes(face, location)) for face in located
        ]
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
    notes = []
    if location is not None and len(targets) > 1:
        notes.append("The mask also covers another face, which was filled, too.")
    if len(targets) > 1:
        known = [target for target in targets if not target.hidden or (location is not None and target is targets[0])]
        if len(known) < len(targets):
            notes.append("The mask covers another face entirely; it was filled from its surroundings.")
        targets = known
    if not targets:
        if require_face and found:
            raise NoFaceError("There is no face under the mask. Draw over a face, or leave out --require-face.")
        if require_face:
            raise no_face()
        notes.append(
            "No face was found under the mask, so it was filled from its surroundings. If it hides a face, specify "
            "where: --box or --points (face=FaceLocation.box, FaceLocation.points)."
        )
    owner = owners(hole, [target.crop.quad for target in targets])
    owning = [target for index, target in enumerate(targets, 1) if (owner == index).any()]
    if len(owning) < len(targets):  # a face whose part of the hole lies farther inside of another's crop
        owner = owners(hole, [target.crop.quad for target in owning])
    quads = [faces.quad(face) for face in found] or [target.crop.quad for target in owning]
    return Targets(tuple(owning), owner, tuple(quads), tuple(notes))


def owners(hole: NDArray[np.bool_], quads: Sequence[NDArray[np.float64]]) -> NDArray[np.uint8]:
    """To which face each hole pixel belongs: uint8 (H, W), 1 + its index in ``quads``; 0 outside of all crops.

    hole: bool (H, W). quads: (4, 2) each. Where crops overlap, to the face in whose crop the pixel lies farther inside.
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
    pixels: Pixels, hole: Hole, drawn: Sequence[Target], owner: NDArray[np.uint8], target: Target, engine: Engine
) -> Crop:
    """The crop of a face when others of the photo are ``drawn`` already: there, their parts of the hole are known."""
    pixels, hole = pixels.copy(), hole.copy()
    for index, one in enumerate(drawn, 1):
        painted, _, region = faces.paste(one.in_tone, one.crop.quad, hole.shape, hole)
        mine = owner[region] == index
        pixels[region][mine] = np.rint(255 * painted[mine])
        hole[region][mine] = False
    return _crop(pixels, hole, target.crop.quad, engine)


def _crop(pixels: Pixels, hole: Hole, quad: NDArray[np.float64], engine: Engine) -> Crop:
    """As large as the face is in the photo, within what the engine can do."""
    side = int(np.clip(round(faces.side(quad)), engine.size, engine.largest))
    return faces.align(pixels, hole, quad, side)


def _notes(face: Face, location: FaceLocation | None) -> list[str]:
    notes = []
    if location is not None and location.kind == "box" and not face.confidence:
        notes.append("No face was found in the box: an average one was assumed. Its five --points say more.")
    if face.turn:
        notes.append(
            f"The face is turned: the photo must be turned by {face.turn} degrees clockwise for it to stand upright. "
            "It was filled as it lies."
        )
    if abs(face.yaw) > faces.TURNED_TOO_FAR:
        notes.append(
            f"The head is turned by about {abs(face.yaw):.0f} degrees; engines know frontal faces best. The engine "
            "telea, which knows none, may serve a small hole better."
        )
    return notes
