"""Pictures for the page: views of a result, numbered faces, the curve of a search."""

import base64
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import gradio as gr
import numpy as np
from numpy.typing import NDArray

import faceinp

Pixels = NDArray[np.uint8]

COMPARED_SIDE = 1280  # pixels of the pictures before and after
FACE_SIDE = 640  # pixels of the picture of a face
GRID_SIDE = 320  # pixels of one picture in the grid of engines
SOURCES = "Where it comes from"
VIEWS = ("Face", "Photo", "Unblended", "Hole", "Difference", SOURCES)
RED, TEAL, WHITE = (229, 72, 77), (20, 184, 166), (255, 255, 255)
# The codes of ``faceinp.Result.sources``; reference i has the code REFERENCE + i.
ENGINE, SYMMETRY, SURROUNDINGS, REFERENCE = 1, 2, 3, 10
# Okabe and Ito's colours, which colour-blind people can distinguish. The page accepts four references.
SOURCE_COLOURS = {ENGINE: (230, 159, 0), SYMMETRY: (86, 180, 233), SURROUNDINGS: (150, 150, 150)}
REFERENCE_COLOURS = ((0, 158, 115), (204, 121, 167), (0, 114, 178), (213, 94, 0))
TINT = 0.6  # opacity of a colour over a picture


class Gone(faceinp.PhotoError, gr.Error):
    """A file was deleted while it was used: the visitor left, or loaded another photo.

    It is a ``gr.Error`` so that Gradio neither logs nor shows it.
    """

    def __init__(self) -> None:
        message = "The photo is no longer on the server: your visit ended, or you loaded another photo. Load it again."
        gr.Error.__init__(self, message, visible=False, print_exception=False)


def own_folder(folder: Path) -> Path:
    """A new folder in ``folder``; raises Gone."""
    try:
        return Path(tempfile.mkdtemp(dir=folder))
    except FileNotFoundError as error:
        raise Gone from error


def read(file: Path) -> faceinp.Photo:
    """A photo or picture of a visitor. Raises Gone if the file was deleted, else as ``faceinp.read_photo``."""
    try:
        return faceinp.read_photo(file)
    except faceinp.PhotoError as error:
        if file.exists():
            raise
        raise Gone from error


def turned(photo: faceinp.Photo, turns: int) -> faceinp.Photo:
    """A photo turned clockwise by quarter turns; no pixel value changes."""
    if not turns % 4:
        return photo
    planes = {name: getattr(photo, name) for name in ("pixels", "alpha", "deep")}
    planes = {name: one if one is None else np.ascontiguousarray(np.rot90(one, -turns)) for name, one in planes.items()}
    return replace(photo, **planes)


def write_views(
    result: faceinp.Result, folder: Path, photo: Pixels, sources: NDArray[np.uint8]
) -> dict[str, tuple[Path, Path]]:
    """Pairs of pictures to compare, by the names in VIEWS, as PNG files in ``folder``.

    photo: before all fills, uint8 (H, W, 3). sources: of all fills, uint8 (H, W), codes of ``Result.sources``.
    """
    left, top, right, bottom = window(result)
    part = np.s_[top:bottom, left:right]
    before, after = (sized(pixels[part], FACE_SIDE) for pixels in (photo, result.image))
    whole = shrunk(result.image, COMPARED_SIDE)  # not only the face: there may be other and earlier fills
    face, filled = save(before, folder / "face-before.png"), save(after, folder / "face.png")
    pairs: dict[str, tuple[Path | Pixels, Path | Pixels]] = {
        "Face": (face, filled),
        "Photo": (shrunk(photo, COMPARED_SIDE), whole),
        "Unblended": _unblended(result, before, after),
        "Hole": (face, tint(before, sources[part] > 0, RED)),
        "Difference": (face, np.clip(np.abs(after.astype(np.int16) - before) * 3, 0, 255).astype(np.uint8)),
        SOURCES: (whole, draw_sources(whole, sources)),
    }

    def file(name: str, pixels: Path | Pixels) -> Path:
        return pixels if isinstance(pixels, Path) else save(pixels, folder / f"{name.lower().replace(' ', '-')}.png")

    return {name: (file(f"{name}-before", first), file(name, second)) for name, (first, second) in pairs.items()}


def _unblended(result: faceinp.Result, before: Pixels, after: Pixels) -> tuple[Pixels, Pixels]:
    """Input and output of the engine for all faces, side by side; ``before`` and ``after`` if no face was filled."""
    if not result.faces:
        return before, after
    side = max(face.crop.size for face in result.faces)
    pairs = [(face.crop.pixels, (face.generated * 255).round().astype(np.uint8)) for face in result.faces]
    first, second = (np.hstack([cv2.resize(one, (side, side)) for one in row]) for row in zip(*pairs, strict=True))
    return first, second


