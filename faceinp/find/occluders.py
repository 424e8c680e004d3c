"""What hides a face: glasses, protective masks, hands, hair, other objects. A network looks at each aligned face."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import cv2
import numpy as np
from numpy.typing import NDArray

from faceinp.face import detection, faces
from faceinp.face.face_location import FaceLocation, as_location, locate, no_face
from faceinp.face.faces import Face
from faceinp.face.heads import Turn, check_turn
from faceinp.find import network
from faceinp.find.proposal import Proposal, check_sensitivity, disc, grown
from faceinp.photo import photos

SIZE = 256  # side of the crops that the network sees
GROWTH = 0.012  # of the crop's side, by which a proposal is grown
Pixels = NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Occluders(Proposal):
    """Kinds: 1 glasses (frames; lenses that are dark or reflect), 2 protective mask, 3 hand, 4 hair (across the face),
    5 other. face: where it is; None for a photo that is an aligned face already, and for all faces together.
    """

    subject: str = "occluders"
    face: Face | None = None

    KINDS: ClassVar[tuple[str, ...]] = ("glasses", "protective-mask", "hand", "hair", "other")

    def spread(self, kinds: Collection[str]) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
        """Confidence and likely kinds where the mask of these kinds is grown already, float32 and uint8 (H, W).

        kinds: some of ``KINDS``; where another one is likelier, the confidence is 0.
        """
        wanted = np.isin(self.likely, [1 + self.KINDS.index(one) for one in kinds])
        likely = np.where(wanted, self.likely, np.uint8(0))
        confidence = cv2.dilate(np.where(wanted, self.confidence, np.float32(0)), disc(self.reach))
        return np.asarray(confidence, np.float32), grown(likely, self.reach)


def find_occluders(
    photo: Any, *, sensitivity: float = 0.5, face: FaceLocation | Face | None = None, turn: Turn = "auto"
) -> list[Occluders]:
    """What hides the faces of ``photo``, as proposals: one for each face, the largest first.

    photo: as for ``photo.read``. sensitivity: from 0 (what is certain) to 1 (what might be an occluder). face, turn: as
    for ``fill``; without ``face`` all faces are looked at. Beards, make-up, shadows and wrinkles belong to a face.
    Raises PhotoError, NoFaceError where there is no face, and WeightsError where the network's weights are missing.
    """
    sensitivity = check_sensitivity(sensitivity)
    return [one.at(sensitivity) for one in of_each_face(photo, face, turn)]


def of_each_face(photo: Any, face: FaceLocation | Face | None, turn: Turn) -> Iterator[Occluders]:
    """As ``find_occluders``, but nothing is marked yet, and one after the other: the maps of many faces need not be
    held at once.
    """
    location = as_location(face)
    check_turn(turn)
    pixels = photos.read(photo).pixels
    finder = network.load("occluders")
    if location is not None and location.kind == "aligned":
        quad = faces.whole_quad(pixels.shape, 0 if turn == "auto" else turn)
        yield _found(finder, pixels, quad, None)
        return
    seen = detection.find_faces(pixels, None, turn) if location is None else locate(pixels, None, location, turn).faces
    if not seen:
        raise no_face()
    yield from (_found(finder, pixels, faces.quad(one), one) for one in seen)


def _found(finder: network.Network, pixels: Pixels, quad: NDArray[np.float64], face: Face | None) -> Occluders:
    shape = pixels.shape[0], pixels.shape[1]
    seen = finder(faces.align(pixels, np.zeros(shape, bool), quad, SIZE).pixels).transpose(1, 2, 0)
    halves = [faces.paste(seen[..., part], quad, shape) for part in (slice(3), slice(3, None))]
    shares, (_, inside, region) = np.concatenate([half[0] for half in halves], axis=2), halves[0]
    confidence, kind = np.zeros(shape, np.float32), np.zeros(shape, np.uint8)
    confidence[region] = np.where(inside, shares[..., 1:].sum(axis=2).clip(0, 1), 0)
    kind[region] = 1 + shares[..., 1:].argmax(axis=2)
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
