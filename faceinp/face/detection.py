"""Find the faces of a photo: at any turn, under a hole, large and small; and say which of them a hole touches.

Every head is tried at all its turns (``heads``), so a photo may lie on its side or upside down, and a head may be
tilted. The photo is left as it lies: boxes and points are in its own pixels.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cached_property

import cv2
import numpy as np

from faceinp.errors import NoFaceError, PhotoError
from faceinp.face import faces
from faceinp.face.faces import Box, Face, Hole, Pixels, common_area
from faceinp.face.heads import MIN_MARGIN, MIN_PLAUSIBILITY, Turn, check_turn, search

TURNS = (0, 90, 180, 270)
# Long sides, in pixels, of the copies that are searched: at all turns, at the turns of its faces, of a tiny photo.
_SMALL, _LARGE, _LEAST = 640, 1280, 256
_SMALLEST_FACE, _LARGE_FACE = 20, 40  # pixels wide on those copies
_SAME = 0.4  # share of the smaller of two boxes that lies in the other: the same face
# Around a hole that meets no face or tiny ones, the photo's own pixels are searched, in windows of this side, of so
# many at most; wider ones make fewer.
_WINDOW, _MOST_WINDOWS = 640, 8
# Least share of a face's oval that is hidden, of a face that a hole touches: a thin scratch, more than a graze. And
# the share of a hole in a face's crop from which on it belongs to that face whatever it hides.
MIN_HIDDEN, MIN_HOLE_SHARE = 0.01, 0.5
SURE = 2.0  # plausibility of a face under a closed hole below which the photo as it is is looked at, too


def find_faces(pixels: Pixels, hole: Hole | None = None, turn: Turn = "auto") -> tuple[Face, ...]:
    """The faces of a photo, largest first; none is an answer, too.

    pixels: uint8 (H, W, 3) RGB. hole: bool (H, W), True = hole: it is closed by Telea's inpainting before anything is
    looked for, so that damage does not move a face. Where a part of it may hide a face that was not found then, the
    photo as it is is searched, too; where none or a tiny one was, its full resolution around the hole. turn: degrees
    clockwise by which the photo must be turned to stand upright; "auto": each face may have a turn of its own. Safe to
    call from several threads.

    A photo is searched at 1280 pixels, so away from the hole faces under a 64th of its long side are missed. Raises
    PhotoError, and NoFaceError where a face that counts (under the hole; without one, the only one) may as well be
    turned another way.
    """
    _check(pixels, turn)
    searched = _Searched(pixels, hole, turn)
    small = searched.at(_SMALL)
    searched.add(small, _turns(turn), _SMALLEST_FACE)
    if max(pixels.shape[:2]) > _SMALL:
        turns = sorted({face.turn for face in searched.faces}) or _turns(turn)
        searched.add(searched.at(_LARGE), turns, _SMALLEST_FACE)
    if hole is not None and hole.any():
        searched.add_hidden(_SMALLEST_FACE)
        if not searched.large_near_hole():
            turns = sorted({face.turn for face in searched.faces}) or _turns(turn)
            for window in searched.windows():
                searched.add(searched.at(_WINDOW, window), turns, _SMALLEST_FACE, window, under_hole=True)
    searched.settle()
    return searched.by_size()


def find_large_faces(pixels: Pixels, hole: Hole | None = None, turn: Turn = "auto") -> tuple[Face, ...]:
    """The faces that are wider than about a 16th of the photo's long side, largest first: a fourth of the time.

    As ``find_faces``, but a face whose turn is in doubt is left out, and other turns are only looked at where no face
    was found at the first. Safe to call from several threads.
    """
    _check(pixels, turn)
    searched = _Searched(pixels, hole, turn)
    small = searched.at(_SMALL)
    for turns in (_turns(turn)[:1], _turns(turn)[1:]):
        searched.add(small, turns, _LARGE_FACE)
        if searched.under_hole() if hole is not None and hole.any() else searched.faces:
            break
    if searched.under_hole():
        searched.add_hidden(_LARGE_FACE)
    return searched.by_size()


def faces_under(found: Sequence[Face], hole: Hole) -> tuple[Face, ...]:
    """The faces that a hole touches, the least hidden first; none is an answer, too.

    found: as ``find_faces`` returns them. hole: bool (H, W). A face is touched when at least a hundredth of its oval is
    hidden; where no face is, the one whose crop holds at least half of the hole (hair, a neck, a mole).
    """
    shares = [(hidden_share(face, hole), face) for face in found]
    touched = sorted((pair for pair in shares if pair[0] >= MIN_HIDDEN), key=lambda pair: pair[0])
    if touched or not found or not hole.any():
        return tuple(face for _, face in touched)
    nearest = max(found, key=lambda face: share_within(_crop_box(face), hole))
    return (nearest,) if share_within(_crop_box(nearest), hole) >= MIN_HOLE_SHARE else ()


def hidden_share(face: Face, hole: Hole) -> float:
    """How much of a face's oval a hole hides, 0 to 1; what lies out of the photo does not count."""
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
    """How much of a hole lies in a box, 0 to 1; the hole is not empty."""
    return _in_common(box, hole) / int(np.count_nonzero(hole))


