"""A patch critic: how much each patch looks like one of a real image that has this latent."""

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

CHANNELS = (3, 32, 64, 96)


class PatchCritic(nn.Module):
    """Images [B,3,H,W] in 0..1 and ranking dimensions [B,S] -> a logit for each patch of 38 pixels [B,1,H/8,W/8].

    Every layer has spectral norm 1 (Miyato 2018), which bounds its slope without a penalty to compute. The projection
    of the ranking dimensions (Miyato & Koyama 2018, eq. 5) asks whether a patch fits the latent, not only whether it is
    real: it learns from real images what a dimension looks like, as no pattern that fools the encoder can.
    """

    def __init__(self, ranking: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for given, wanted in pairwise(CHANNELS):
            layers += [spectral_norm(nn.Conv2d(given, wanted, 4, 2, 1)), nn.LeakyReLU(0.2)]
        layers += [spectral_norm(nn.Conv2d(CHANNELS[-1], CHANNELS[-1], 3, padding=1)), nn.LeakyReLU(0.2)]
        self.body = nn.Sequential(*layers)
        self.real = spectral_norm(nn.Conv2d(CHANNELS[-1], 1, 1))
        self.fits = spectral_norm(nn.Linear(ranking, CHANNELS[-1], bias=False))

    def forward(self, images: Tensor, ranking: Tensor) -> Tensor:
        """Return the logits."""
        features = self.body(2 * images - 1)  # [B,96,H/8,W/8]
        fitting = (features * self.fits(ranking)[:, :, None, None]).mean(1, keepdim=True)
        return torch.as_tensor(self.real(features) + fitting)
