"""The three ONNX graphs of a bundle, checked against torch."""

import copy
import logging
import warnings
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
import torch
from torch import Tensor, nn
from torch.nn import functional

from training.evaluation.systems import BASE
from training.latent_space.axes import Axes
from training.models.guided_vae import Decoder, GuidedVAE

Floats = npt.NDArray[np.floating]

OPSET = 18
PARITY = 1e-4
"""Largest difference allowed between torch and ONNX Runtime, absolute, on every output."""
_PAIR = 2


class ParityLost(RuntimeError):
    """An exported graph does not compute what the network computes."""


class EncoderGraph(nn.Module):
    """Image [B,3,H,W] in 0..1 -> mean, log_variance [B,D] on the exported axes."""

    centre: Tensor
    matrix: Tensor

    def __init__(self, network: GuidedVAE, axes: Axes) -> None:
        super().__init__()
        self.encoder = network.encoder
        self.register_buffer("centre", _tensor(axes.centre))
        self.register_buffer("matrix", _tensor(axes.matrix))

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Map the mean, and keep the diagonal of the mapped covariance."""
        mean, log_variance = self.encoder(image)
        spread = log_variance.exp() @ self.matrix.square().T  # diagonal of matrix @ diag(variance) @ matrix.T
        return (mean - self.centre) @ self.matrix.T, spread.log()


class FromStandard(nn.Module):
    """Standardised latent [B,D] on the exported axes -> the network's own latent [B,D]."""

    mean: Tensor
    std: Tensor
    inverse: Tensor
    centre: Tensor

    def __init__(self, axes: Axes, mean: Floats, std: Floats) -> None:
        super().__init__()
        self.register_buffer("mean", _tensor(mean))
        self.register_buffer("std", _tensor(std))
        self.register_buffer("inverse", _tensor(axes.inverse))
        self.register_buffer("centre", _tensor(axes.centre))

    def forward(self, latent: Tensor) -> Tensor:
        """Undo the standardisation, then the map."""
        return (latent * self.std + self.mean) @ self.inverse.T + self.centre


class DecoderGraph(nn.Module):
    """Standardised latent [B,D] -> image [B,3,h,w] in 0..1, and where there is a generator the image that it changes.

    That second output, `base`, is the decoder's own image: what decoding gave before there were generators. Serving
    leaves it out; measuring compares with it.
    """

    def __init__(self, network: GuidedVAE, back: FromStandard) -> None:
        super().__init__()
        self.back, self.decoder, self.quicker = back, network.decoder, without_shuffles(network.decoder)
        self.generator = network.generator
        self.results = ["image"] if network.generator is None else ["image", BASE]

    def forward(self, latent: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        """Decode; the quicker form is exported and compared with the network's own."""
        decoder = self.quicker if torch.onnx.is_in_onnx_export() else self.decoder
        raw = self.back(latent)
        base = torch.as_tensor(decoder(raw))
        return base if self.generator is None else (torch.as_tensor(self.generator(base, raw)), base)


class Doubling(nn.Module):
    """A 1x1 convolution to 4C channels and a pixel shuffle, [B,K,H,W] -> [B,C,2H,2W], as one transposed convolution.

    ONNX Runtime shuffles pixels one by one: so a decoder takes three quarters of the time.
    """

    weight: Tensor
    bias: Tensor

    def __init__(self, convolution: nn.Conv2d, height: int, width: int) -> None:
        super().__init__()
        assert convolution.bias is not None
        weight = convolution.weight.detach().reshape(-1, 2, 2, convolution.in_channels)
        self.register_buffer("weight", weight.permute(3, 0, 1, 2).contiguous())
        self.register_buffer("bias", convolution.bias.detach().reshape(-1, 2, 2).repeat(1, height, width))

    def forward(self, x: Tensor) -> Tensor:
        """Convolve; the bias differs between the four pixels that one becomes."""
        return functional.conv_transpose2d(x, self.weight, stride=2) + self.bias


def without_shuffles(decoder: Decoder) -> Decoder:
    """A copy that computes the same, each pixel shuffle and the convolution before it in one."""
    decoder = copy.deepcopy(decoder)
    height, width = decoder.grid
    for name in ("body", "last"):
        layers: list[nn.Module] = []
        for layer in getattr(decoder, name):
            if isinstance(layer, nn.PixelShuffle):
                before = layers.pop()
                assert isinstance(before, nn.Conv2d)
                layers.append(Doubling(before, height, width))
                height, width = 2 * height, 2 * width
            else:
                layers.append(layer)
        setattr(decoder, name, nn.Sequential(*layers))
    return decoder


class HeadGraph(nn.Module):
    """Standardised latent [B,D] -> class probabilities [B,C] under the diagnoses' shares of the training data."""

    log_prior: Tensor

    def __init__(self, network: GuidedVAE, back: FromStandard, log_prior: Floats, temperature: float) -> None:
        super().__init__()
        self.back, self.network = back, network
        self.register_buffer("log_prior", _tensor(log_prior))
        self.temperature = temperature

    def forward(self, latent: Tensor) -> Tensor:
        """Classify."""
        logits = self.network.logits(self.back(latent))
        return torch.softmax((logits + self.log_prior) / self.temperature, 1)


def write_graph(module: nn.Module, example: Tensor, path: Path, given: str, results: list[str]) -> float:
    """Write the module as one ONNX file with a free batch axis; return the largest difference to torch.

    Raises ParityLost above 1e-4.
    """
    module.eval()
    axes: Mapping[str, dict[int, str]] = {name: {0: "batch"} for name in [given, *results]}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        logging.getLogger("torch.onnx").setLevel(logging.ERROR)
        torch.onnx.export(
            module,
            (example,),
            path,
            input_names=[given],
            output_names=results,
            dynamic_axes=axes,
            opset_version=OPSET,
            dynamo=False,
        )
    onnx.checker.check_model(onnx.load(path), full_check=True)
    difference = max(_difference(module, path, example[:count], results) for count in (1, _PAIR, len(example)))
    if difference > PARITY:
        raise ParityLost(f"{path.name} differs from torch by {difference:.2e}; the limit is {PARITY:.0e}")
    return difference


@torch.no_grad()
def _difference(module: nn.Module, path: Path, example: Tensor, results: list[str]) -> float:
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    theirs = session.run(results, {session.get_inputs()[0].name: example.numpy()})
    ours = module(example)
    pairs = zip(ours if isinstance(ours, tuple) else (ours,), theirs, strict=True)
    return max(float(np.abs(mine.numpy() - other).max()) for mine, other in pairs)


def _tensor(values: Floats) -> Tensor:
    return torch.as_tensor(np.asarray(values), dtype=torch.float32)