def draw_sources(picture: Pixels, sources: NDArray[np.uint8]) -> Pixels:
    """A picture with the pixels of each source tinted in ``source_colour``.

    picture: uint8 (h, w, 3). sources: uint8 (H, W), codes of ``faceinp.Result.sources`` for the same part of the photo.
    """
    for code in np.unique(sources[sources > 0]).tolist():
        picture = tint(picture, sources == code, source_colour(code))
    return picture


def tint(picture: Pixels, where: NDArray[np.bool_], colour: tuple[int, int, int]) -> Pixels:
    """A picture (h, w, 3) tinted with ``colour`` where ``where``, bool (H, W) of any size, is True."""
    size = (picture.shape[1], picture.shape[0])
    alpha = TINT * cv2.resize(where.astype(np.float32), size, interpolation=cv2.INTER_AREA)[..., None]
    return np.asarray((picture * (1 - alpha) + np.array(colour) * alpha).round(), np.uint8)


def source_colour(code: int) -> tuple[int, int, int]:
    """Red, green and blue of a source, by its code in ``faceinp.Result.sources``."""
    return SOURCE_COLOURS.get(code) or REFERENCE_COLOURS[(code - REFERENCE) % len(REFERENCE_COLOURS)]


def window(result: faceinp.Result) -> tuple[int, int, int, int]:
    """Left, top, right and bottom of the window of the views: the crops of all faces, else the hole with a margin."""
    height, width = result.mask.shape
    if result.faces:
        corners = np.concatenate([face.crop.quad for face in result.faces])
    else:
        x, y, across, down = cv2.boundingRect(result.mask.astype(np.uint8))
        margin = FACE_SIDE // 4
        corners = np.array([(x - margin, y - margin), (x + across + margin - 1, y + down + margin - 1)])
    left, top = np.floor(corners.min(axis=0)).clip(0, (width - 1, height - 1)).astype(int).tolist()
    right, bottom = np.ceil(corners.max(axis=0)).clip((left + 1, top + 1), (width, height)).astype(int).tolist()
    return left, top, right, bottom


def seam(image: Pixels, hole: NDArray[np.bool_]) -> float:
    """How much more a picture changes across the hole's edge than next to it, in grey levels; around 0 is no seam.

    The mean absolute step between a hole pixel and the known one next to it, less that between the known one and the
    next known one outwards.
    """
    x, y, across, down = cv2.boundingRect(hole.astype(np.uint8))
    around = np.s_[max(0, y - 2) : y + down + 2, max(0, x - 2) : x + across + 2]
    total, count = 0.0, 0
    for axis in (0, 1):
        pixels, holes = (np.moveaxis(array[around], axis, 0) for array in (image, hole))
        for way in (1, -1):
            inside, edge, outer = (holes[::way][n : len(holes) - 2 + n] for n in range(3))
            where = inside & ~edge & ~outer
            first, second, third = (pixels[::way][n : len(pixels) - 2 + n][where].astype(np.int16) for n in range(3))
            total += float(np.abs(first - second).sum() - np.abs(second - third).sum())
            count += first.size
    return total / count if count else 0.0


def face_at(faces: Sequence[faceinp.Face], x: float, y: float) -> int:
    """The number, from 1, of the face whose box contains the point (x, y) of the photo; 0 if none does."""
    for number, face in enumerate(faces, 1):
        left, top, width, height = face.box
        if left <= x <= left + width and top <= y <= top + height:
            return number
    return 0


def draw_clicks(pixels: Pixels, clicks: Sequence[tuple[float, float]], *, box: bool) -> Pixels:
    """A copy of a photo with numbered clicks, or with the box between two of them.

    clicks: x and y in photo pixels.
    """
    small = shrunk(pixels, FACE_SIDE).copy()
    points = [tuple(round(v * small.shape[1] / pixels.shape[1]) for v in click) for click in clicks]
    if box and len(points) > 1:
        cv2.rectangle(small, points[0], points[1], RED, 2, cv2.LINE_AA)
    for number, (x, y) in enumerate(points, 1):
        cv2.circle(small, (x, y), 6, RED, -1, cv2.LINE_AA)
        cv2.circle(small, (x, y), 6, WHITE, 1, cv2.LINE_AA)
        if not box:
            cv2.putText(small, str(number), (x + 9, y + 5), cv2.FONT_HERSHEY_SIMPLEX, 0.6, WHITE, 3, cv2.LINE_AA)
            cv2.putText(small, str(number), (x + 9, y + 5), cv2.FONT_HERSHEY_SIMPLEX, 0.6, RED, 2, cv2.LINE_AA)
    return small


