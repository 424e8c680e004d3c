"""Vectors of judges: unit length, one by one or in batches, with gradients."""

import numpy as np
import pytest
import torch
from judge_files import crops
from serving import ROOT

from faceinp import identity
from faceinp.errors import EngineError

pytestmark = pytest.mark.usefixtures("judge_weights")


@pytest.fixture(params=["drawn", "shipped"])
def either(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> identity.Judge:
    """The judge with drawn weights, and with the package's own."""
    if request.param == "shipped":
        monkeypatch.setenv("FACEINP_WEIGHTS", str(ROOT / "weights"))
    return identity.load("bundled")


def test_vectors_are_of_unit_length_and_of_the_kind_that_was_given(judge: identity.Judge) -> None:
    given = crops(3)
    vectors = judge.embed(given)
    assert isinstance(vectors, np.ndarray) and vectors.dtype == np.float32 and vectors.shape == (3, 16)
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)
    tensors = judge.embed(torch.from_numpy(given))
    assert isinstance(tensors, torch.Tensor) and not tensors.requires_grad
    assert np.allclose(tensors.numpy(), vectors, atol=1e-5)


def test_a_batch_gives_what_its_faces_give_one_by_one(either: identity.Judge) -> None:
    given = crops(identity.judges.BATCH + 2, 64)
    together = either.embed(given)
    alone = np.concatenate([either.embed(face[None]) for face in given])
    assert np.abs(together - alone).max() < 1e-5


def test_gradients_reach_the_picture(either: identity.Judge) -> None:
    """Against finite differences, along the gradient and along what it says of half of the pixels."""
    rng = np.random.default_rng(0)
    picture = torch.from_numpy(crops(1, 64))
    target = torch.from_numpy(rng.normal(size=either.embed(picture).shape[1]).astype(np.float32))

    def score(at: torch.Tensor) -> torch.Tensor:
        return (either.embed(at) @ target).sum()

    leaf = picture.clone().requires_grad_()
    score(leaf).backward()
    assert leaf.grad is not None and leaf.grad.abs().max() > 1e-4
    whole = leaf.grad / leaf.grad.abs().mean()
    for way in (whole, whole * torch.from_numpy(rng.random(picture.shape) < 0.5)):
        slope = float((leaf.grad * way).sum())
        step = 0.02 / slope  # so that the score changes by little, and by much more than rounding
        difference = float(score(picture + step * way) - score(picture - step * way)) / (2 * step)
        assert slope == pytest.approx(difference, rel=0.02)


def test_half_precision_agrees(either: identity.Judge) -> None:
    given = torch.from_numpy(crops(2))
    exact = either.embed(given)
    with torch.autocast("cpu", torch.bfloat16):
        coarse = either.embed(given)
    assert coarse.dtype == torch.float32
    assert not torch.equal(coarse, exact) and (coarse * exact).sum(dim=1).min() > 0.99


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (np.zeros((3, 64, 64), np.float32), r"\(N, 3, S, S\)"),
        (np.zeros((1, 64, 64, 3), np.float32), r"\(N, 3, S, S\)"),
        (np.zeros((1, 3, 64, 48), np.float32), r"\(N, 3, S, S\)"),
        (np.zeros((0, 3, 64, 64), np.float32), r"\(N, 3, S, S\)"),
        (np.zeros((1, 3, 64, 64), np.uint8), "uint8"),
        (np.full((1, 3, 64, 64), 255, np.float32), "Divide uint8 values by 255"),
        (np.full((1, 3, 64, 64), np.nan, np.float32), "Crops must be in"),
    ],
)
def test_other_crops_are_refused(wrong: np.ndarray, said: str, judge: identity.Judge) -> None:
    with pytest.raises(EngineError, match=said):
        judge.embed(wrong)


def test_distances_are_those_of_unit_vectors(judge: identity.Judge) -> None:
    distance = judge.distance(np.array([1.0, 0]), torch.tensor([[0.6, 0.8]]))
    assert distance.cosine == pytest.approx(0.6) and distance.euclidean == pytest.approx(np.sqrt(0.8))
    for a, b in (([1, 0], [3, 4]), ([1, 0], [1, 0, 0]), (np.eye(2), np.eye(2))):
        with pytest.raises(EngineError, match=r"unit vector|one judge"):
            judge.distance(np.asarray(a, float), np.asarray(b, float))
