"""The terms of the losses, each with its paper; all return the mean over the batch.

They compute in float32 also where the network does not: a difference of squares has no digits left in bfloat16.
"""

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

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


def perceptual_error(ours: Sequence[Tensor], theirs: Sequence[Tensor]) -> Tensor:
    """Return the mean over layers of the squared distance of feature maps [B,C,h,w], each pixel scaled to unit length.

    Zhang 2018 ("The unreasonable effectiveness of deep features"), eq. 1 with equal weights.
    """
    pairs = zip(ours, theirs, strict=True)
    layers = [(_unit(mine) - _unit(other)).square().sum(1).mean() for mine, other in pairs]
    return torch.stack(layers).mean()


def supervised_contrastive(
    vectors: Tensor, labels: Tensor, temperature: float, preference: Tensor | None = None
) -> Tensor:
    """Return the loss L_out of Khosla 2020, eq. 2, of vectors [B,D] (scaled to unit length here) and labels [B,C].

    A row holds the shares of an image's labels: one for certain, or those of a blend of images. The mean over positives
    is weighted by the chance that a label drawn by either image's shares is the same, times the `preference` [B,B] of
    the pair. Images that are the only ones of their label in the batch have no positive and are left out.
    """
    labels = labels.float()
    with torch.autocast(labels.device.type, enabled=False):
        likeness = labels @ labels.T
        return _contrastive(vectors, likeness if preference is None else likeness * preference, temperature)


def copy_contrastive(features: Tensor, copies: Tensor, temperature: float) -> Tensor:
    """Return InfoNCE (van den Oord 2018, eq. 4): features of images [B,F] and of copies of the first of them [b,F].

    Each copy is to be nearest to its own image. The mean over the batch is taken off first: pooled features are
    positive and their cosines all near 1.
    """
    centre = features.float().mean(0, keepdim=True).detach()
    images, again = (functional.normalize(part.float() - centre) for part in (features, copies))
    with torch.autocast(images.device.type, enabled=False):
        similarity = again @ images.T / temperature  # [b,B]
    return functional.cross_entropy(similarity, torch.arange(len(again), device=similarity.device))


def known_binary_cross_entropy(logits: Tensor, targets: Tensor) -> Tensor:
    """Return the mean binary cross entropy of logits [B,A] over the targets [B,A] that are not NaN; 0 without any."""
    known = ~targets.isnan()
    if not bool(known.any()):
        return logits.sum() * 0
    return functional.binary_cross_entropy_with_logits(logits.float()[known], targets.float()[known])


def jaccard_contrastive(vectors: Tensor, labels: Tensor, temperature: float) -> Tensor:
    """Return the supervised contrastive loss of vectors [B,D] with several labels each, multi-hot [B,C].

    L_out of Khosla 2020, eq. 2, whose mean over positives is weighted by their Jaccard index with the image's labels,
    |A and B| / |A or B|, as Lin 2023 does ("An Effective Deployment of Contrastive Learning in Multi-label Text
    Classification", JSCL). With one label each it is `supervised_contrastive`.
    """
    labels = labels.float()
    shared, count = labels @ labels.T, labels.sum(1)
    either = count[:, None] + count[None, :] - shared
    return _contrastive(vectors, shared / either.clamp(min=1), temperature)


def _contrastive(vectors: Tensor, likeness: Tensor, temperature: float) -> Tensor:
    unit = functional.normalize(vectors.float())
    itself = torch.eye(len(unit), dtype=torch.bool, device=unit.device)
    with torch.autocast(unit.device.type, enabled=False):
        similarity = (unit @ unit.T / temperature).masked_fill(itself, float("-inf"))  # [B,B]
    log_share = (similarity - similarity.logsumexp(1, keepdim=True)).masked_fill(itself, 0)
    weight = likeness.masked_fill(itself, 0)
    total = weight.sum(1)
    per_image = -(weight * log_share).sum(1) / total.clamp(min=1e-6)
    return per_image[total > 0].mean() if bool((total > 0).any()) else vectors.sum() * 0


def adjusted_cross_entropy(logits: Tensor, labels: Tensor, log_prior: Tensor, smoothing: float = 0.0) -> Tensor:
    """Return the logit-adjusted cross entropy of Menon 2021, eq. 10: logits [B,C], label shares [B,C], log_prior [C].

    With the prior of the batches added here, the logits themselves come to mean balanced classes.
    """
    return functional.cross_entropy(logits + log_prior, labels, label_smoothing=smoothing)


def adjusted_binary_cross_entropy(logits: Tensor, labels: Tensor, log_odds: Tensor, smoothing: float = 0.0) -> Tensor:
    """Return the binary cross entropy of several labels, multi-hot [B,C], summed over labels: logits [B,C].

    Each label's own log-odds [C] in the batches are added, as in Menon 2021, eq. 10, for the case of two classes.
    """
    target = labels.float() * (1 - smoothing) + smoothing / 2
    terms = functional.binary_cross_entropy_with_logits(logits.float() + log_odds, target, reduction="none")
    return terms.sum(1).mean()


