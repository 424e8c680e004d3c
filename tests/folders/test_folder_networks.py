"""Networks that compare two folders: judges, LPIPS and Inception."""

import os
import pickle
from pathlib import Path

import numpy as np
import pytest
import skimage.data
import skimage.metrics
import torch
from picture_folders import drawn, evaluate, filled

from faceinp import identity
from faceinp.errors import WeightsError
from faceinp.evaluate import folder_measures as kinds
from faceinp.evaluate.folder_measures import Pair
from faceinp.evaluate.folders import Request, run
from faceinp.models import pretrained


def test_a_judge_knows_the_person_after_a_small_change_and_no_other() -> None:
    photo = skimage.data.astronaut()
    changed = photo.copy()
    changed[:40] = 0
    stranger = np.ascontiguousarray(photo[::-1])
    measure = kinds.likeness("bundled")
    same, near = measure.measure(Pair(photo, changed))
    other, far = measure.measure(Pair(photo, stranger))
    assert same == 1 and other == 0 and near < 0.2 < far
    assert np.isnan(measure.measure(Pair(drawn(0), drawn(0)))).all()  # no face


def test_both_crops_are_cut_alike() -> None:
    photo = skimage.data.astronaut()
    crops = identity.crops_alike(photo, np.roll(photo, 1, axis=2))
    assert crops is not None and crops.shape == (2, 3, identity.SIDE, identity.SIDE)
    assert np.array_equal(np.roll(crops[0], 1, axis=0), crops[1])


def test_a_judge_that_was_named_must_run(three: tuple[Path, Path, Path], capsys: pytest.CaptureFixture) -> None:
    words = (three[0], three[1], "--judges", "nobody", "-o", three[0].parent / "out")
    assert evaluate(*words, skip="lpips,inception,lite") != 0
    assert "nobody" in capsys.readouterr().err


def test_lpips_is_torchmetrics_and_equal_pictures_are_0_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torchmetrics", reason="the extra 'eval' is not installed")
    import torchvision
    from torchvision.models._api import WeightsEnum

    untrained = torchvision.models.alexnet().state_dict()
    monkeypatch.setattr(WeightsEnum, "get_state_dict", lambda *_, **__: untrained)
    measure = kinds.perceptual("alex")
    assert measure.measure(Pair(drawn(0), drawn(0))) == [0.0]
    assert measure.measure(Pair(drawn(0), filled(drawn(0))))[0] > 0
    assert np.isnan(measure.measure(Pair(drawn(0, 32), drawn(0, 32)))[0])


def test_a_network_that_cannot_be_fetched_is_a_sentence(
    three: tuple[Path, Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise WeightsError("The weights could not be fetched.")

    for name in ("lpips", "inception"):
        monkeypatch.setattr(pretrained, name, refuse)
    run(Request(*three[:2], skip=("lite", "identity"), out=tmp_path / "out"))
    told = (tmp_path / "out" / "report.md").read_text()
    assert "LPIPS: The weights could" in told and "FID, KID, P-IDS, U-IDS on Inception: The weights could" in told


def test_inceptions_file_runs_no_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    published = pytest.importorskip("torch_fidelity.feature_extractor_inceptionv3")
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    file = tmp_path / "hub" / "checkpoints" / Path(published.URL_INCEPTION_V3).name
    file.parent.mkdir(parents=True)

    class Evil:
        def __reduce__(self) -> tuple:
            return os.mkdir, (str(tmp_path / "ran"),)

    file.write_bytes(pickle.dumps(Evil(), 2))  # torch's own protocol
    with pytest.raises(WeightsError, match="Inception"):
        pretrained.inception()
    assert not (tmp_path / "ran").exists()


def test_inception_sees_2048_numbers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    published = pytest.importorskip("torch_fidelity.feature_extractor_inceptionv3")
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    file = tmp_path / "hub" / "checkpoints" / Path(published.URL_INCEPTION_V3).name
    file.parent.mkdir(parents=True)
    torch.save({}, file)
    monkeypatch.setattr(published.FeatureExtractorInceptionV3, "load_state_dict", lambda *_: None)
    see = kinds.inception()[kinds.INCEPTION]
    assert see(Pair(drawn(0), drawn(1))).shape == (2, 2048)
