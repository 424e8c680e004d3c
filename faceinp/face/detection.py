"""Find the faces of a photo at any turn and size, under a hole, too; and tell which of them the hole touches.

Every head is scored at all its turns (``heads``), so the photo may be sideways or upside down, and a head may be
tilted. The photo itself is not turned: boxes and points are in its own pixels.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cached_property

import cv2
import numpy as np

from faceinp.errors import NoFaceError, PhotoError
from faceinp.face import faces
from faceinp.face.faces import Box, Face, Hole, common_area
from faceinp.face.heads import MIN_MARGIN, MIN_PLAUSIBILITY, Turn, check_turn, search
from faceinp.photo.arrays import Pixels, Window, bounding_window, resize

TURNS = (0, 90, 180, 270)
# Faces are searched in copies of the photo; sides and widths are in pixels of a copy.
_COARSE_SIDE = 640  # long side of the copy that is searched at all turns
_FINE_SIDE = 1280  # long side of the copy that is searched at the turns of the faces in the coarse one
_MIN_SIDE = 256  # smaller photos are enlarged
_SMALLEST_FACE, _SMALLEST_LARGE_FACE = 20, 40  # width
_MIN_OVERLAP = 0.4  # share of the smaller of two boxes that lies in the other, where both are the same face
# Around a hole without a large face the photo is searched at full resolution, in windows.
_WINDOW_SIDE, _MAX_WINDOWS = 640, 8  # where there would be more windows, they are larger
MIN_HIDDEN_SHARE = 0.01  # of the oval of a face that the hole touches: a thin scratch hides more
MIN_HOLE_SHARE = 0.5  # of a hole that touches no oval, within the crop of the face it belongs to
_CONFIDENT_PLAUSIBILITY = 2.0  # of a face under the filled hole; below, the original photo is searched, too
_EVERYWHERE = np.s_[:, :]


def find_faces(pixels: Pixels, hole: Hole | None = None, turn: Turn = "auto") -> tuple[Face, ...]:
    """The faces of a photo, largest first; empty where none was found.

    pixels: uint8 (H, W, 3) RGB. hole: bool (H, W), True = hole: it is filled by Telea's inpainting before the search,
    since damage shifts a face. Where the filled hole may hide a face, the original photo is searched, too; where the
    hole touches no face or a tiny one, its surroundings are searched at full resolution. turn: degrees clockwise by
    which the photo must be turned to stand upright; "auto": each face may have its own turn. Thread-safe.

    A photo is searched at 1280 pixels, so away from the hole faces under a 64th of its long side are missed. Raises
    PhotoError for pixels of another form, and NoFaceError where the turn is uncertain of a face under the hole or,
    without a hole, of the only face.
    """
    _check(pixels, turn)
    scan = _PhotoSearch(pixels, hole, turn)
    scan.add(scan.copy(_COARSE_SIDE), _turns(turn), _SMALLEST_FACE)
    if max(pixels.shape[:2]) > _COARSE_SIDE:
        scan.add(scan.copy(_FINE_SIDE), scan.likely_turns(), _SMALLEST_FACE)
    if scan.hole is not None:
        scan.add_hidden(_SMALLEST_FACE)
        if not scan.large_near_hole():
            turns = scan.likely_turns()
            for window in scan.windows():
                scan.add(scan.copy(_WINDOW_SIDE, window), turns, _SMALLEST_FACE, window, under_hole=True)
    scan.resolve_uncertain()
    return scan.by_size()


def find_large_faces(pixels: Pixels, hole: Hole | None = None, turn: Turn = "auto") -> tuple[Face, ...]:
    """The faces that are wider than about a 16th of the photo's long side, largest first; in a fourth of the time.

    As ``find_faces``, but a face whose turn is uncertain is left out, and further turns are tried only where no face
    was found at the first. Safe to call from several threads.
    """
    _check(pixels, turn)
    scan = _PhotoSearch(pixels, hole, turn)
    copy = scan.copy(_COARSE_SIDE)
    for turns in (_turns(turn)[:1], _turns(turn)[1:]):
        scan.add(copy, turns, _SMALLEST_LARGE_FACE)
        if scan.faces if scan.hole is None else scan.under_hole():
            break
    if scan.under_hole():
        scan.add_hidden(_SMALLEST_LARGE_FACE)
    return scan.by_size()


def faces_under(detected: Sequence[Face], hole: Hole) -> tuple[Face, ...]:
    """The faces that a hole touches, the least hidden first; empty where it touches none.

    detected: as ``find_faces`` returns them. hole: bool (H, W). A hole touches a face if it hides at least a hundredth
    of its oval. If it touches none, it belongs to the face whose crop contains at least half of it (hair, neck).
    """
    shares = [(hidden_share(face, hole), face) for face in detected]
    touched = sorted((pair for pair in shares if pair[0] >= MIN_HIDDEN_SHARE), key=lambda pair: pair[0])
    if touched or not detected or not hole.any():
        return tuple(face for _, face in touched)
    nearest = max(detected, key=lambda face: share_within(_crop_box(face), hole))
    return (nearest,) if share_within(_crop_box(nearest), hole) >= MIN_HOLE_SHARE else ()


def hidden_share(face: Face, hole: Hole) -> float:
    """The share of a face's oval that a hole hides, 0 to 1; parts of the oval outside the photo do not count."""
    oval = faces.outline(face)
    height, width = hole.shape
    left, top = np.clip(np.floor(oval.min(axis=0)), 0, (width, height)).astype(int).tolist()
    right, bottom = np.clip(np.ceil(oval.max(axis=0)), 0, (width, height)).astype(int).tolist()
    if right <= left or bottom <= top:
        return 0.0
    inside = np.zeros((bottom - top, right - left), np.uint8)
    cv2.fillPoly(inside, [np.rint(oval - (left, top) - 0.5).astype(np.int32)], 1)
    covered = np.count_nonzero(inside)
    return np.count_nonzero(hole[top:bottom, left:right] & (inside > 0)) / covered if covered else 0.0


