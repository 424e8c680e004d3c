"""How far the mask of damage reaches beyond what the network marked: as far as the damage's edge is soft."""

import cv2
import numpy as np
import pytest

from faceinp.find.damage import MAX_EDGE, _edge_width

SIDE = 400
LINE = np.s_[100:300, 195:205]


def scratched(blur: float, contrast: float = 120) -> tuple[np.ndarray, np.ndarray]:
    """A grainy grey photo with a vertical scratch whose edge is blurred (sigma in pixels), and the scratch's core."""
    core = np.zeros((SIDE, SIDE), bool)
    core[LINE] = True
    scratch = core.astype(np.float32)
    if blur:
        scratch = cv2.GaussianBlur(scratch, (0, 0), blur)
    grain = np.random.default_rng(0).normal(0, 2, (SIDE, SIDE))
    grey = np.clip(100 + grain + contrast * scratch, 0, 255).astype(np.uint8)
    return np.repeat(grey[..., None], 3, axis=2), core


@pytest.mark.parametrize("least", [1, 2])
def test_a_soft_edge_is_wider_than_a_sharp_one(least):
    assert _edge_width(*scratched(0), least) < _edge_width(*scratched(2), least) == MAX_EDGE * least


def test_behind_a_soft_edge_the_photo_is_as_it_was():
    photo, core = scratched(0.6)
    reach = 2 * _edge_width(photo, core, 1) + 1
    outside = cv2.dilate(core.astype(np.uint8), np.ones((reach, reach), np.uint8)) == 0
    clean, _ = scratched(0, contrast=0)
    assert np.abs(photo[outside].astype(int) - clean[outside]).max() <= 6


@pytest.mark.parametrize("least", [1, 2, 4])
def test_marks_without_an_edge_and_no_marks_have_the_least_width(least):
    photo, core = scratched(0, contrast=0)
    assert _edge_width(photo, core, least) == least
    assert _edge_width(photo, np.zeros_like(core), least) == least
