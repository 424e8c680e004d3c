"""Find the occluders of each face (glasses, protective masks, hands, hair, other objects) by a network."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import cv2
import numpy as np
from numpy.typing import NDArray

from faceinp.common.arrays import Pixels
from faceinp.face import detection, faces
from faceinp.face.face_location import FaceLocation, as_location, locate, no_face
from faceinp.face.faces import Face
from faceinp.face.heads import Turn, check_turn
from faceinp.find import network
from faceinp.find.proposal import Proposal, check_sensitivity, dilate_kinds, disc
from faceinp.photo import photos

SIZE = 256  # side of the network's input
GROWTH = 0.012  # radius by which a proposal is dilated, as a share of the crop's side


@dataclass(frozen=True, eq=False)
class Occluders(Proposal):
    """The occluders of one face.

    Kinds: 1 glasses (frames; lenses if they are dark or reflect), 2 protective mask, 3 hand, 4 hair (across the face),
    5 other. face: None for an aligned photo, and for all faces together.
    """

    subject: str = "occluders"
    face: Face | None = None

    KINDS: ClassVar[tuple[str, ...]] = ("glasses", "protective-mask", "hand", "hair", "other")

    def spread(self, kinds: Collection[str]) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
        """Dilated confidence and likely kinds of some of ``KINDS``, float32 and uint8 (H, W).

        The confidence is 0 where another kind is more likely.
        """
        wanted = np.isin(self.likely, [1 + self.KINDS.index(one) for one in kinds])
        likely = np.where(wanted, self.likely, np.uint8(0))
        confidence = cv2.dilate(np.where(wanted, self.confidence, np.float32(0)), disc(self.reach))
        return np.asarray(confidence, np.float32), dilate_kinds(likely, self.reach)


def find_occluders(
    photo: Any, *, sensitivity: float = 0.5, face: FaceLocation | Face | None = None, turn: Turn = "auto"
) -> list[Occluders]:
    """Find the occluders of each face of ``photo``: one proposal for each, the largest face first.

    photo: as for ``photos.read``. sensitivity: from 0 (only certain occluders) to 1 (all possible ones). face, turn: as
    for ``fill``; without ``face``, all faces. Beards, make-up, shadows and wrinkles are parts of a face, not occluders.
    Raises PhotoError, NoFaceError where there is no face, and WeightsError where the network's weights are missing.
    """
    sensitivity = check_sensitivity(sensitivity)
    return [one.at(sensitivity) for one in iterate_occluders(photo, face, turn)]


def iterate_occluders(photo: Any, face: FaceLocation | Face | None, turn: Turn) -> Iterator[Occluders]:
    """As ``find_occluders``, one by one to save memory, and with empty masks until ``Proposal.at`` is called."""
    location = as_location(face)
    check_turn(turn)
    pixels = photos.read(photo).pixels
    finder = network.load("occluders")
    if location is not None and location.kind == "aligned":
        quad = faces.whole_quad(pixels.shape, 0 if turn == "auto" else turn)
        yield _occluders(finder, pixels, quad, None)
        return
    if location is None:
        located = detection.find_faces(pixels, None, turn)
    else:
        located = locate(pixels, None, location, turn).faces
    if not located:
        raise no_face()
    yield from (_occluders(finder, pixels, faces.quad(one), one) for one in located)


def _occluders(finder: network.Network, pixels: Pixels, quad: NDArray[np.float64], face: Face | None) -> Occluders:
    shape = pixels.shape[0], pixels.shape[1]
    output = finder(faces.align(pixels, np.zeros(shape, bool), quad, SIZE).pixels).transpose(1, 2, 0)
    # ``paste`` takes three channels.
    halves = [faces.paste(output[..., part], quad, shape) for part in (slice(3), slice(3, None))]
    probabilities, (_, inside, region) = np.concatenate([half[0] for half in halves], axis=2), halves[0]
    confidence, kind = np.zeros(shape, np.float32), np.zeros(shape, np.uint8)
    confidence[region] = np.where(inside, probabilities[..., 1:].sum(axis=2).clip(0, 1), 0)
    kind[region] = 1 + probabilities[..., 1:].argmax(axis=2)
    nothing = np.zeros(shape, np.uint8)
    return Occluders(
        nothing > 0,
        confidence,
        nothing,
        likely=kind,
        reach=max(1, round(GROWTH * faces.side(quad))),
        face=face,
        faces=() if face is None else (face,),
    )
