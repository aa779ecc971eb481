"""Averages the backbones of several runs that began alike, a "model soup".

From the same pretrained weights, runs end in one basin: the mean of their weights ranks as an ensemble of them would
and costs no more than one (Wortsman 2022, "Model soups", section 2, the uniform soup). What each run has learned by
heart of single images differs and is averaged away; the training images are the gallery, so their neighbours then tell
more of doubt.
"""

import copy
import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch

from training.config import Config
from training.data import Collection
from training.fitting import Trained, fit, load_trained, save_trained
from training.models import GuidedVAE

log = logging.getLogger(__name__)
AVERAGED = "averaged.ckpt"
SOUP = "soup.seeds"
"""Of a recipe: the seed of each run that was averaged."""


def fit_all(
    config: Config, folder: Path, runs: Path, cache: Path, initial: Path | None = None, limit: int | None = None
) -> Path:
    """Train the run and those that its soup names, and return the checkpoint of them all: the run's own without a soup.

    Each goes on where it was cut off; see `fit` for the rest.
    """
    checkpoints = [fit(one, folder, runs, cache, initial, limit) for one in (config, *further(config))]
    if len(checkpoints) == 1:
        return checkpoints[0]
    target = checkpoints[0].with_name(AVERAGED)
    if not target.exists() or any(target.stat().st_mtime < one.stat().st_mtime for one in checkpoints):
        log.info("averaging %s", ", ".join(map(str, checkpoints)))
        classes = len(Collection(folder, cache, config.data, config.seed, limit).classes)
        begun = [load_trained(checkpoint, classes) for checkpoint in checkpoints]
        recipe = begun[0].recipe | {SOUP: " ".join(str(one.recipe["seed"]) for one in begun)}
        save_trained(Trained(average([one.network for one in begun]), recipe), target)
    return target


def further(config: Config) -> list[Config]:
    """The runs that the soup names, each with a name of its own."""
    return [replace(config, name=f"{config.name}-seed-{seed}", seed=seed, soup=()) for seed in config.soup]


@torch.no_grad()
def average(networks: Sequence[GuidedVAE]) -> GuidedVAE:
    """A copy of the first network whose backbone has the mean of all their weights and running statistics.

    All else stays the first one's: it is fitted anew to the averaged backbone, or sees none of it.
    """
    result = copy.deepcopy(networks[0])
    states = [network.encoder.backbone.state_dict() for network in networks]
    mean = {
        name: torch.stack([state[name] for state in states]).mean(0) if value.is_floating_point() else value
        for name, value in states[0].items()
    }
    result.encoder.backbone.load_state_dict(mean)
    return result
