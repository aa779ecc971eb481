"""The guided VAE: one latent that decodes to an image and ranks by diagnosis."""

import math
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from training.config.guided import ModelConfig
from training.models.backbone import POOLED_CHANNELS, Backbone, load_imagenet
from training.models.generator import Generator
from training.models.layers import AveragedTo, Separable, SpatialBroadcast, dense, doubled, halved, keep_scale

PIXEL_MEAN = (0.498, 0.498, 0.498)
PIXEL_STD = (0.502, 0.502, 0.502)
"""(x - 127) / 128 of pixels in 0..255: what EfficientNet-Lite was trained with."""
APPEARANCE_CHANNELS = (3, 32, 64, 96)
APPEARANCE_FEATURES = 256
LOG_VARIANCE_RANGE = (-8.0, 2.0)
"""Below it a posterior is a point, above it wider than the prior."""
NARROWED = 3.0
"""A posterior begins near a variance of exp(-3): from pure noise the decoder would learn to ignore the latent."""
SILENT = 1e-4
"""Added to a pooled feature before its root, whose slope at 0 is infinite and would amplify rounding."""


class Posterior(NamedTuple):
    """A diagonal Gaussian per image; the diagnosis dimensions come first."""

    mean: Tensor
    """[B,D]"""
    log_variance: Tensor
    """[B,D]"""


