"""Images for TensorBoard: reconstructions, and traversals of each dimension."""

from collections.abc import Callable

import lightning
import torch
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.loggers import TensorBoardLogger
from torch import Tensor
from torch.nn import functional

STEPS = 7
"""Images of a traversal."""
REACH = 2.5
"""Its ends, in standard deviations of the prior."""

Encode = Callable[[Tensor], Tensor]
"""Images [B,C,H,W] -> posterior means [B,D]."""
Decode = Callable[[Tensor], Tensor]
"""Latents [B,D] -> images [B,C,h,w] in 0..1, which may be smaller than the input."""


class Pictured(Callback):
    """Writes reconstructions of some images and traversals of the first of them after each measurement."""

    def __init__(self, images: Tensor, encode: Encode, decode: Decode) -> None:
        """Take images [B,C,H,W] in 0..1."""
        self._images, self._encode, self._decode = images, encode, decode

    @torch.no_grad()
    def on_validation_end(self, trainer: lightning.Trainer, module: lightning.LightningModule) -> None:
        """Draw."""
        boards = [logger for logger in trainer.loggers if isinstance(logger, TensorBoardLogger)]
        if not trainer.is_global_zero or not boards:
            return
        images = self._images.to(module.device)
        latents = self._encode(images)
        decoded = self._decode(latents)
        small = functional.interpolate(images, decoded.shape[-2:], mode="bilinear", antialias=True)
        pairs = tiled(torch.stack([small, decoded]))
        moved = traversals(latents[0], self._decode)
        for board in boards:
            board.experiment.add_image("reconstructions", pairs, trainer.global_step)
            board.experiment.add_image("traversals", tiled(moved), trainer.global_step)


def traversals(latent: Tensor, decode: Decode) -> Tensor:
    """Return images [D,STEPS,C,H,W]: a row for each dimension of the latent [D], varied from -REACH to REACH."""
    dimensions = len(latent)
    grid = latent.repeat(dimensions, STEPS, 1)  # [D,STEPS,D]
    own = torch.arange(dimensions)
    grid[own, :, own] = torch.linspace(-REACH, REACH, STEPS).to(latent)
    images = decode(grid.flatten(0, 1))  # [D STEPS,C,H,W]
    return images.view(dimensions, STEPS, *images.shape[1:])


def tiled(images: Tensor) -> Tensor:
    """Return images [rows,columns,C,H,W] as one [C,rows H,columns W]."""
    return torch.cat([torch.cat(list(row), 2) for row in images.float().cpu()], 1)