def number_faces(pixels: Pixels, faces: Sequence[faceinp.Face], chosen: int) -> Pixels:
    """A small copy of a photo with frames around its faces, numbered from 1; the chosen one is red."""
    small = shrunk(pixels, FACE_SIDE).copy()
    scale = small.shape[1] / pixels.shape[1]
    for number, face in enumerate(faces, 1):
        colour = RED if number == chosen else TEAL
        x, y, w, h = (round(v * scale) for v in face.box)
        cv2.rectangle(small, (x, y), (x + w, y + h), colour, 2, cv2.LINE_AA)
        cv2.rectangle(small, (x, y - 22), (x + 10 + 11 * len(str(number)), y), colour, -1)
        cv2.putText(small, str(number), (x + 5, y - 5), cv2.FONT_HERSHEY_SIMPLEX, 0.6, WHITE, 2, cv2.LINE_AA)
    return small


def grid(cells: Sequence[tuple[str, Pixels]], columns: int = 4) -> Pixels:
    """Pictures in a grid on white, each below its name. cells: (name, picture)."""
    label, gap = 26, 8
    columns = max(1, min(columns, len(cells)))
    rows = -(-len(cells) // columns)
    sheet = np.full((rows * (GRID_SIDE + label + gap) + gap, columns * (GRID_SIDE + gap) + gap, 3), 255, np.uint8)
    for number, (name, picture) in enumerate(cells):
        y, x = gap + number // columns * (GRID_SIDE + label + gap), gap + number % columns * (GRID_SIDE + gap)
        cv2.putText(sheet, name, (x, y + 17), cv2.FONT_HERSHEY_SIMPLEX, 0.55, (24, 24, 27), 1, cv2.LINE_AA)
        small = sized(picture, GRID_SIDE)
        sheet[y + label : y + label + small.shape[0], x : x + small.shape[1]] = small
    return sheet


def shrunk(pixels: Pixels, side: int) -> Pixels:
    """``pixels`` with no side longer than ``side``."""
    return pixels if max(pixels.shape[:2]) <= side else sized(pixels, side)


def sized(pixels: Pixels, side: int) -> Pixels:
    """``pixels`` with a longer side of ``side``."""
    height, width = pixels.shape[:2]
    scale = side / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return np.asarray(
        cv2.resize(pixels, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC), np.uint8
    )


def data_uri(pixels: Pixels, suffix: str = ".png") -> str:
    """A picture as a data URI, without a file."""
    _, encoded = cv2.imencode(suffix, cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR))
    kind = suffix.removeprefix(".").replace("jpg", "jpeg")
    return f"data:image/{kind};base64,{base64.b64encode(encoded.tobytes()).decode()}"


def packed(array: Pixels) -> bytes:
    """A map, uint8 (H, W), as PNG in memory."""
    return cv2.imencode(".png", np.ascontiguousarray(array), [cv2.IMWRITE_PNG_COMPRESSION, 1])[1].tobytes()


def unpacked(png: bytes) -> Pixels:
    """The map of ``packed``, uint8 (H, W)."""
    return np.asarray(cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_GRAYSCALE), np.uint8)


def curve(points: Sequence[tuple[float, float]]) -> str:
    """A curve as SVG. points: (share done in [0, 1], value); empty text for fewer than two."""
    if len(points) < 2:
        return ""
    values = [value for _, value in points]
    low, high = min(values), max(values)
    span = max(high - low, 1e-6)
    line = " ".join(f"{4 + 232 * share:.1f},{76 - 68 * (value - low) / span:.1f}" for share, value in points)
    about = f"Loss of the search: {values[-1]:.3f}, {values[0]:.3f} at the start"
    return (
        f'<svg viewBox="0 0 240 80" role="img" aria-label="{about}"><line x1="4" y1="78" x2="236" y2="78"/>'
        f'<polyline points="{line}" fill="none" stroke-width="2" stroke-linejoin="round"/></svg><p>{about}</p>'
    )


def write(pixels: Pixels, folder: Path, name: str) -> Path:
    """Write a PNG file into a new folder in ``folder``, so that it has a new URL."""
    return save(pixels, own_folder(folder) / name)


def save(pixels: Pixels, file: Path) -> Path:
    """Write a PNG file."""
    cv2.imwrite(str(file), cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_PNG_COMPRESSION, 1])
    return file
