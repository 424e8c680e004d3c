"""Whatever kind of picture a mask is, the hole is the shape that was drawn."""

import io
from collections.abc import Callable

import cv2
import numpy as np
import pytest
import skimage.data
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

import faceinp
from faceinp.errors import MaskError
from faceinp.mask import masks
from faceinp.photo import photos

SIDE = 128
PHOTO = photos.read(np.zeros((SIDE, SIDE, 3), np.uint8))
RED, WHITE, BLACK = (255, 0, 0), (255, 255, 255), (0, 0, 0)


def saved(array: np.ndarray | Image.Image, format: str = "PNG", **options) -> bytes:
    buffer = io.BytesIO()
    (array if isinstance(array, Image.Image) else Image.fromarray(array)).save(buffer, format, **options)
    return buffer.getvalue()


def levels(strength: np.ndarray) -> np.ndarray:
    return np.round(strength * 255).astype(np.uint8)


def mixed(strength: np.ndarray, paint: tuple, ground: tuple) -> np.ndarray:
    """RGB: ``paint`` over ``ground``, as strongly as ``strength``, (H, W) in [0, 1], says."""
    share = strength[..., None]
    return np.round(share * np.array(paint) + (1 - share) * np.array(ground)).astype(np.uint8)


def grown(hole: np.ndarray, pixels: int) -> np.ndarray:
    return cv2.dilate(hole.astype(np.uint8), np.ones((2 * pixels + 1, 2 * pixels + 1), np.uint8)) > 0


def layer(strength: np.ndarray) -> np.ndarray:
    return np.dstack([mixed(np.ones_like(strength), RED, WHITE), levels(strength)])


# Of each kind: a picture of a mask, drawn with this strength, float32 (H, W) in [0, 1].
SHARP: dict[str, Callable[[np.ndarray], bytes]] = {
    "white on black": lambda s: saved(levels(s)),
    "black on white": lambda s: saved(levels(1 - s)),
    "palette": lambda s: saved(Image.fromarray(mixed(s, RED, WHITE)).quantize(8)),
    "16 bits": lambda s: saved(Image.fromarray((s * 65535).astype(np.uint16))),
    "layer": lambda s: saved(layer(s)),
    "grey layer": lambda s: saved(np.dstack([np.zeros_like(levels(s)), levels(s)])),
    "red on white": lambda s: saved(mixed(s, RED, WHITE)),
    "red on black": lambda s: saved(mixed(s, RED, BLACK)),
    "green on skin": lambda s: saved(mixed(s, (0, 230, 0), (210, 160, 140))),
}


def scan(strength: np.ndarray) -> bytes:
    """Felt-tip on paper, with its noise and the lamp's uneven light."""
    noise = np.random.default_rng(0).normal(0, 4, (*strength.shape, 3)) + np.linspace(-8, 8, len(strength))[:, None]
    drawn = cv2.GaussianBlur(strength, (0, 0), 0.8)[..., None] * [30, 170, 180]
    return saved(np.clip([238, 232, 215] + noise[:, :, :] - drawn, 0, 255).astype(np.uint8), "JPEG", quality=75)


SOFT: dict[str, Callable[[np.ndarray], bytes]] = {
    "JPEG": lambda s: saved(levels(s), "JPEG", quality=50),
    "JPEG, black on white": lambda s: saved(levels(1 - s), "JPEG", quality=80),
    "JPEG, red on white": lambda s: saved(mixed(s, RED, WHITE), "JPEG", quality=50),
    "WebP": lambda s: saved(mixed(s, RED, WHITE), "WEBP", quality=60),
    "smooth edges": lambda s: saved(levels(cv2.GaussianBlur(s, (0, 0), 0.7))),
    "feathered": lambda s: saved(layer(cv2.GaussianBlur(s, (0, 0), 2))),
    "scan": scan,
}


