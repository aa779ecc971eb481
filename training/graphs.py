"""The three ONNX graphs of a bundle, and the proof that they say what torch says."""

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

from training.axes import Axes
from training.models import GuidedVAE

Floats = npt.NDArray[np.floating]

OPSET = 18
PARITY = 1e-4
"""Largest difference allowed between torch and ONNX Runtime, absolute, on every output."""
_PAIR = 2


class ParityLost(RuntimeError):
    """An exported graph does not compute what the network computes."""


class EncoderGraph(nn.Module):
    """Image [B,3,H,W] in 0..1 -> mean, log_variance [B,E] on the exported axes."""

    centre: Tensor
    turn: Tensor

    def __init__(self, network: GuidedVAE, axes: Axes) -> None:
        super().__init__()
        self.encoder = network.encoder
        self.register_buffer("centre", _tensor(axes.centre))
        self.register_buffer("turn", _tensor(axes.turn))

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Turn the mean, and of the turned covariance keep the diagonal."""
        mean, log_variance = self.encoder(image)
        spread = log_variance.exp() @ self.turn.square().T  # diagonal of turn @ diag(variance) @ turn.T
        return (mean - self.centre) @ self.turn.T, spread.log()


class FromStandard(nn.Module):
    """Standardised latent [B,E] on the exported axes -> the network's own latent [B,D]."""

    mean: Tensor
    std: Tensor
    back: Tensor
    centre: Tensor

    def __init__(self, axes: Axes, mean: Floats, std: Floats) -> None:
        super().__init__()
        self.register_buffer("mean", _tensor(mean))
        self.register_buffer("std", _tensor(std))
        self.register_buffer("back", _tensor(axes.back))
        self.register_buffer("centre", _tensor(axes.centre))

    def forward(self, latent: Tensor) -> Tensor:
        """Undo the standardisation, then the turn."""
        return (latent * self.std + self.mean) @ self.back.T + self.centre


class DecoderGraph(nn.Module):
    """Standardised latent [B,D] -> image [B,3,h,w] in 0..1."""

    def __init__(self, network: GuidedVAE, back: FromStandard) -> None:
        super().__init__()
        self.back, self.decoder = back, network.decoder

    def forward(self, latent: Tensor) -> Tensor:
        """Decode."""
        return torch.as_tensor(self.decoder(self.back(latent)))


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