def share_within(box: Box, hole: Hole) -> float:
    """The share of a hole that lies in a box, 0 to 1; the hole must not be empty."""
    return _count_within(box, hole) / int(np.count_nonzero(hole))


def share_in_crops(detected: Sequence[Face], hole: Hole) -> float:
    """The share of a hole that lies in the crops of faces, 0 to 1; the hole must not be empty."""
    outside = hole.copy()
    for face in detected:
        outside[_window(_crop_box(face))] = False
    return 1 - np.count_nonzero(outside) / np.count_nonzero(hole)


def _count_within(box: Box, hole: Hole) -> int:
    return int(np.count_nonzero(hole[_window(box)]))


def _window(box: Box) -> Window:
    """The rows and columns of a photo that a box covers, in part or entirely."""
    x, y, w, h = box
    return np.s_[max(0, int(y)) : max(0, int(np.ceil(y + h))), max(0, int(x)) : max(0, int(np.ceil(x + w)))]


def _crop_box(face: Face) -> Box:
    quad = faces.quad(face)
    (left, top), (right, bottom) = quad.min(axis=0).tolist(), quad.max(axis=0).tolist()
    return left, top, right - left, bottom - top


def _check(pixels: Pixels, turn: Turn) -> None:
    if getattr(pixels, "dtype", None) != np.uint8 or pixels.shape[2:] != (3,):
        got = f"{pixels.dtype} {pixels.shape}" if isinstance(pixels, np.ndarray) else type(pixels).__name__
        raise PhotoError(f"Pixels must be uint8 (H, W, 3) RGB, got {got}. Use the pixels of read_photo(photo).")
    check_turn(turn)


def _turns(turn: Turn) -> tuple[int, ...]:
    return TURNS if turn == "auto" else (turn,)


