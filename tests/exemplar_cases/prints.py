"""A face by another camera, in another print or light, elsewhere in the picture, or somebody else's."""

import cv2
import numpy as np

from .drawing import Altered, Floats, Pixels, at, in_face, mirror_points, toned, unit


def blurred(pixels: Pixels, points: Floats, share: float = 0.08) -> Altered:
    """Out of focus: a Gaussian of ``share`` distances between the eyes."""
    return toned(cv2.GaussianBlur(pixels, (0, 0), share * unit(points)), points)


def tiny(pixels: Pixels, points: Floats, side: int = 48) -> Altered:
    """Shrunk until the face's crop, some four times as wide as the eyes are apart, has ``side`` pixels."""
    scale = side / (4 * unit(points))
    size = [max(1, round(length * scale)) for length in pixels.shape[1::-1]]
    small = np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)
    return toned(small, points * np.array(size) / pixels.shape[1::-1])


def compressed(pixels: Pixels, points: Floats, quality: int = 8) -> Altered:
    """As a JPEG of low quality: blocks and rings."""
    _, encoded = cv2.imencode(".jpg", pixels[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
    return toned(np.asarray(cv2.imdecode(encoded, cv2.IMREAD_COLOR), np.uint8)[..., ::-1], points)


def grey(pixels: Pixels, points: Floats) -> Altered:
    """Black and white."""
    return toned(np.dstack([cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)] * 3), points)


def sepia(pixels: Pixels, points: Floats) -> Altered:
    """An old brown print: faded, too."""
    tone = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)[..., None] / 255
    return toned((0.12 + 0.8 * tone) ** np.array([0.75, 1.0, 1.4]) * 255, points)


def gamma(pixels: Pixels, points: Floats, exponent: float = 2.0) -> Altered:
    """Darker than it was, or, with an exponent under 1, lighter."""
    return toned(255 * (pixels / 255) ** exponent, points)


def tinted(pixels: Pixels, points: Floats, gains: tuple[float, float, float]) -> Altered:
    """Light of another colour: each channel times a gain."""
    return toned(pixels * np.array(gains), points)


def lit_from_one_side(pixels: Pixels, points: Floats, darkest: float = 0.3) -> Altered:
    """Light from the left: the right half of the face lies in shadow."""
    x, y = in_face(points, pixels.shape)
    lit = 1 / (1 + np.exp((x - 0.1 + 0.12 * np.sin(3 * y)) / 0.16))
    return toned(pixels * (darkest + (1.1 - darkest) * lit)[..., None], points)


# --- the same picture elsewhere ---------------------------------------------------------------------------------------


def same(pixels: Pixels, points: Floats) -> Altered:
    """The picture itself."""
    return toned(pixels.copy(), points)


def moved(
    pixels: Pixels, points: Floats, shift: tuple[float, float] = (0, 0), degrees: float = 0, scale: float = 1
) -> Altered:
    """On a plain canvas a half larger, moved by ``shift`` (shares of the width), turned and scaled about the middle."""
    height, width = pixels.shape[:2]
    matrix = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), degrees, scale)
    matrix[:, 2] += np.array([width, height]) / 4 + np.array(shift) * width
    size = width + width // 2, height + height // 2
    canvas = cv2.warpAffine(pixels, matrix, size, flags=cv2.INTER_CUBIC, borderValue=pixels[0].mean(axis=0).tolist())
    return toned(np.asarray(canvas), (points - 0.5) @ matrix[:, :2].T + matrix[:, 2] + 0.5)


def symmetric(pixels: Pixels, points: Floats) -> Altered:
    """A perfectly symmetric face of the same size: the left half, set upright in the middle, and its mirror image."""
    height, width = pixels.shape[:2]
    eyes, chin = at(points, (0, 0), (0, 1))
    sine, cosine = (chin - eyes) / np.hypot(*(chin - eyes))
    matrix = np.array([[cosine, -sine], [sine, cosine]])
    offset = np.array([width / 2, eyes[1]]) - matrix @ eyes
    affine = np.column_stack([matrix, offset + matrix @ (0.5, 0.5) - 0.5])  # of pixel numbers, not coordinates
    joined = np.asarray(
        cv2.warpAffine(pixels, affine, (width, height), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT_101)
    )
    joined[:, width - width // 2 :] = joined[:, width // 2 - 1 :: -1]
    upright = points @ matrix.T + offset
    return toned(joined, (upright + mirror_points(upright, width)) / 2)


def mirrored(pixels: Pixels, points: Floats) -> Altered:
    """The mirror image with its points, left and right exchanged."""
    return toned(pixels[:, ::-1], mirror_points(points, pixels.shape[1]))


def somebody_else(pixels: Pixels, points: Floats, seed: int = 9) -> Altered:
    """Another person, made up by the bundled DCGAN, on a canvas of the picture's size; the points are not theirs."""
    from faceinp.engines import search

    prior = search.Prior.load()
    face = prior.generator(prior.latents(1, seed=seed)).detach().permute(0, 2, 3, 1).numpy()[0] * 255
    return toned(cv2.resize(face, pixels.shape[1::-1], interpolation=cv2.INTER_CUBIC), points)
