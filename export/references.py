"""The references of the graphs ``photo`` and ``detector``: the same computation by the package's own functions."""

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from faceinp.face import cascade, faces
from faceinp.photo.arrays import Pixels

from . import modules


class Photo(nn.Module):
    """The graph ``photo``: image uint8 (1, H, W, 3), mask uint8 (1, H, W), points (1, 5, 2) -> (result, landmarks in
    pixels of the photo, face).
    """

    def __init__(self, generator: nn.Module, predictor: nn.Module, likeness: nn.Module, size: int) -> None:
        super().__init__()
        self.drawing = modules.Drawing(generator, predictor, likeness, size)
        self.size = size

    def forward(self, image: Tensor, mask: Tensor, points: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        pixels, hole = image[0].numpy(), mask[0].numpy() > 0
        quad = faces.quad(faces.Face((0, 0, 1, 1), points[0].numpy(), 1.0, 0.0))
        crop = faces.align(pixels, hole, quad, self.size)
        share = (np.arange(self.size) + 0.5) / self.size
        points_in_photo = faces.to_photo(np.stack(np.meshgrid(share, share), axis=-1).reshape(-1, 2), quad)
        inside = (
            ((points_in_photo >= 0) & (points_in_photo <= hole.shape[::-1]))
            .all(axis=1)
            .reshape(1, 1, self.size, self.size)
        )
        picture = torch.from_numpy(crop.pixels).permute(2, 0, 1)[None].float() / 255
        crop_hole = torch.from_numpy(crop.hole)[None, None].float()
        drawing, landmarks, face = self.drawing(picture, crop_hole, torch.from_numpy(inside).float())
        result = self._pasted(pixels, hole, quad, drawing[0].permute(1, 2, 0).numpy())
        landmarks = torch.from_numpy(faces.to_photo(landmarks[0].numpy(), quad))
        return torch.from_numpy(result)[None], landmarks[None], face

    def _pasted(
        self, pixels: Pixels, hole: NDArray[np.bool_], quad: NDArray[np.float64], drawing: NDArray[np.float32]
    ) -> Pixels:
        """The photo with its hole filled from the drawing (S, S, 5), as ``photo_graph.paste`` does it."""
        shape = hole.shape
        if not hole.any():
            return pixels
        face, guides = np.zeros((2, *shape, 3), np.float32)
        inside = np.zeros(shape, np.bool_)
        pasted, covered, region = faces.paste(drawing[..., :3], quad, shape)
        face[region], inside[region] = pasted, covered
        guides[region] = faces.paste(np.ascontiguousarray(drawing[..., [3, 4, 4]]), quad, shape)[0]
        near, drawn = guides[..., :1], guides[..., 1:2] * inside[..., None]

        rim = cv2.dilate(hole.astype(np.uint8), np.ones((2 * modules.RIM + 1,) * 2)) > 0
        known, photo = rim & ~hole, pixels.astype(np.float32) / 255
        band = hole & (drawn[..., 0] > modules.FADING[0]) & (drawn[..., 0] < modules.FADING[1])
        fields = [(photo - face, known & inside), (np.where(band[..., None], face, photo), known | band)]
        left, top, width, height = cv2.boundingRect(rim.astype(np.uint8))
        window = np.s_[top : top + height, left : left + width]
        sums = np.stack([np.dstack([values * cells[..., None], cells])[window] for values, cells in fields])
        spread = _membrane(torch.from_numpy(sums.astype(np.float32)).permute(0, 3, 1, 2))
        correction, beyond = np.zeros((2, *shape, 3), np.float32)
        correction[window], beyond[window] = spread.permute(0, 2, 3, 1).numpy()
        value = (face + near * correction) * drawn + beyond * (1 - drawn)
        return np.where(hole[..., None], np.rint(255 * value.clip(0, 1)), pixels).astype(np.uint8)


class Detector(nn.Module):
    """The graph ``detector``: image uint8 (1, H, W, 3), mask uint8 (1, H, W) -> (boxes, probabilities, points)."""

    def __init__(self, size: int) -> None:
        super().__init__()

    def forward(self, image: Tensor, mask: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        block = max(1, min(max(mask.shape) // modules.SEARCHED, *mask.shape[1:]))
        height, width = (side // block for side in mask.shape[1:])
        blocks = height, block, width, block
        used = np.s_[: height * block, : width * block]
        known = (mask[0][used] == 0).float()[..., None]
        values = torch.cat([image[0][used].float() * known, known], dim=2)
        sums = values.reshape(*blocks, 4).sum(dim=(1, 3)).permute(2, 0, 1)[None]
        closed = _membrane(sums)[0].permute(1, 2, 0).round().to(torch.uint8).numpy()
        plain = image[0][used].float().reshape(*blocks, 3).mean(dim=(1, 3)).round().to(torch.uint8).numpy()
        pictures = [closed, plain] if mask.any() else [closed]
        each = [cascade.find(picture, modules.SMALLEST, modules.THRESHOLDS) for picture in pictures]
        detections = cascade.drop_nested(cascade.Detections(*map(np.concatenate, zip(*each, strict=True))))
        boxes, points = detections.boxes * block, detections.points * block
        boxes[:, 2:] -= boxes[:, :2]
        return torch.from_numpy(boxes), torch.from_numpy(detections.probabilities), torch.from_numpy(points)


def _membrane(sums: Tensor) -> Tensor:
    """``modules.Membrane`` for sums (N, 4, h, w) of any size: (N, 3, h, w)."""
    height, width = sums.shape[2:]
    bottom, right = (-side % modules.Membrane.MULTIPLE for side in (height, width))
    filled: Tensor = modules.Membrane()(functional.pad(sums, (0, right, 0, bottom)))
    return filled[:, :, :height, :width]