class _PhotoSearch:
    """The faces of a photo found so far, in its pixels.

    faces: those with a certain turn. uncertain: pairs of one face at two turns. weak: faces with low plausibility under
    the hole; the first one counts if its turn is that of the photo and no other face lies under the hole.
    """

    def __init__(self, pixels: Pixels, hole: Hole | None, turn: Turn) -> None:
        self.pixels, self.turn = pixels, turn
        self.hole = hole if hole is not None and hole.any() else None
        self.faces: list[Face] = []
        self.plausibilities: dict[int, float] = {}  # of ``faces``, by their id
        self.uncertain: list[tuple[Face, Face]] = []
        self.weak: list[Face] = []

    def copy(self, longest: int, window: Window = _EVERYWHERE) -> Pixels:
        """A copy of a part of the photo with a long side of at most ``longest`` pixels and the hole filled."""
        whole = window == _EVERYWHERE
        copy = self.coarse if whole and longest == _COARSE_SIDE else _resize(self.pixels[window], longest)
        if self.hole is None or not (part := self.hole[window]).any():
            return copy
        # Telea's cost grows with the hole and its result is smooth, so it is computed on a small copy.
        small = copy
        if longest > _COARSE_SIDE:
            small = self.coarse if whole else _resize(self.pixels[window], _COARSE_SIDE)
        covered = self.coarse_hole if small is self.coarse else faces.shrink_hole(part, small.shape)
        filled = np.asarray(cv2.inpaint(small, covered.astype(np.uint8), 3, cv2.INPAINT_TELEA), np.uint8)
        if small is copy:
            return filled
        filled = np.asarray(cv2.resize(filled, copy.shape[1::-1], interpolation=cv2.INTER_LINEAR), np.uint8)
        return np.where(faces.shrink_hole(part, copy.shape)[..., None], filled, copy)

    def add(
        self,
        copy: Pixels,
        turns: Sequence[int],
        smallest: int,
        window: Window = _EVERYWHERE,
        under_hole: bool = False,
    ) -> None:
        """Search a copy of a window of the photo at these turns, and add the new faces.

        smallest: least width of a face in pixels of the copy. under_hole: add only faces that the hole touches.
        """
        for head in search(copy, turns, self.turn, smallest):
            face = self._in_photo(head.face, copy, window)
            if face is None:
                continue
            same = [other for other in self.faces if _same(face.box, other.box)]
            # A window shows a face at a higher resolution; the original photo may show more of it than the filled one.
            better = under_hole and all(head.plausibility > self.plausibilities[id(one)] + MIN_MARGIN for one in same)
            if same and window == _EVERYWHERE and not better:
                continue
            damaged = self._touches_hole(face.box)
            if under_hole and not damaged:
                continue
            rival = None if head.rival is None else self._in_photo(head.rival, copy, window)
            if head.plausibility < MIN_PLAUSIBILITY:
                self.weak += [face] if damaged and rival is None else []
            elif rival is None:
                self.faces = [*(other for other in self.faces if not _same(face.box, other.box)), face]
                self.plausibilities[id(face)] = head.plausibility
            else:
                self.uncertain.append((face, rival))

    @cached_property
    def coarse(self) -> Pixels:
        """The original photo at _COARSE_SIDE pixels."""
        return _resize(self.pixels, _COARSE_SIDE)

    @cached_property
    def coarse_hole(self) -> Hole:
        """The hole at the size of ``coarse``."""
        shape = self.coarse.shape[:2]
        return np.zeros(shape, np.bool_) if self.hole is None else faces.shrink_hole(self.hole, shape)

    def _touches_hole(self, box: Box) -> bool:
        return self.hole is not None and _count_within(box, self.hole) > 0

    def under_hole(self) -> bool:
        return any(self._touches_hole(face.box) for face in self.faces)

    def likely_turns(self) -> Sequence[int]:
        """The turns of the faces found so far; all turns where there are none."""
        return sorted({face.turn for face in self.faces}) or _turns(self.turn)

    def add_hidden(self, smallest: int) -> None:
        """Search the original photo if the filled hole may hide a face.

        That is if no face was found under it, or one with a low plausibility, or if a part of it outside of all faces
        is as wide as a face.
        """
        if self.hole is None:
            return
        under = [face for face in self.faces if self._touches_hole(face.box)]
        doubtful = any(self.plausibilities[id(face)] < _CONFIDENT_PLAUSIBILITY for face in under)
        if not under or doubtful or self._hole_outside_faces(smallest // 2):
            turns = self.likely_turns() if under and not doubtful else _turns(self.turn)
            self.add(self.coarse, turns, smallest, under_hole=True)

    def _hole_outside_faces(self, width: int) -> bool:
        """Whether a square of ``width`` pixels of ``coarse`` fits into the hole outside of all faces."""
        rest = self.coarse_hole.copy()
        for face in self.faces:
            scale = (rest.shape[1] / self.pixels.shape[1], rest.shape[0] / self.pixels.shape[0]) * 2
            x, y, w, h = (round(value) for value in np.multiply(face.box, scale).tolist())
            rest[max(0, y) : max(0, y + h), max(0, x) : max(0, x + w)] = False
        return bool(cv2.erode(rest.astype(np.uint8), np.ones((width, width), np.uint8)).any())

    def large_near_hole(self) -> bool:
        """Whether the hole touches the crop of a face that is large enough for the copies."""
        least = 2 * self._smallest()
        return any(min(face.box[2:]) >= least for face in self.faces if self._touches_hole(_crop_box(face)))

    def _smallest(self) -> int:
        """Width of the smallest face that is found in the copies, in pixels of the photo."""
        return _SMALLEST_FACE * max(self.pixels.shape[:2]) // _FINE_SIDE

    def windows(self) -> Iterator[Window]:
        """Parts of the photo that cover its hole, for faces that are too small in the copies."""
        if self.hole is None or max(self.hole.shape) <= _FINE_SIDE:
            return
        overlap = 3 * self._smallest()  # a face that is too small for the copies, with a margin
        rows, columns = bounding_window(self.hole, margin=overlap)
        side = max(_WINDOW_SIDE, overlap + overlap // 2)  # the second for very long photos
        windows: list[Window] = []
        while not windows or len(windows) > _MAX_WINDOWS:
            step = side - overlap
            windows = [
                window
                for y in range(rows.start, max(rows.start + 1, rows.stop - overlap), step)
                for x in range(columns.start, max(columns.start + 1, columns.stop - overlap), step)
                if self.hole[window := np.s_[y : min(y + side, rows.stop), x : min(x + side, columns.stop)]].any()
            ]
            side *= 2
        yield from windows

    def resolve_uncertain(self) -> None:
        """Choose between two turns of a face by the turn of most other faces.

        Raises NoFaceError where that is not possible, and the face lies under the hole or is the only one.
        """
        common = Counter(face.turn for face in self.faces).most_common(1)
        usual = common[0][0] if common else 0 if self.turn == "auto" else self.turn
        if not self.under_hole():
            self.faces += [face for face in self.weak if face.turn == usual][:1]
        for pair in self.uncertain:
            if any(_same(face.box, other.box) for face in pair for other in self.faces):
                continue
            agreeing = [face for face in pair if common and face.turn == common[0][0]]
            if len(agreeing) == 1:
                self.faces += agreeing
            elif not self.faces if self.hole is None else self._touches_hole(pair[0].box) and not self.under_hole():
                raise _uncertain_turn(*pair)

    def by_size(self) -> tuple[Face, ...]:
        return tuple(sorted(self.faces, key=lambda face: -face.box[2] * face.box[3]))

    def _in_photo(self, face: Face, copy: Pixels, window: Window) -> Face | None:
        """A face of a copy, in pixels of the photo; None where it lies outside or the window cuts it off."""
        rows, columns = (slice(*part.indices(n)) for part, n in zip(window, self.pixels.shape[:2], strict=True))
        start = np.array([columns.start, rows.start], np.float64)
        size = np.array([columns.stop, rows.stop]) - start
        scale = size / (copy.shape[1], copy.shape[0])
        box = np.array([face.box[:2], np.add(face.box[:2], face.box[2:])])
        low, high = np.clip(box * scale, 0, size)
        # A face that the border of a window cuts off is complete in another window; only borders of the photo count.
        inner = np.array([start > 0, start + size < (self.pixels.shape[1], self.pixels.shape[0])])
        cut = np.array([box[0] * scale < 0, box[1] * scale > size]) & inner
        if (high <= low).any() or cut.any() or face.points is None:
            return None
        (x, y), (w, h) = (low + start).tolist(), (high - low).tolist()
        return replace(face, box=(x, y, w, h), points=np.asarray(face.points * scale + start, np.float32))


def _uncertain_turn(one: Face, other: Face) -> NoFaceError:
    """The error for a face that has two plausible turns."""
    x, y, w, h = one.box
    turns = sorted({one.turn, other.turn})
    if len(turns) == 1:
        return NoFaceError(
            f"The face around ({x + w / 2:.0f}, {y + h / 2:.0f}) may be tilted by {one.roll:.0f} or by "
            f"{other.roll:.0f} degrees. Specify its five --points (FaceLocation.points in Python)."
        )
    return NoFaceError(
        f"The face around ({x + w / 2:.0f}, {y + h / 2:.0f}) may be upright when the photo is turned clockwise by "
        f"{turns[0]} or by {turns[1]} degrees. Say which: --turn {turns[0]} or --turn {turns[1]} (turn= in Python)."
    )


def _same(a: Box, b: Box) -> bool:
    return common_area(a, b) > _MIN_OVERLAP * min(a[2] * a[3], b[2] * b[3])


def _resize(pixels: Pixels, longest: int) -> Pixels:
    """A copy with a long side of at most ``longest`` and at least _MIN_SIDE pixels."""
    height, width = pixels.shape[:2]
    scale = np.clip(1, _MIN_SIDE / max(height, width), longest / max(height, width))
    return resize(pixels, max(1, round(width * scale)), max(1, round(height * scale)))
