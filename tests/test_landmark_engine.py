"""The engine that is led by landmarks, with small untrained networks."""

import numpy as np
import pytest

import faceinp
from faceinp.errors import EngineError, WeightsError
from faceinp.models import weights


def test_alone_and_in_a_batch_are_the_same(small_weights):
    engine = faceinp.load_engine("landmark")
    rng = np.random.default_rng(0)
    crops = rng.random((9, 3, 256, 256), dtype=np.float32)
    masks = rng.random((9, 1, 256, 256)) < 0.3
    seen = []
    together = engine.fill(crops, masks, progress=lambda done, total, preview=None: seen.append((done, total)))
    assert np.abs(together[8] - engine.fill(crops[8:], masks[8:])[0]).max() < 1e-4
    assert seen == [(0, 9), (8, 9), (9, 9)]


def test_landmarks_lead_the_result_and_are_reported(small_weights):
    photo = np.random.default_rng(0).integers(0, 256, (300, 300, 3), dtype=np.uint8)
    mask = np.zeros((300, 300), bool)
    mask[120:200, 100:220] = True
    first = faceinp.fill(photo, mask, engine="landmark", face=faceinp.FaceLocation.aligned(), blending="composite")
    assert first.landmarks.shape == (68, 2)
    again = faceinp.fill(
        photo,
        mask,
        engine="landmark",
        face=faceinp.FaceLocation.aligned(),
        blending="composite",
        landmarks=first.landmarks,
    )
    assert np.abs(again.landmarks - first.landmarks).max() < 0.01
    assert np.abs(again.image.astype(int) - first.image).max() <= 1
    points = np.random.default_rng(1).uniform(100, 200, (68, 2))
    moved = faceinp.fill(
        photo, mask, engine="landmark", face=faceinp.FaceLocation.aligned(), blending="composite", landmarks=points
    )
    assert (moved.image != first.image).any()
    assert np.abs(moved.landmarks - points).max() < 0.01
    assert moved.changed_pixels == 0


@pytest.mark.parametrize("landmarks", [np.zeros((5, 2)), np.full((68, 2), np.nan), np.zeros((1, 68, 2))])
def test_landmarks_that_are_none_get_a_clear_error(small_weights, landmarks):
    photo, mask = np.zeros((256, 256, 3), np.uint8), np.zeros((256, 256), bool)
    mask[100:150, 100:150] = True
    with pytest.raises(EngineError, match="68 points"):
        faceinp.fill(photo, mask, engine="landmark", face=faceinp.FaceLocation.aligned(), landmarks=landmarks)
    with pytest.raises(EngineError, match="does not use landmarks"):
        faceinp.fill(photo, mask, engine="telea", face=faceinp.FaceLocation.aligned(), landmarks=np.zeros((68, 2)))


def test_weights_of_another_network_are_refused(small_weights):
    with pytest.raises(WeightsError, match=r"does not contain the network .completion."):
        faceinp.load_engine("landmark", {"file": weights.path("landmarks")})