def _unit(features: Tensor) -> Tensor:
    return functional.normalize(features.float(), dim=1, eps=1e-6)


@lru_cache(maxsize=8)
def _window(size: int, taps: int = 11, sigma: float = 1.5) -> Tensor:
    offsets = torch.arange(taps) - (taps - 1) / 2
    weights = torch.exp(-offsets.square() / (2 * sigma**2))
    band = torch.zeros(size - taps + 1, size)
    for row in range(len(band)):
        band[row, row : row + taps] = weights / weights.sum()
    return band


def bernoulli_error(logits: Tensor, images: Tensor) -> Tensor:
    """Return -log p(images | latent) of Bernoulli pixels, in nats: summed over an image [B,C,H,W], mean over images.

    Kingma & Welling 2014, appendix C.1; grey targets are taken as probabilities.
    """
    error = functional.binary_cross_entropy_with_logits(logits.float(), images, reduction="sum")
    return error / len(images)


def gaussian_error(decoded: Tensor, images: Tensor, deviation: float) -> Tensor:
    """Return -log p(images | latent) of Gaussian pixels less its constant: squared error / (2 deviation^2).

    Kingma & Welling 2014, appendix C.2. Summed over an image [B,C,H,W], mean over images, in nats.
    """
    return (decoded.float() - images).square().sum() / (2 * deviation**2 * len(images))


def capacity_error(divergence: Tensor, capacity: float) -> Tensor:
    """Return |KL - C|, which times gamma is the second term of Burgess 2018, eq. 8; KL is summed over dimensions."""
    return (divergence.sum() - capacity).abs()


class Decomposed(NamedTuple):
    """The three parts of the mean KL to the prior (Chen 2018, eq. 2), in nats."""

    index_code: Tensor
    """Mutual information of image and latent."""
    total_correlation: Tensor
    """How far the dimensions depend on each other, over all images."""
    dimension_wise: Tensor
    """KL of each dimension's distribution over all images to the prior, summed."""


def decomposed_divergence(mean: Tensor, log_variance: Tensor, drawn: Tensor, images: int) -> Decomposed:
    """Return the parts of KL for posteriors and their draws [B,D], out of a collection of so many images.

    Estimated by minibatch stratified sampling, Chen 2018, appendix C.2.
    """
    # log q(z_i | n_j) by dimension, [B,B,D]: drawn i under the posterior of image j.
    squared = (drawn[:, None] - mean).square() * torch.exp(-log_variance)
    log_density = -0.5 * (squared + log_variance + math.log(2 * math.pi))
    share = _stratified(len(drawn), images).to(drawn)  # [B,B]
    of_own = log_density.diagonal().sum(0)  # [B], log q(z|n)
    joint = (log_density.sum(2) + share).logsumexp(1)  # [B], log q(z)
    product = (log_density + share[..., None]).logsumexp(1).sum(1)  # [B], log of the product of q(z_j)
    prior = -0.5 * (drawn.square() + math.log(2 * math.pi)).sum(1)  # [B], log p(z)
    return Decomposed((of_own - joint).mean(), (joint - product).mean(), (product - prior).mean())


def permute_dims(latents: Tensor) -> Tensor:
    """Return latents [B,D] with each dimension shuffled over the batch: draws from the product of its marginals.

    Kim & Mnih 2018, algorithm 1.
    """
    order = torch.rand_like(latents).argsort(0)  # [B,D]
    return latents.gather(0, order)


def total_correlation_by_ratio(logits: Tensor) -> Tensor:
    """Return KL(q(z) || product of q(z_j)) from a discriminator's logits [B] on draws of q(z).

    The density ratio trick, Kim & Mnih 2018, eq. 3: log D / (1 - D) is the logit.
    """
    return logits.mean()


def discriminator_error(joint: Tensor, permuted: Tensor) -> Tensor:
    """Return the cross entropy of logits [B] on draws of q(z), and on permuted ones (Kim & Mnih 2018, algorithm 2)."""
    return 0.5 * (functional.softplus(-joint).mean() + functional.softplus(permuted).mean())


@lru_cache(maxsize=8)
def _stratified(batch: int, images: int) -> Tensor:
    """Return the logarithms of the shares [B,B] with which each posterior of the batch represents q(z).

    Row i: its own image counts as one of all, the others represent the rest; the shares sum to 1.
    """
    if not 1 < batch <= images:
        raise ValueError(f"a batch has {batch} of {images} images; stratified sampling needs 2 or more, no image twice")
    others = batch - 1
    share = torch.full((batch, batch), 1 / others)
    rows = torch.arange(batch)
    share[rows, (rows + 1) % batch] = (images - others) / (images * others)
    share[rows, rows] = 1 / images
    return share.log()
