"""Bounding windows of masks."""

import numpy as np
import pytest

from faceinp.photo.arrays import bounding_window


def test_a_window_contains_all_true_pixels_and_a_margin_within_the_picture() -> None:
    mask = np.zeros((20, 30), bool)
    mask[4, 7] = mask[9, 28] = True
    assert bounding_window(mask) == np.s_[4:10, 7:29]
    assert bounding_window(mask, margin=5) == np.s_[0:15, 2:30]
    with pytest.raises(ValueError, match="no True pixel"):
        bounding_window(np.zeros((3, 3), bool))