def share_near(found: Sequence[Face], hole: Hole) -> float:
    """How much of a hole lies in the crops of faces, 0 to 1; the hole is not empty."""
    beyond = hole.copy()
    for x, y, w, h in map(_crop_box, found):
        beyond[max(0, int(y)) : max(0, int(np.ceil(y + h))), max(0, int(x)) : max(0, int(np.ceil(x + w)))] = False
    return 1 - np.count_nonzero(beyond) / np.count_nonzero(hole)


def _in_common(box: Box, hole: Hole) -> int:
    """Pixels of a hole that lie in a box."""
    x, y, w, h = box
    top, left = max(0, int(y)), max(0, int(x))
    return int(np.count_nonzero(hole[top : max(top, int(np.ceil(y + h))), left : max(left, int(np.ceil(x + w)))]))


def _crop_box(face: Face) -> Box:
    quad = faces.quad(face)
    (left, top), (right, bottom) = quad.min(axis=0).tolist(), quad.max(axis=0).tolist()
    return left, top, right - left, bottom - top


def _check(pixels: Pixels, turn: Turn) -> None:
    if pixels.ndim != 3 or pixels.shape[2] != 3 or pixels.dtype != np.uint8:
        raise PhotoError(f"Pixels must be uint8 (H, W, 3) RGB, got {pixels.dtype} {pixels.shape}. Convert them first.")
    check_turn(turn)


def _turns(turn: Turn) -> tuple[int, ...]:
    return TURNS if turn == "auto" else (turn,)


