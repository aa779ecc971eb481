"""Measures anew what batch normalisation takes for granted, where weights are a mean of weights.

Each layer normalises by the mean and the variance that its input had in training. Those of averaged weights, whether
over the steps of one run or over several runs, are not the average of theirs: of unlike features the mean varies less.
They have to be measured on the training images (Izmailov 2018, "Averaging weights leads to wider optima", section 3.2).
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
"""Share of each batch: an epoch of a hundred batches leaves 5 % of what was assumed before. Few images leave more of
it, as they should: their own statistics are chance, and would stretch rounding errors in channels that hardly vary."""


@torch.no_grad()
def settle(network: GuidedVAE, collection: Collection, changes: AugmentConfig, seed: int = 0) -> GuidedVAE:
    """Return a copy whose statistics are those of one epoch of training images, drawn and changed as in training.

    Frozen parts keep the statistics that they came with.
    """
    torch.manual_seed(seed)
    network = copy.deepcopy(network).eval()
    for layer in _measured(network.encoder.backbone):
        layer.momentum = MOMENTUM
        layer.train()
    for raw, *_ in collection.train_dataloader():
        images = augment(raw.float() / 255, changes).contiguous(memory_format=torch.channels_last)
        network.encoder.pooled(images)
    return network.eval()


def _measured(backbone: Backbone) -> list[nn.BatchNorm2d]:
    """The layers that measured their input in training; the others stay as ImageNet made them."""
    backbone.train()
    found = [layer for layer in backbone.modules() if isinstance(layer, nn.BatchNorm2d) and layer.training]
    backbone.eval()  # no block is skipped by chance
    return found
