"""What lies on photos: scratches, dirt and objects before a face, painted on training pictures in a batch.

Real damage comes from a tar of grey pictures, alpha masks of scratches, dirt, hair or lint, that the user has.
"""

from functools import cache

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from faceinp.errors import DataError
from faceinp.photo.arrays import Pixels
from faceinp.train.datasets import stored

PARTS = {"eyes": (*range(17, 27), *range(36, 48)), "nose and mouth": (*range(27, 36), *range(48, 68))}  # with the brows


@cache
def load(path: str, side: int) -> Tensor:
    """uint8 (K, side, side): the alpha masks in the tar ``path``, 255 where damage hides all.

    Raises DataError when there is no such tar or it holds no picture.
    """
    pictures = (mask for _, mask in stored.grey_pictures(path, "damage masks"))
    masks = [cv2.resize(mask, (side, side), interpolation=cv2.INTER_AREA) for mask in pictures]
    if not masks:
        raise DataError(f"{path} holds no PNG. Give a tar of grey pictures, white where the damage is.")
    return torch.from_numpy(np.stack(masks))


def fill_part(picture: Pixels, points: NDArray[np.float32], part: str) -> Pixels:
    """The picture, uint8 (S, S, 3), with a rectangle filled by Telea's inpainting.

    points: (68, 2), as shares of the side. part: a key of PARTS, whose box is widened by 3 % of the side, or "centre",
    a square of half the side.
    """
    side = len(picture)
    hole = np.zeros((side, side), np.uint8)
    if part == "centre":
        hole[side // 4 : side * 3 // 4, side // 4 : side * 3 // 4] = 1
    else:
        inside = (points * side)[list(PARTS[part])]
        left, top = np.maximum(0, inside.min(axis=0) - 0.03 * side).astype(int)
        right, bottom = (inside.max(axis=0) + 0.03 * side).astype(int) + 1
        hole[top:bottom, left:right] = 1
    return np.asarray(cv2.inpaint(np.ascontiguousarray(picture), hole, 3, cv2.INPAINT_TELEA), np.uint8)


def choose(masks: Tensor, count: int, rng: np.random.Generator) -> Tensor:
    """float (count, 1, S, S) in [0, 1]: masks of ``load``, turned by right angles, mirrored and moved."""
    side = masks.shape[-1]
    chosen = masks[torch.from_numpy(rng.integers(len(masks), size=count)).to(masks.device)].float() / 255
    for flipped, axis in ((rng.random(count) < 0.5, 1), (rng.random(count) < 0.5, 2)):
        chosen = torch.where(torch.from_numpy(flipped).to(masks.device)[:, None, None], chosen.flip(axis), chosen)
    turned = torch.from_numpy(rng.random(count) < 0.5).to(masks.device)[:, None, None]
    chosen = torch.where(turned, chosen.transpose(1, 2), chosen)
    shift = torch.from_numpy(rng.integers(-side // 4, side // 4 + 1, (count, 2))).to(masks.device)
    index = torch.arange(side, device=masks.device)
    rows, columns = ((index - shift[:, axis, None]) % side for axis in (0, 1))
    number = torch.arange(count, device=masks.device)[:, None, None]
    return chosen[number, rows[:, :, None], columns[:, None]][:, None]


def paint(pictures: Tensor, alpha: Tensor, rng: np.random.Generator) -> Tensor:
    """Cover (N, 3, S, S) where ``alpha`` (N, 1, S, S) is 1 with one colour a picture, mostly nearly white or black."""
    count = len(pictures)
    grey = rng.choice([0.05, 0.95], (count, 1)) + rng.normal(0, 0.1, (count, 1)) + rng.normal(0, 0.05, (count, 3))
    return torch.lerp(pictures, torch.from_numpy(grey.clip(0, 1)).to(pictures)[:, :, None, None], alpha)


def occlude(pictures: Tensor, shape: Tensor, others: Tensor, rng: np.random.Generator) -> Tensor:
    """Cover (N, 3, S, S) where ``shape``, bool (N, 1, S, S), is set: with one colour, a blurred noise, or a part of
    the pictures ``others`` (CutMix, Yun et al. 2019), all with a shade across them.
    """
    count, _, side, _ = pictures.shape

    def there(array: NDArray[np.float64]) -> Tensor:
        return torch.from_numpy(array).to(pictures)

    colour = there(rng.uniform(0, 1, (count, 3, 1, 1)))
    noise = torch.nn.functional.interpolate(there(rng.normal(0, 0.15, (count, 3, 8, 8))), (side, side), mode="bicubic")
    other = others.roll((side // 3, side // 4), (2, 3))
    kind = torch.from_numpy(rng.integers(3, size=count)).to(pictures.device)[:, None, None, None]
    ramp = torch.linspace(-1, 1, side, device=pictures.device, dtype=pictures.dtype)
    slope = there(rng.normal(0, 0.15, (2, count, 1, 1, 1)))
    cover = torch.where(kind == 0, colour.expand_as(pictures), torch.where(kind == 1, colour + noise, other))
    return torch.where(shape, (cover + slope[0] * ramp + slope[1] * ramp[:, None]).clamp(0, 1), pictures)
