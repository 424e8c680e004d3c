"""Faces with something before them, drawn for training: what is drawn lies where its class says."""

from collections import Counter
from typing import Any

import numpy as np
import pytest
from skimage.data import astronaut

from faceinp.mask.presets import average_points, hull
from faceinp.train.drawn_occluders import looks
from faceinp.train.drawn_occluders.cloth import protective_mask, scarf
from faceinp.train.drawn_occluders.drawing import CLASSES, UNJUDGED, draw, photographed
from faceinp.train.drawn_occluders.eyewear import glasses
from faceinp.train.drawn_occluders.hair import beard, brows, fringe, hair
from faceinp.train.drawn_occluders.hands import hand
from faceinp.train.drawn_occluders.layers import Face
from faceinp.train.drawn_occluders.objects import thing

SIDE = 128
POINTS = average_points(SIDE)
OTHERS = np.stack([astronaut()[: 2 * SIDE : 2, 100 : 100 + 2 * SIDE : 2]] * 2)


def skin(grey: float = 150) -> Any:
    """uint8 (SIDE, SIDE, 3): a picture of the colour of skin, with a little noise."""
    noisy = np.random.default_rng(0).normal(grey, 4, (SIDE, SIDE, 1)) * (1.1, 0.95, 0.8)
    return np.clip(noisy, 0, 255).astype(np.uint8)


def face(seed: int, picture: Any = None) -> Face:
    picture = skin() if picture is None else picture
    classes = np.zeros((SIDE, SIDE), np.uint8)
    return Face(picture.astype(np.float32), classes, POINTS, np.random.default_rng(seed), OTHERS)


@pytest.mark.parametrize(
    ("what", "kind"), [(glasses, 1), (protective_mask, 2), (hand, 3), (hair, 4), (thing, 5), (scarf, 5)]
)
def test_what_is_drawn_has_its_class_and_is_seen_there(what: Any, kind: int) -> None:
    places = []
    for seed in range(12):
        drawn = face(seed)
        what(drawn)
        assert set(np.unique(drawn.classes)) <= {0, kind, UNJUDGED}
        there = drawn.classes == kind
        changed = np.abs(drawn.picture - skin()).max(axis=2) > 12
        if there.sum() > 50:
            places.append(changed[there].mean())
    assert len(places) >= 8 and np.mean(places) > 0.6


def test_glasses_lie_before_the_eyes_and_clear_lenses_are_face() -> None:
    eyes = [np.rint(POINTS[span].mean(axis=0)).astype(int) for span in (slice(36, 42), slice(42, 48))]
    hidden = []
    for seed in range(40):
        drawn = face(seed)
        glasses(drawn)
        rows, columns = np.nonzero(drawn.classes)
        assert columns.min() < eyes[0][0] < eyes[1][0] < columns.max() and rows.min() < eyes[0][1]
        hidden.append(all(drawn.classes[y, x] == 1 for x, y in eyes))
    assert 0.2 < np.mean(hidden) < 0.7  # dark, tinted or reflecting; the others are clear


@pytest.mark.parametrize(
    "look",
    [beard, brows, fringe, looks.shade, looks.make_up, looks.sockets, looks.wrinkles, looks.hat, looks.shine],
)
def test_looks_are_drawn_and_are_face(look: Any) -> None:
    changes = []
    for seed in range(6):
        drawn = face(seed)
        look(drawn)
        assert not drawn.classes.any()
        changes.append(np.abs(drawn.picture - skin()).max())
    assert max(changes) > 15


def test_a_third_has_nothing_and_every_class_occurs() -> None:
    rng = np.random.default_rng(1)
    found: Counter[int] = Counter()
    count = 150
    for _ in range(count):
        picture, classes = draw(skin(), POINTS / SIDE, rng, OTHERS)
        assert picture.shape == (SIDE, SIDE, 3) and picture.dtype == classes.dtype == np.uint8
        found.update(set(np.unique(classes[hull(POINTS, (SIDE, SIDE))])) - {UNJUDGED} or {0})
        found["none"] += not (classes % UNJUDGED).any()  # type: ignore[index]
    assert set(range(len(CLASSES))) <= set(found)
    assert 0.25 < found["none"] / count < 0.45  # type: ignore[index]


def test_the_same_seed_draws_the_same_and_the_given_picture_stays() -> None:
    picture = skin()
    first, again = (draw(picture, POINTS / SIDE, np.random.default_rng(7), OTHERS) for _ in range(2))
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert np.array_equal(picture, skin())
    draw(picture, POINTS / SIDE, np.random.default_rng(8), OTHERS[:0])  # no other faces: its own skin serves


def test_a_mask_on_a_dark_face_is_darker() -> None:
    def cloth(grey: float) -> float:
        values = []
        for seed in range(10):
            drawn = face(seed, skin(grey))
            protective_mask(drawn)
            values.append(drawn.picture[drawn.classes == 2].mean())
        return float(np.mean(values))

    assert cloth(40) < 0.8 * cloth(160)


def test_photographed_keeps_shape_and_content() -> None:
    picture = astronaut()[:SIDE, 150 : 150 + SIDE]
    for seed in range(20):
        photo = photographed(picture, np.random.default_rng(seed))
        assert photo.shape == picture.shape and photo.dtype == np.uint8
        assert np.corrcoef(photo.mean(axis=2).ravel(), picture.mean(axis=2).ravel())[0, 1] > 0.9