class _Searched:
    """What was found of a photo so far, in its pixels: faces, heads whose turn is in doubt, and weak ones, which the
    hole has damaged so much that they count only if they stand as the photo does and nothing better is found.
    """

    def __init__(self, pixels: Pixels, hole: Hole | None, turn: Turn) -> None:
        self.pixels, self.turn = pixels, turn
        self.hole = hole if hole is not None and hole.any() else None
        self.faces: list[Face] = []
        self.plausible: dict[int, float] = {}  # how plausible each of them is, by its id
        self.doubts: list[tuple[Face, Face]] = []
        self.weak: list[Face] = []

    def at(self, longest: int, window: tuple[slice, slice] = np.s_[:, :]) -> Pixels:
        """A copy of a part of the photo, its long side ``longest`` pixels at most, with the hole closed."""
        whole = window == np.s_[:, :]
        copy = self.small if whole and longest == _SMALL else _copy(self.pixels[window], longest)
        if self.hole is None or not (part := self.hole[window]).any():
            return copy
        # Telea's cost grows with the hole, and what it makes is smooth: a small copy is enough.
        small = copy if longest <= _SMALL else self.small if whole else _copy(self.pixels[window], _SMALL)
        covered = self.small_hole if whole and small is self.small else _shrunk(part, small.shape)
        closed = np.asarray(cv2.inpaint(small, covered.astype(np.uint8), 3, cv2.INPAINT_TELEA), np.uint8)
        if small is copy:
            return closed
        closed = np.asarray(cv2.resize(closed, copy.shape[1::-1], interpolation=cv2.INTER_LINEAR), np.uint8)
        return np.where(_shrunk(part, copy.shape)[..., None], closed, copy)

    def add(
        self,
        copy: Pixels,
        turns: Sequence[int],
        smallest: int,
        window: tuple[slice, slice] = np.s_[:, :],
        under_hole: bool = False,
    ) -> None:
        """Search a copy, which stands for that window of the photo, at these turns, and keep what is new.

        smallest: width of a face in the copy's pixels. under_hole: keep only what the hole meets.
        """
        for head in search(copy, turns, self.turn, smallest):
            face = self._in_photo(head.face, copy, window)
            if face is None:
                continue
            known = [other for other in self.faces if _same(face.box, other.box)]
            # A window sees a known face better; the photo as it is, one of which the closed hole shows too little.
            better = under_hole and all(head.plausibility > self.plausible[id(one)] + MIN_MARGIN for one in known)
            if known and window == np.s_[:, :] and not better:
                continue
            damaged = self.hole is not None and _in_common(face.box, self.hole) > 0
            if under_hole and not damaged:
                continue
            rival = None if head.rival is None else self._in_photo(head.rival, copy, window)
            if head.plausibility < MIN_PLAUSIBILITY:
                self.weak += [face] if damaged and rival is None else []
            elif rival is None:
                self.faces = [*(other for other in self.faces if not _same(face.box, other.box)), face]
                self.plausible[id(face)] = head.plausibility
            else:
                self.doubts.append((face, rival))

    @cached_property
    def small(self) -> Pixels:
        """The photo as it is, on the smaller copy."""
        return _copy(self.pixels, _SMALL)

    @cached_property
    def small_hole(self) -> Hole:
        """The hole there."""
        return np.zeros(self.small.shape[:2], np.bool_) if self.hole is None else _shrunk(self.hole, self.small.shape)

    def under_hole(self) -> bool:
        return self.hole is not None and any(_in_common(face.box, self.hole) for face in self.faces)

    def add_hidden(self, smallest: int) -> None:
        """Search the photo as it is where the closed hole may hide a face: none or a less plausible one was found under
        it, or a part of it that lies in no face is as wide as one.
        """
        if self.hole is None:
            return
        copy = self.small
        under = [face for face in self.faces if _in_common(face.box, self.hole)]
        doubtful = any(self.plausible[id(face)] < SURE for face in under)
        rest = self.small_hole.copy()
        for face in self.faces:
            scale = (copy.shape[1] / self.pixels.shape[1], copy.shape[0] / self.pixels.shape[0]) * 2
            x, y, w, h = (round(value) for value in np.multiply(face.box, scale).tolist())
            rest[max(0, y) : max(0, y + h), max(0, x) : max(0, x + w)] = False
        wide = cv2.erode(rest.astype(np.uint8), np.ones((smallest // 2,) * 2, np.uint8)).any()
        if not under or doubtful or wide:
            turns = sorted({face.turn for face in self.faces}) if under and not doubtful else _turns(self.turn)
            self.add(copy, turns, smallest, under_hole=True)

    def large_near_hole(self) -> bool:
        """Whether the hole meets a face, or what lies around it, that is large enough to be seen well on the copies."""
        least = 2 * self._smallest()
        near = (face for face in self.faces if self.hole is not None and _in_common(_crop_box(face), self.hole))
        return any(min(face.box[2:]) >= least for face in near)

    def _smallest(self) -> int:
        """Width of the smallest face that is seen on the copies, in pixels of the photo."""
        return _SMALLEST_FACE * max(self.pixels.shape[:2]) // _LARGE

    def windows(self) -> Iterator[tuple[slice, slice]]:
        """Parts of the photo that cover its hole, in which faces are seen that are too small on the copies."""
        height, width = self.pixels.shape[:2]
        if self.hole is None or max(height, width) <= _LARGE:
            return
        missed = 3 * self._smallest()  # a face, and as much beside it
        rows, columns = np.flatnonzero(self.hole.any(axis=1)), np.flatnonzero(self.hole.any(axis=0))
        top, bottom = max(0, rows[0] - missed), min(height, rows[-1] + 1 + missed)
        left, right = max(0, columns[0] - missed), min(width, columns[-1] + 1 + missed)
        side = max(_WINDOW, missed + missed // 2)  # of very long photos: windows overlap by ``missed``
        windows: list[tuple[slice, slice]] = []
        while not windows or len(windows) > _MOST_WINDOWS:
            step = side - missed
            windows = [
                window
                for y in range(top, max(top + 1, bottom - missed), step)
                for x in range(left, max(left + 1, right - missed), step)
                if self.hole[window := np.s_[y : min(y + side, bottom), x : min(x + side, right)]].any()
            ]
            side *= 2
        yield from windows

    def settle(self) -> None:
        """Decide doubts by the turn of the other faces. Raises NoFaceError for one that counts and stays."""
        common = Counter(face.turn for face in self.faces).most_common(1)
        usual = common[0][0] if common else 0 if self.turn == "auto" else self.turn
        if not self.under_hole():
            self.faces += [face for face in self.weak if face.turn == usual][:1]
        for pair in self.doubts:
            if any(_same(face.box, other.box) for face in pair for other in self.faces):
                continue
            agreeing = [face for face in pair if common and face.turn == common[0][0]]
            if len(agreeing) == 1:
                self.faces += agreeing
            elif not self.faces if self.hole is None else _in_common(pair[0].box, self.hole) and not self.under_hole():
                raise _doubtful(*pair)

    def by_size(self) -> tuple[Face, ...]:
        return tuple(sorted(self.faces, key=lambda face: -face.box[2] * face.box[3]))

    def _in_photo(self, face: Face, copy: Pixels, window: tuple[slice, slice]) -> Face | None:
        """A face of a copy, in pixels of the photo; None where it lies out of it."""
        rows, columns = (slice(*part.indices(n)) for part, n in zip(window, self.pixels.shape[:2], strict=True))
        start = np.array([columns.start, rows.start], np.float64)
        size = np.array([columns.stop, rows.stop]) - start
        scale = size / (copy.shape[1], copy.shape[0])
        box = np.array([face.box[:2], np.add(face.box[:2], face.box[2:])])
        low, high = np.clip(box * scale, 0, size)
        # Of what a window's border cuts off another window shows all; what the photo's cuts off is all there is.
        inner = np.array([start > 0, start + size < (self.pixels.shape[1], self.pixels.shape[0])])
        cut = np.array([box[0] * scale < 0, box[1] * scale > size]) & inner
        if (high <= low).any() or cut.any() or face.points is None:
            return None
        (x, y), (w, h) = (low + start).tolist(), (high - low).tolist()
        return replace(face, box=(x, y, w, h), points=np.asarray(face.points * scale + start, np.float32))


def _doubtful(one: Face, other: Face) -> NoFaceError:
    """The error of a face whose turn is uncertain."""
    x, y, w, h = one.box
    turns = sorted({one.turn, other.turn})
    if len(turns) == 1:
        return NoFaceError(
            f"The face around ({x + w / 2:.0f}, {y + h / 2:.0f}) may be tilted by {one.roll:.0f} or by "
            f"{other.roll:.0f} degrees. Give its five --points (FaceLocation.points in Python)."
        )
    return NoFaceError(
        f"The face around ({x + w / 2:.0f}, {y + h / 2:.0f}) may stand upright when the photo is turned clockwise by "
        f"{turns[0]} or by {turns[1]} degrees. Say which: --turn {turns[0]} or --turn {turns[1]} (turn= in Python)."
    )


def _same(a: Box, b: Box) -> bool:
    return common_area(a, b) > _SAME * min(a[2] * a[3], b[2] * b[3])


def _copy(pixels: Pixels, longest: int) -> Pixels:
    """A copy to search: the long side at most ``longest`` pixels, and at least some."""
    height, width = pixels.shape[:2]
    scale = np.clip(1, _LEAST / max(height, width), longest / max(height, width))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    interpolation = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(pixels, size, interpolation=interpolation), np.uint8)


def _shrunk(hole: Hole, shape: tuple[int, ...]) -> Hole:
    """The hole at a copy's size, not a pixel less."""
    part = cv2.resize(hole.astype(np.float32), (shape[1], shape[0]), interpolation=cv2.INTER_AREA)
    return np.asarray(part) > 0