@st.composite
def shapes(draw: st.DrawFn, thinnest: int = 1) -> np.ndarray:
    """bool (SIDE, SIDE): discs, rings, boxes and lines, at most a third of the picture."""
    hole = np.zeros((SIDE, SIDE), np.uint8)
    at = st.integers(8, SIDE - 9)
    for kind in draw(st.lists(st.sampled_from(["disc", "ring", "box", "line"]), min_size=1, max_size=3)):
        x, y, size, width = draw(at), draw(at), draw(st.integers(6, 20)), draw(st.integers(thinnest, 12))
        if kind == "line":
            cv2.line(hole, (x, y), (draw(at), draw(at)), 1, width)
        elif kind == "box":
            hole[y : y + size, x : x + size] = 1
        else:
            cv2.circle(hole, (x, y), size, 1, -1 if kind == "disc" else max(thinnest, width // 2))
    return hole > 0


@settings(max_examples=12, deadline=None, derandomize=True)
@given(shapes())
@pytest.mark.parametrize("kind", SHARP)
def test_a_sharp_mask_is_the_shape_to_the_pixel(kind: str, hole: np.ndarray) -> None:
    mask = masks.read(SHARP[kind](hole.astype(np.float32)), PHOTO)
    assert np.array_equal(mask.hole, hole) and mask.warnings == () and "grown" not in mask.about


@settings(max_examples=12, deadline=None, derandomize=True)
@given(shapes(thinnest=5))
@pytest.mark.parametrize("kind", SOFT)
def test_a_soft_mask_is_the_shape_and_a_pixel_more(kind: str, hole: np.ndarray) -> None:
    mask = masks.read(SOFT[kind](hole.astype(np.float32)), PHOTO)
    assert "grown by 1 px" in mask.about
    inner = ~grown(~hole, 1)  # what a blur rounds off at a corner is no more than a pixel
    assert mask.hole[inner].all() and mask.hole[hole].mean() > 0.97
    assert not mask.hole[~grown(hole, 4)].any()


@settings(max_examples=8, deadline=None, derandomize=True)
@given(shapes(thinnest=3), st.floats(0.2, 0.9), st.integers(30, 98))
@pytest.mark.parametrize("kind", SHARP)
def test_strokes_of_two_strengths_all_count(kind: str, hole: np.ndarray, weaker: float, middle: int) -> None:
    strength = hole.astype(np.float32)
    strength[:, middle:] *= weaker
    strength[2:7, 2:7] = 1  # some are strong in any case
    mask = masks.read(SHARP[kind](strength), PHOTO)
    painted = strength > 0
    assert mask.hole[painted & ~grown(strength == 1, 3)].all()  # a weaker rim of 3 pixels may be the strong one's edge
    assert not mask.hole[~grown(painted, 1)].any()
    if (
        weaker < 0.45
        and (painted & ~grown(strength == 1, 3)).any()
        and "red" not in kind
        and "green" not in kind
        and kind != "palette"
    ):
        assert "including fainter strokes" in mask.about


@pytest.mark.parametrize("kind", SOFT)
@pytest.mark.parametrize("weaker", [0.35, 0.45, 0.7])
def test_strokes_of_two_strengths_all_count_in_soft_pictures(kind: str, weaker: float) -> None:
    strength = np.zeros((SIDE, SIDE), np.float32)
    strength[20:50, 15:50], strength[20:50, 50:85] = 1, weaker  # side by side
    cv2.line(strength, (20, 100), (110, 80), weaker, 7)  # apart
    mask = masks.read(SOFT[kind](strength), PHOTO)
    assert mask.hole[strength > 0].mean() > 0.97 and not mask.hole[~grown(strength > 0, 4)].any()


def test_what_is_too_faint_is_said() -> None:
    strength = np.zeros((256, 256), np.float32)
    strength[20:50, 15:50], strength[180:210, 160:200] = 1, 0.12  # no more than JPEG's ringing
    mask = masks.read(saved(levels(strength), "JPEG", quality=80), photos.read(np.zeros((256, 256), np.uint8)))
    assert not mask.hole[100:].any() and "too faint" in mask.warnings[0]


def test_a_soft_edge_beside_a_weaker_stroke_is_no_stroke() -> None:
    strength = np.zeros((SIDE, SIDE), np.float32)
    cv2.circle(strength, (64, 64), 30, 1, -1)
    soft = cv2.GaussianBlur(strength, (0, 0), 8)
    hole = masks.read(saved(levels(soft / soft.max())), PHOTO).hole
    assert abs(np.sqrt(hole.sum() / np.pi) - 31) < 1.5


# --- which tone is the hole ---


def frame(width: float, side: int = 340, torn: float = 0.0) -> np.ndarray:
    """bool (side, side): a border of ``width``, True, whose inner edge wanders by ``torn`` of it."""
    rng = np.random.default_rng(3)
    edges = [width + cv2.GaussianBlur(rng.normal(0, 4 * torn * width, (1, side)), (0, 0), 8)[0] for _ in range(4)]
    rows, columns = np.mgrid[:side, :side]
    top, bottom = rows < edges[0][columns], side - 1 - rows < edges[1][columns]
    left, right = columns < edges[2][rows], side - 1 - columns < edges[3][rows]
    return top | bottom | left | right


@pytest.mark.parametrize("torn", [0.0, 0.4])
@pytest.mark.parametrize("width", [10, 25, 40, 55, 65])
def test_a_frame_is_asked_for(width: int, torn: float) -> None:
    hole = frame(width, torn=torn)
    photo = photos.read(np.zeros((340, 340, 3), np.uint8))
    for tones in (levels(hole.astype(np.float32)), levels(1 - hole.astype(np.float32))):
        with pytest.raises(MaskError, match="--mask-hole white or --mask-hole black"):
            masks.read(tones, photo)
    assert np.array_equal(masks.read(levels(hole.astype(np.float32)), photo, hole="white").hole, hole)
    assert np.array_equal(masks.read(layer(hole.astype(np.float32)), photo).hole, hole)  # paint is paint


@pytest.mark.parametrize("name", ["centre", "eyes", "lower face", "one eye", "glasses", "scratches", "hand"])
def test_what_is_plain_stays_guessed(name: str) -> None:
    known = faceinp.list_presets()
    name = name if name in known else name.replace(" ", "-")
    portrait = photos.read(np.ascontiguousarray(skimage.data.astronaut()[35:195, 145:305]))
    hole = faceinp.make_preset(name, portrait, aligned=True).hole
    for tones in (levels(hole.astype(np.float32)), levels(1 - hole.astype(np.float32))):
        mask = masks.read(tones, portrait)
        assert np.array_equal(mask.hole, hole) and "guessed" in mask.about


def test_two_exact_halves_are_asked_for() -> None:
    half = np.zeros((SIDE, SIDE), np.uint8)
    half[:, : SIDE // 2] = 255
    with pytest.raises(MaskError, match="--mask-hole"):
        masks.read(half, PHOTO)


# --- an erased photo as its own mask ---


def test_the_erased_part_of_a_photo_is_the_hole() -> None:
    face = np.ascontiguousarray(skimage.data.astronaut()[:256, 96:352])
    alpha = np.full(face.shape[:2], 255, np.uint8)
    alpha[90:120, 90:150] = 0
    erased = np.dstack([np.where(alpha[..., None] > 0, face, 0), alpha]).astype(np.uint8)
    for photo in (erased, face):
        mask = masks.read(saved(erased), photos.read(photo))
        assert np.array_equal(mask.hole, alpha == 0) and "erased" in mask.about
    flat = np.dstack([np.zeros_like(face), 255 - alpha])  # paint of one colour is paint, whatever the photo is
    assert np.array_equal(masks.read(flat, photos.read(np.zeros_like(face))).hole, alpha == 0)
