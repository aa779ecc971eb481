"""The unsupervised terms of the guided VAE, shared by training and fine-tuning, and the weighted sum of all terms."""

import torch
from torch import Tensor
from torch.nn import functional

from training.config.guided import LossConfig
from training.losses import terms
from training.models.guided_vae import GuidedVAE, Posterior, sample, scale_gradient


def unsupervised_terms(
    network: GuidedVAE, posterior: Posterior, target: Tensor, weight: LossConfig, collection: int
) -> dict[str, Tensor]:
    """Return the unweighted terms of posteriors [B,D], out of a collection of so many images.

    The first images of the batch are decoded, as many as there are targets [b,3,h,w]; the divergence and the total
    correlation come from all.
    """
    guided = network.config.diagnosis_dimensions
    drawn = sample(posterior)  # [B,D]
    free = Posterior(*(part[:, guided:] for part in posterior))
    split = terms.decomposed_divergence(*free, drawn[:, guided:], max(collection, len(drawn)))
    some = drawn[: len(target)]
    some = torch.cat([scale_gradient(some[:, :guided], weight.decoder_gradient), some[:, guided:]], 1)
    decoded = network.decoder(some).float()
    return {
        "reconstruction": terms.reconstruction_error(decoded, target),
        "perceptual": perceptual_error(network, decoded, target),
        "divergence": terms.gaussian_divergence(*posterior).sum(),
        "total_correlation": split.total_correlation,
    }


def weighted(terms: dict[str, Tensor], weight: LossConfig, dimensions: int) -> Tensor:
    """Return the sum of the terms, each times its weight.

    Divergence and total correlation are sums over dimensions, in nats; they are divided by the number of dimensions so
    that weights need not change with it.
    """
    scale = {
        "reconstruction": weight.reconstruction,
        "perceptual": weight.perceptual,
        "divergence": weight.beta / dimensions,
        "total_correlation": weight.total_correlation / dimensions,
        "cross_entropy": weight.cross_entropy,
        "contrastive": weight.contrastive,
        "copies": weight.copies,
        "attributes": weight.attributes,
    }
    return torch.stack([scale[name] * value for name, value in terms.items()]).sum()


def downscale(images: Tensor, height: int, width: int) -> Tensor:
    """Return images [B,3,H,W] as the decoder's target [B,3,height,width], without aliasing."""
    if images.shape[-2:] == (height, width):
        return images
    return functional.interpolate(images, (height, width), mode="bilinear", antialias=True, align_corners=False)


def perceptual_error(network: GuidedVAE, decoded: Tensor, target: Tensor) -> Tensor:
    """Return the perceptual error of images [B,3,h,w] in 0..1 by the frozen blocks, or 0 where none is frozen."""
    encoder = network.encoder
    with torch.no_grad():
        expected = encoder.backbone.perceptual_features((target - encoder.pixel_mean) / encoder.pixel_std)
    if not expected:
        return decoded.sum() * 0
    ours = encoder.backbone.perceptual_features((decoded - encoder.pixel_mean) / encoder.pixel_std)
    return terms.perceptual_error(ours, expected)