class Appearance(nn.Module):
    """Image -> posterior of the appearance dimensions, from a small copy of the image.

    A linear map, which `begin_with_components` sets to the whitened principal components of the training images, and
    convolutions that start at zero: training starts from the best linear code.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        height, width = config.small_height, config.small_width
        self.small = AveragedTo(height, width)
        self.linear = nn.Linear(3 * height * width, config.appearance_dimensions)
        self.convolutions = nn.Sequential(
            *(layer for given, wanted in pairwise(APPEARANCE_CHANNELS) for layer in halved(given, wanted)),
            nn.Flatten(),
            nn.Linear(APPEARANCE_CHANNELS[-1] * (height // 8) * (width // 8), APPEARANCE_FEATURES),
            nn.ReLU(),
        )
        self.added = nn.Linear(APPEARANCE_FEATURES, 2 * config.appearance_dimensions)
        nn.init.zeros_(self.added.weight)
        nn.init.zeros_(self.added.bias)

    def forward(self, images: Tensor) -> Posterior:
        """Return the posterior [B,appearance dimensions] of images [B,3,H,W] in 0..1."""
        small = self.small(images)  # [B,3,h/2,w/2] of the decoder's h and w
        mean, spread = self.added(self.convolutions(2 * small - 1)).float().chunk(2, 1)
        return Posterior(self.linear(small.flatten(1)).float() + mean, _log_variance(spread))


class Encoder(nn.Module):
    """Image -> posterior.

    Diagnosis dimensions are read from the pooled last features and lie on the sphere of radius sqrt(their number),
    where a standard normal prior has nearly all its mass; appearance dimensions have a small branch of their own.
    """

    pixel_mean: Tensor
    pixel_std: Tensor

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.backbone = Backbone(config.drop_connect, config.frozen_blocks)
        if config.pretrained:
            load_imagenet(self.backbone)
        self.dropout = nn.Dropout(config.dropout)
        self.diagnosis = nn.Linear(POOLED_CHANNELS, 2 * config.diagnosis_dimensions)
        self.appearance = Appearance(config)
        self.radius = math.sqrt(config.diagnosis_dimensions)
        self.mirrored, self.rooted = config.mirrored, config.rooted
        self.register_buffer("pixel_mean", torch.tensor(PIXEL_MEAN).view(1, 3, 1, 1))
        self.register_buffer("pixel_std", torch.tensor(PIXEL_STD).view(1, 3, 1, 1))

    def forward(self, images: Tensor) -> Posterior:
        """Return the posterior of images [B,3,H,W] in 0..1."""
        guided, free = self.ranked(images), self.appearance(images)
        return Posterior(*(torch.cat(pair, 1) for pair in zip(guided, free, strict=True)))

    def pooled(self, images: Tensor) -> Tensor:
        """Return the mean over places, and views where there are two, of the last features, [B,1280]."""
        if self.mirrored:
            images = torch.cat([images.flip(3), images.flip(2)])  # [2B,3,H,W], in one batch: one copy of the weights
        last = self.backbone((images - self.pixel_mean) / self.pixel_std)  # [B,1280,H/32,W/32]
        pooled = last.mean((2, 3))
        return pooled.unflatten(0, (2, -1)).mean(0) if self.mirrored else torch.as_tensor(pooled)

    def ranked(self, images: Tensor) -> Posterior:
        """Return the posterior of the diagnosis dimensions alone."""
        return self.read(self.dropout(self.pooled(images)))

    def rooted_features(self, pooled: Tensor) -> Tensor:
        """Return pooled features [B,1280], none below 0, as the layer of the diagnosis dimensions takes them."""
        return (pooled + SILENT).sqrt() if self.rooted else pooled

    def read(self, pooled: Tensor) -> Posterior:
        """Return the posterior of the diagnosis dimensions, given pooled features [B,1280]."""
        towards, spread = self.diagnosis(self.rooted_features(pooled)).float().chunk(2, 1)
        return Posterior(functional.normalize(towards) * self.radius, _log_variance(spread))


class Decoder(nn.Module):
    """Latent -> image, light enough to decode hundreds of images while a user waits.

    A linear map to a small image, doubled in size, and what convolutions add to it; these double the size by 1x1
    convolution and pixel shuffle (Shi 2016), so that no layer runs at full size.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.small = (3, config.small_height, config.small_width)
        self.grid = (config.output_height // 16, config.output_width // 16)
        widths = [config.decoder_width, config.decoder_width, config.decoder_width // 2, config.decoder_width // 4]
        self.width = widths[0]
        self.linear = nn.Linear(config.dimensions, math.prod(self.small))
        self.first = nn.Linear(config.dimensions, widths[0] * self.grid[0] * self.grid[1])
        layers: list[nn.Module] = []
        for coarse, fine in pairwise(widths):
            layers += [nn.Conv2d(coarse, 4 * fine, 1), nn.PixelShuffle(2), Separable(fine), nn.ReLU()]
        self.body = nn.Sequential(*layers)
        narrow = widths[-1]
        smooth = nn.Conv2d(narrow, narrow, 3, padding=1, groups=narrow)
        added = nn.Conv2d(narrow, 12, 1)
        nn.init.zeros_(added.weight)
        assert added.bias is not None
        nn.init.zeros_(added.bias)
        self.last = nn.Sequential(smooth, nn.ReLU(), added, nn.PixelShuffle(2))

    def forward(self, latent: Tensor) -> Tensor:
        """Return images [B,3,output_height,output_width] in 0..1 of raw latents [B,D]."""
        small = self.linear(latent).unflatten(1, self.small)  # [B,3,h/2,w/2]
        smooth = functional.interpolate(small, scale_factor=2, mode="bilinear", align_corners=False)  # [B,3,h,w]
        x = self.first(latent).unflatten(1, (self.width, *self.grid))  # [B,width,h/16,w/16]
        return torch.as_tensor(smooth + self.last(self.body(x))).clamp(0, 1)


class GuidedVAE(nn.Module):
    """Encoder, decoder, and a linear class head on the diagnosis dimensions."""

    def __init__(self, config: ModelConfig, classes: int) -> None:
        super().__init__()
        self.config = config
        self.encoder = Encoder(config)
        self.decoder = Decoder(config)
        self.head = nn.Linear(config.diagnosis_dimensions, classes)
        self.generator = Generator(config) if config.generator_width else None

    def decode(self, latent: Tensor) -> Tensor:
        """Return images [B,3,image_height,image_width] in 0..1 of raw latents [B,D]: the decoder's, or the generator's.

        What is not the image of a user but the target of the decoder's own training uses `decoder`.
        """
        base: Tensor = self.decoder(latent)
        return base if self.generator is None else torch.as_tensor(self.generator(base, latent))

    def linear_parameters(self) -> list[nn.Parameter]:
        """Return the parameters that start as principal components and need small steps."""
        return [*self.encoder.appearance.linear.parameters(), *self.decoder.linear.parameters()]

    def logits(self, latent: Tensor) -> Tensor:
        """Return class logits [B,C] of raw latents [B,D]; independent of the appearance dimensions."""
        return torch.as_tensor(self.head(latent[:, : self.config.diagnosis_dimensions]))


def _log_variance(spread: Tensor) -> Tensor:
    return (spread - NARROWED).clamp(*LOG_VARIANCE_RANGE)


def sample(posterior: Posterior) -> Tensor:
    """Return one draw [B,D] of each posterior by the reparameterisation of Kingma & Welling 2014, section 2.4."""
    return posterior.mean + torch.exp(posterior.log_variance / 2) * torch.randn_like(posterior.mean)


def scale_gradient(x: Tensor, share: float) -> Tensor:
    """Return x itself, through which only `share` of a gradient passes."""
    return x * share + x.detach() * (1 - share) if share != 1 else x


class Shape(NamedTuple):
    """Of the images of a plain VAE."""

    channels: int
    height: int
    width: int


class ConvolutionalVAE(nn.Module):
    """The convolutional network of all losses of the family.

    Its encoder is that of Burgess 2018, appendix A.1 (that of Higgins 2017 in spirit): four convolutions of 32 channels
    that halve the size, two layers of 256. Its decoder is a spatial broadcast decoder (Watters 2019) at a quarter of
    the size, with 1x1 convolutions there, and doubles the size twice.
    """

    def __init__(self, dimensions: int, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        width, hidden, drawn, fine = 32, 256, 64, 16
        if shape.height % 16 or shape.width % 16:
            raise ValueError(f"images are {shape.height} x {shape.width}; four halvings need multiples of 16")
        flat = width * (shape.height // 16) * (shape.width // 16)
        self.encoder = GaussianEncoder(
            *(halved(shape.channels, width)),  # [B,width,H/2,W/2]
            *(layer for _ in range(3) for layer in halved(width, width)),  # [B,width,H/16,W/16]
            nn.Flatten(),  # [B,flat]
            *dense(flat, hidden, hidden),  # [B,hidden]
            nn.Linear(hidden, 2 * dimensions),  # [B,2D]
        )
        self.decoder = nn.Sequential(
            SpatialBroadcast(dimensions, drawn, shape.height // 4, shape.width // 4),
            nn.ReLU(),
            *(layer for _ in range(2) for layer in (nn.Conv2d(drawn, drawn, 1), nn.ReLU())),  # [B,drawn,H/4,W/4]
            *doubled(drawn, fine),  # [B,fine,H/2,W/2]
            nn.ConvTranspose2d(fine, shape.channels, 4, 2, 1),  # [B,channels,H,W], logits
        )
        self.apply(keep_scale)


class FullyConnectedVAE(nn.Module):
    """Two hidden layers on each side, as Higgins 2017 had for dSprites (appendix A.4, there 1200 wide)."""

    def __init__(self, dimensions: int, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        flat, hidden = math.prod(shape), 512
        self.encoder = GaussianEncoder(
            nn.Flatten(),  # [B,pixels]
            *dense(flat, hidden, hidden),  # [B,hidden]
            nn.Linear(hidden, 2 * dimensions),  # [B,2D]
        )
        self.decoder = nn.Sequential(
            *dense(dimensions, hidden, hidden),  # [B,hidden]
            nn.Linear(hidden, flat),  # [B,pixels]
            nn.Unflatten(1, tuple(shape)),  # [B,channels,H,W], logits
        )
        self.apply(keep_scale)


class GaussianEncoder(nn.Sequential):
    """Layers whose output [B,2D] is read as means and logarithms of variances."""

    def forward(self, images: Tensor) -> Posterior:
        """Return the posterior of images [B,channels,H,W] in 0..1."""
        for layer in self:
            images = layer(images)
        mean, log_variance = images.float().chunk(2, 1)  # [B,D] each
        return Posterior(mean, log_variance)


class Discriminator(nn.Sequential):
    """FactorVAE's discriminator (Kim & Mnih 2018, appendix A): latents [B,D] -> logit [B] that they come from q(z).

    Theirs has six layers of 1000 and two logits, of which only the difference counts: one logit here.
    """

    def __init__(self, dimensions: int, width: int) -> None:
        sizes = [dimensions] + 5 * [width]
        hidden = [(nn.Linear(a, b), nn.LeakyReLU(0.2)) for a, b in pairwise(sizes)]
        layers = [layer for pair in hidden for layer in pair]  # [B,width]
        super().__init__(*layers, nn.Linear(width, 1), nn.Flatten(0))  # [B]
