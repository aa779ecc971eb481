"""The terms of the losses, each with its paper; all return the mean over the batch.

They compute in float32 also where the network does not: a difference of squares has no digits left in bfloat16.
"""

from functools import lru_cache

import torch
from torch import Tensor
from torch.nn import functional


def gaussian_divergence(mean: Tensor, log_variance: Tensor) -> Tensor:
    """Return KL(N(mean, variance) || N(0, 1)) per dimension [D], averaged over the batch [B,D], in nats.

    Kingma & Welling 2014, appendix B; times beta, the last term of Higgins 2017, eq. 4.
    """
    return (mean.square() + log_variance.exp() - 1 - log_variance).mul(0.5).mean(0)


def structural_similarity(ours: Tensor, theirs: Tensor) -> Tensor:
    """Return SSIM [B] of two batches of images [B,3,H,W] in 0..1 (Wang 2004, eq. 13; Gaussian of 1.5 px, 11 taps).

    Only pixels whose window lies inside the image count.
    """
    ours, theirs = ours.float(), theirs.float()
    height, width = ours.shape[-2:]
    down, across = _window(height).to(ours), _window(width).to(ours)  # [H-10,H], [W-10,W]
    stack = torch.stack([ours, theirs, ours * ours, theirs * theirs, ours * theirs])  # [5,B,3,H,W]
    with torch.autocast(ours.device.type, enabled=False):
        # Two matrix products are many times faster on a CPU than a depthwise convolution with 11 x 11 taps.
        a, b, aa, bb, ab = down @ stack @ across.T
    c1, c2 = 0.01**2, 0.03**2
    contrast = (2 * (ab - a * b) + c2) / (aa - a * a + bb - b * b + c2)
    similarity: Tensor = (2 * a * b + c1) / (a * a + b * b + c1) * contrast
    return similarity.mean((1, 2, 3))


def reconstruction_error(decoded: Tensor, target: Tensor) -> Tensor:
    """Return mean absolute error + (1 - SSIM), after Zhao 2017 ("Loss functions for image restoration"), eq. 12."""
    return functional.l1_loss(decoded, target) + (1 - structural_similarity(decoded, target)).mean()


def supervised_contrastive(vectors: Tensor, labels: Tensor, temperature: float) -> Tensor:
    """Return the loss L_out of Khosla 2020, eq. 2, of vectors [B,D] (scaled to unit length here) and labels [B].

    Images that are the only ones of their label in the batch have no positive and are left out.
    """
    unit = functional.normalize(vectors.float())
    itself = torch.eye(len(unit), dtype=torch.bool, device=unit.device)
    with torch.autocast(unit.device.type, enabled=False):
        similarity = (unit @ unit.T / temperature).masked_fill(itself, float("-inf"))  # [B,B]
    log_share = similarity - similarity.logsumexp(1, keepdim=True)
    positive = (labels[:, None] == labels[None, :]) & ~itself
    count = positive.sum(1)
    per_image = -log_share.masked_fill(~positive, 0).sum(1) / count.clamp(min=1)
    return per_image[count > 0].mean() if bool((count > 0).any()) else vectors.sum() * 0


def adjusted_cross_entropy(logits: Tensor, labels: Tensor, log_prior: Tensor, smoothing: float = 0.0) -> Tensor:
    """Return the logit-adjusted cross entropy of Menon 2021, eq. 10: logits [B,C], labels [B], log_prior [C].

    With the prior of the batches added here, the logits themselves come to mean balanced classes.
    """
    return functional.cross_entropy(logits + log_prior, labels, label_smoothing=smoothing)


@lru_cache(maxsize=8)
def _window(size: int, taps: int = 11, sigma: float = 1.5) -> Tensor:
    offsets = torch.arange(taps) - (taps - 1) / 2
    weights = torch.exp(-offsets.square() / (2 * sigma**2))
    band = torch.zeros(size - taps + 1, size)
    for row in range(len(band)):
        band[row, row : row + taps] = weights / weights.sum()
    return band
