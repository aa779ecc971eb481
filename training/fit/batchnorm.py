"""Recompute BatchNorm statistics after weight averaging.

Each layer normalises by the mean and the variance that its input had in training. For averaged weights, whether over
the steps of one run or over several runs, these are not the average of the runs' statistics and have to be measured on
the training images (Izmailov 2018, "Averaging weights leads to wider optima", section 3.2).

`torch.optim.swa_utils.update_bn` does not give the same: it resets the statistics, which on few images replaces them by
chance; it measures in training mode, where blocks are skipped at random; and it averages over batches alike.
"""

import copy

import torch
from torch import nn

from training.config.guided import AugmentConfig
from training.data.augment import augment
from training.data.collection import Collection
from training.models.backbone import Backbone
from training.models.guided_vae import GuidedVAE

MOMENTUM = 0.03
"""Share of each batch: an epoch of a hundred batches leaves 5 % of the old statistics. Few images leave
more, as they should: their own statistics are noise, and would amplify rounding errors in channels that hardly vary."""


@torch.no_grad()
def recompute_batchnorm(network: GuidedVAE, collection: Collection, changes: AugmentConfig, seed: int = 0) -> GuidedVAE:
    """Return a copy with the statistics of one epoch of training images, sampled and augmented as in training.

    Frozen parts keep their pretrained statistics.
    """
    torch.manual_seed(seed)
    network = copy.deepcopy(network).eval()
    for layer in _trained_layers(network.encoder.backbone):
        layer.momentum = MOMENTUM
        layer.train()
    for raw, *_ in collection.train_dataloader():
        images = augment(raw.float() / 255, changes).contiguous(memory_format=torch.channels_last)
        network.encoder.pooled(images)
    return network.eval()


def _trained_layers(backbone: Backbone) -> list[nn.BatchNorm2d]:
    """Return the layers that updated their statistics in training; frozen ones keep ImageNet's."""
    backbone.train()
    found = [layer for layer in backbone.modules() if isinstance(layer, nn.BatchNorm2d) and layer.training]
    backbone.eval()  # no block is skipped at random
    return found
