"""How much 68 landmarks look like those of a face in the middle of its crop."""

import torch
from torch import Tensor, nn

SIZE = 2 * 68
TEMPERATURE = 10.0  # of the odds: the 136 numbers are far from independent, and would be too sure


class FaceLikeness(nn.Module):
    """Landmarks (N, 68, 2), shares of a crop's side, as the predictor gives them -> (N,), 0 to 1.

    The odds of two normal distributions: of what the predictor answers to faces that are aligned like FFHQ's, and of
    what it answers to anything else, faces that lie elsewhere in the crop among it. Below .5, do not trust a fill.
    """

    means: Tensor
    whitenings: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("means", torch.zeros(2, SIZE))
        self.register_buffer("whitenings", torch.eye(SIZE).repeat(2, 1, 1))

    def forward(self, points: Tensor) -> Tensor:
        off = points.flatten(1)[None] - self.means[:, None]  # (2, N, 136)
        energies = (off @ self.whitenings).square().sum(dim=2) / 2
        # log of a triangular matrix's determinant
        volumes = self.whitenings.diagonal(dim1=1, dim2=2).log().sum(dim=1)
        odds = (energies[1] - energies[0] + volumes[0] - volumes[1]) / TEMPERATURE
        return torch.sigmoid(odds)

    def fit(self, faces: Tensor, others: Tensor, noise: float) -> None:
        """Take the distributions of landmarks (N, 68, 2) of aligned faces and of all else. noise: the deviation that is
        added to each coordinate, so that what hardly varies is not trusted blindly.
        """
        for number, points in enumerate((faces, others)):
            values = points.flatten(1).double()
            covariance = values.T.cov() + noise**2 * torch.eye(SIZE, dtype=torch.float64)
            self.means[number] = values.mean(dim=0)
            self.whitenings[number] = torch.linalg.cholesky(torch.linalg.inv(covariance))
