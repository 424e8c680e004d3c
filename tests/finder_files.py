"""Finders that know saturated colours, in place of the networks that find damage and occluders."""

from pathlib import Path

import numpy as np
import pytest
import torch
from export_files import put
from PIL import Image, ImageDraw
from skimage import data

import faceinp
from faceinp.models import weights
from faceinp.nets.segmentation import CLASSES, Segmentation

FINDERS = ("damage", "occluders")
# What stands for each kind, in the order of a proposal's KINDS.
PAINT = {1: (255, 0, 0), 2: (0, 255, 0), 3: (0, 0, 255), 4: (255, 255, 0), 5: (255, 0, 255)}


SCRATCH, SPOT, TEAR = (np.s_[300:304, 40:460], np.s_[60:68, 60:68], np.s_[480:512, 0:60])
FRAMES = (185, 92, 222, 122), (230, 92, 266, 122)  # of glasses on the astronaut's face: x, y, x, y


def grey_astronaut() -> np.ndarray:
    """uint8 (512, 512, 3), a photo with a face in which no pixel has a colour."""
    return np.repeat(data.astronaut().mean(axis=2).astype(np.uint8)[..., None], 3, axis=2)


def damaged() -> np.ndarray:
    """A photo with a scratch, a spot, and a corner that is missing, in the paint of their kinds."""
    photo = grey_astronaut()
    for kind, where in enumerate((SCRATCH, SPOT, TEAR), 1):
        photo[where] = PAINT[kind]
    return photo


def spectacled(*, hand: bool = False) -> np.ndarray:
    """A face with the frames of glasses, and something like a finger beside its mouth, in the paint of their kinds."""
    picture = Image.fromarray(grey_astronaut())
    draw = ImageDraw.Draw(picture)
    for frame in FRAMES:
        draw.rectangle(frame, outline=PAINT[1], width=4)
    if hand:
        draw.rectangle((236, 140, 252, 160), fill=PAINT[3])
    return np.asarray(picture)


def check_proposal(proposal: faceinp.Damage | faceinp.Occluders, shape: tuple[int, ...]) -> None:
    """What holds for every proposal."""
    assert proposal.mask.dtype == bool and proposal.kind.dtype == np.uint8 and proposal.confidence.dtype == np.float32
    assert proposal.mask.shape == proposal.kind.shape == proposal.confidence.shape == shape[:2]
    assert ((proposal.kind > 0) == proposal.mask).all() and proposal.kind.max() <= len(proposal.KINDS)
    assert proposal.confidence.min() >= 0 and proposal.confidence.max() <= 1
    assert sum(proposal.shares.values()) == pytest.approx(proposal.share)


def by_colour(picture: np.ndarray) -> np.ndarray:
    """The probability of each class, float32 (CLASSES, H, W): the nearer to the paint of a kind, the larger."""
    shares = np.zeros((CLASSES, *picture.shape[:2]), np.float32)
    for kind, colour in PAINT.items():
        away = np.abs(picture.astype(np.int16) - np.array(colour, np.int16)).max(axis=2)
        shares[kind] = np.clip(1 - away / 100, 0, 1)
    shares /= np.maximum(1, shares.sum(axis=0))
    shares[0] = 1 - shares.sum(axis=0)
    return shares


def find_by_colour(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both finders know colours, whatever weights of theirs the package has. folder: for weights."""
    for file in weights.folder().iterdir():
        (folder / file.name).symlink_to(file)
    for name in FINDERS:
        (folder / f"{name}.safetensors").unlink(missing_ok=True)
        (folder / f"{name}.safetensors").write_bytes(b"stands for a network")
    monkeypatch.setenv("FACEINP_WEIGHTS", str(folder))
    monkeypatch.setattr("faceinp.find.network.load", lambda _: by_colour)


def put_finders(folder: Path) -> None:
    """Untrained networks as the weights of both finders, which think little of any pixel."""
    torch.manual_seed(0)
    for name in FINDERS:
        network = Segmentation()
        torch.nn.init.constant_(network.scores[-1].bias[:4], 4)  # of class 0, at each of 2 x 2 pixels
        put(folder, name, "segmentation", network, {})
