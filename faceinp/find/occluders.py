"""Find the occluders of each face (glasses, protective masks, hands, hair, other objects) by a network."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import ClassVar

import cv2
import numpy as np
from numpy.typing import NDArray

from faceinp.face import detection, faces
from faceinp.face.face_location import FaceLocation, as_location, locate, no_face
from faceinp.face.faces import Face
from faceinp.face.heads import Turn, check_turn
from faceinp.find import network
from faceinp.find.proposal import Proposal, check_sensitivity, dilate_kinds, disc, hide_transparent
from faceinp.mask import presets
from faceinp.photo import photos
from faceinp.photo.arrays import Floats
from faceinp.photo.photos import Photo, PhotoSource

SIZE = 256  # side of the network's input
MIN_SHARE = 0.01  # of the hull of the 68 points; less of a kind is mostly an eyebrow, a wrinkle or make-up
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
    photo: PhotoSource, *, sensitivity: float = 0.5, face: FaceLocation | Face | None = None, turn: Turn = "auto"
) -> list[Occluders]:
    """Find the occluders of each face of ``photo``: one proposal for each, the largest face first.

    photo: as for ``photos.read``. sensitivity: from 0 (only certain occluders) to 1 (all possible ones). face, turn: as
    for ``fill``; without ``face``, all faces. Beards, make-up, shadows and wrinkles are parts of a face, not occluders.
    Raises PhotoError, NoFaceError where there is no face, and WeightsError where the network's weights are missing.
    """
    sensitivity = check_sensitivity(sensitivity)
    return [one.at(sensitivity) for one in iterate_occluders(photo, face, turn)]


def iterate_occluders(photo: PhotoSource, face: FaceLocation | Face | None, turn: Turn) -> Iterator[Occluders]:
    """As ``find_occluders``, one by one to save memory, and with empty masks until ``Proposal.at`` is called."""
    location = as_location(face)
    check_turn(turn)
    opened = photos.read(photo)
    pixels = opened.pixels
    finder = network.load("occluders")
    if location is not None and location.kind == "aligned":
        quad = faces.whole_quad(pixels.shape, 0 if turn == "auto" else turn)
        yield _occluders(finder, opened, quad, None)
        return
    if location is None:
        located = detection.find_faces(pixels, None, turn)
    else:
        located = locate(pixels, None, location, turn).faces
    if not located:
        raise no_face()
    for one in located:
        yield (
            _profile(opened, one)
            if abs(one.yaw) > faces.LARGE_YAW
            else _occluders(finder, opened, faces.quad(one), one)
        )


def _profile(photo: Photo, face: Face) -> Occluders:
    """An empty proposal for a face in profile, since the network mistakes its chin and neck for a hand."""
    shape = photo.height, photo.width
    x, y, width, height = face.box
    note = (
        f"The face around ({x + width / 2:.0f}, {y + height / 2:.0f}) is turned by about {abs(face.yaw):.0f} degrees, "
        "too far to find what hides it. Paint a mask there."
    )
    nothing = np.zeros(shape, np.float32), np.zeros(shape, np.uint8)
    return Occluders.unmarked(*nothing, face=face, lasting=(note,))


def _occluders(finder: network.Network, photo: Photo, quad: NDArray[np.float64], face: Face | None) -> Occluders:
    pixels, shape = photo.pixels, (photo.height, photo.width)
    output = finder(faces.align(pixels, np.zeros(shape, bool), quad, SIZE).pixels).transpose(1, 2, 0)
    output = _plausible(output, _hull(quad, face))
    # ``paste`` takes three channels.
    halves = [faces.paste(output[..., part], quad, shape) for part in (slice(3), slice(3, None))]
    probabilities, (_, inside, region) = np.concatenate([half[0] for half in halves], axis=2), halves[0]
    confidence, kind = np.zeros(shape, np.float32), np.zeros(shape, np.uint8)
    confidence[region] = np.where(inside, probabilities[..., 1:].sum(axis=2).clip(0, 1), 0)
    kind[region] = 1 + probabilities[..., 1:].argmax(axis=2)
    lasting = hide_transparent(confidence, kind, photo)
    reach, known = max(1, round(GROWTH * faces.side(quad))), () if face is None else (face,)
    return Occluders.unmarked(confidence, kind, reach=reach, face=face, lasting=lasting, faces=known)


def _hull(quad: NDArray[np.float64], face: Face | None) -> NDArray[np.bool_]:
    """The hull of an average face's 68 points in the aligned crop, fitted to the face's points: bool (SIZE, SIZE)."""
    five = None if face is None or face.points is None else SIZE * faces.to_crop(face.points, quad)
    return presets.hull(presets.average_points(SIZE, five), (SIZE, SIZE), 0)


def _plausible(probabilities: Floats, hull: NDArray[np.bool_]) -> Floats:
    """The probabilities, (SIZE, SIZE, C), of an aligned crop without marks that are too small or lie beside the face.

    Each pixel keeps the confidence of its most likely kind, lowered such that at any threshold a kind is marked on at
    least MIN_SHARE of ``hull`` or not at all, and that each connected part reaches into ``hull``. Class 0 is left at 0.
    """
    confidence = probabilities[..., 1:].sum(axis=2)
    likely, count = probabilities[..., 1:].argmax(axis=2), int(np.ceil(MIN_SHARE * np.count_nonzero(hull)))
    limited = np.zeros_like(confidence)
    for kind in range(probabilities.shape[2] - 1):
        of_kind = likely == kind
        inside = confidence[of_kind & hull]
        if inside.size >= count:
            limited[of_kind] = np.minimum(confidence[of_kind], np.partition(inside, -count)[-count])
    connected = _reconstructed(np.where(hull, limited, np.float32(0)), limited)
    lowered = np.zeros_like(probabilities)
    np.put_along_axis(lowered, 1 + likely[..., None], connected[..., None], axis=2)
    return lowered


def _reconstructed(seeds: Floats, limits: Floats) -> Floats:
    """Morphological reconstruction by dilation (Vincent 1993): ``seeds`` spread as far as ``limits`` are as high."""
    around = np.ones((3, 3), np.uint8)
    while True:
        spread = np.minimum(np.asarray(cv2.dilate(seeds, around), np.float32), limits)
        if np.array_equal(spread, seeds):
            return seeds
        seeds = spread
