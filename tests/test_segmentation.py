"""The network that marks pixels, a whole photo seen tile by tile, and the way from a run to a proposal."""

import numpy as np
import pytest
import torch

from faceinp.find import network
from faceinp.nets.efficientnet import fold
from faceinp.nets.segmentation import CLASSES, STEPS, Segmentation
from faceinp.train import segmentation


@pytest.fixture(scope="module")
def untrained() -> Segmentation:
    torch.manual_seed(0)
    return Segmentation().eval().requires_grad_(False)


def test_each_pixel_gets_scores(untrained):
    assert untrained(torch.rand(2, 3, 48, 80)).shape == (2, CLASSES, 48, 80)


def test_the_shell_of_the_library_knows_the_networks_sizes():
    assert network.STEPS == STEPS


def test_folding_changes_nothing(untrained):
    for module in untrained.modules():  # as after a training: statistics that are not those of a fresh network
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.uniform_(-0.2, 0.2)
            module.running_var.uniform_(0.5, 1.5)
    picture = torch.rand(1, 3, 64, 64)
    before = untrained(picture)
    folded = Segmentation().eval().requires_grad_(False)
    folded.load_state_dict(untrained.state_dict())
    fold(folded)
    assert torch.allclose(folded(picture), before, atol=1e-4)


@pytest.mark.parametrize("size", [(40, 700), (513, 512), (33, 32)])
def test_tiles_cover_a_photo_once_and_in_place(size):
    photo = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)

    def red(picture):
        assert not picture.shape[0] % STEPS and not picture.shape[1] % STEPS
        return np.repeat(picture[None, ..., 0], CLASSES, axis=0).astype(np.float32)

    seen, times = np.zeros(size, np.float32), np.zeros(size, int)
    for window, probabilities in network.run_tiled(red, photo):
        seen[window] = probabilities[0]
        times[window] += 1
    assert (times == 1).all()
    assert np.array_equal(seen, photo[..., 0])


def test_the_overlap_is_that_of_what_is_not_nothing():
    classes = torch.zeros(1, 64, 64, dtype=torch.long)
    classes[0, :32] = 3
    shares = torch.nn.functional.one_hot(classes, CLASSES).permute(0, 3, 1, 2).float()
    assert segmentation.dice(shares, classes) == 0
    assert segmentation.dice(shares.roll(3, dims=1), classes) > 0.9
    unknown = classes.clone()
    unknown[0, :32] = segmentation.UNKNOWN
    assert segmentation.dice(shares, unknown) == 0  # what nobody knows is neither right nor wrong


def test_each_picture_counts_alike():
    classes = torch.zeros(2, 64, 64, dtype=torch.long)
    classes[0, :32], classes[1, :2] = 3, 1  # half of one picture, a hairline on the other
    shares = torch.nn.functional.one_hot(classes, CLASSES).permute(0, 3, 1, 2).float()
    missed = shares.clone()
    missed[1, :, :2] = shares[1, :, 4:6]
    assert segmentation.dice(missed, classes) > 0.3
    clean = torch.zeros_like(classes)
    assert segmentation.dice(shares, clean) > 0.7, "marks on a picture without damage cost, too"


def test_what_is_near_lies_within_two_pixels():
    mask = torch.zeros(1, 1, 9, 9)
    mask[..., 4, 4] = 1
    assert segmentation.near(mask).sum() == 25
