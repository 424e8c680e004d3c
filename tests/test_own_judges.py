"""Judges of one's own weights: FaceNet's network, and what `faceinp train embedding` made."""

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from faceinp import identity
from faceinp.errors import EngineError, WeightsError


@pytest.mark.usefixtures("judge_weights")
def test_a_packed_embedding_is_a_judge_as_the_packages_own_is(judge_folder: Path) -> None:
    crops = np.random.default_rng(0).random((2, 3, 128, 128), np.float32)
    own = identity.load("bundled", file=judge_folder / "embedding.safetensors")
    assert own.name == "bundled" and np.array_equal(own.embed(crops), identity.load("bundled").embed(crops))
    given = torch.from_numpy(crops).requires_grad_()
    own.embed(given)[:, 0].sum().backward()
    assert given.grad is not None and given.grad.abs().sum() > 0


def test_a_file_of_another_network_or_for_another_judge_is_refused(tmp_path: Path) -> None:
    save_file({"x": torch.zeros(1)}, file := tmp_path / "x.safetensors", {"network": "x", "config": "{}"})
    for judge in ("facenet", "bundled"):
        with pytest.raises(WeightsError, match=r"x\.safetensors"):
            identity.load(judge, file=file)
        with pytest.raises(WeightsError, match="no file"):
            identity.load(judge, file=tmp_path / "y.safetensors")
    with pytest.raises(EngineError, match="facenet and bundled accept your own weights, not 'dlib'"):
        identity.load("dlib", file=file)
