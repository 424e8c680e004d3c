"""Whether 68 predicted landmarks look like those of an aligned face."""

import torch
from torch import Tensor, nn

SIZE = 2 * 68
TEMPERATURE = 10.0  # the 136 coordinates are far from independent: without it the odds are too extreme


class FaceLikeness(nn.Module):
    """Predicted landmarks (N, 68, 2) in shares of a crop's side -> (N,), 0 to 1. Below .5, do not trust a fill.

    The odds of two normal distributions: the predictor's output for faces aligned like FFHQ's, and its output for
    anything else, including faces elsewhere in the crop.
    """

    means: Tensor
    whitenings: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("means", torch.zeros(2, SIZE))
        self.register_buffer("whitenings", torch.eye(SIZE).repeat(2, 1, 1))

    def forward(self, points: Tensor) -> Tensor:
        deviations = points.flatten(1)[None] - self.means[:, None]  # (2, N, 136)
        energies = (deviations @ self.whitenings).square().sum(dim=2) / 2
        # the log determinant of a triangular matrix
        log_determinants = self.whitenings.diagonal(dim1=1, dim2=2).log().sum(dim=1)
        odds = (energies[1] - energies[0] + log_determinants[0] - log_determinants[1]) / TEMPERATURE
        return torch.sigmoid(odds)

    def fit(self, faces: Tensor, others: Tensor, noise: float) -> None:
        """Fit both distributions to predicted landmarks (N, 68, 2) of aligned faces and of anything else.

        noise: the standard deviation that is added to each coordinate, so that no direction has too little variance.
        """
        for number, points in enumerate((faces, others)):
            values = points.flatten(1).double()
            covariance = values.T.cov() + noise**2 * torch.eye(SIZE, dtype=torch.float64)
            self.means[number] = values.mean(dim=0)
            self.whitenings[number] = torch.linalg.cholesky(torch.linalg.inv(covariance))
