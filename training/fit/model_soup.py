"""Averages the backbones of several runs that began alike, a "model soup".

From the same pretrained weights, runs end in one basin: the mean of their weights ranks as an ensemble of them would
and costs no more than one (Wortsman 2022, "Model soups", section 2, the uniform soup). What each run has learned by
heart of single images differs and is averaged away; the training images are the gallery, so their neighbours then tell
more of doubt.
"""

import copy
import logging
from collections.abc import Sequence
from pathlib import Path

import torch

from training.config.guided import Config, Scalar
from training.data.collection import Collection
from training.fit.fit import Trained, fit, load_trained, save_trained
from training.models.guided_vae import GuidedVAE

log = logging.getLogger(__name__)
AVERAGED = "averaged.ckpt"
SOUP = "soup"
"""Of a recipe: begins the names of what a further run has chosen otherwise than the first."""


def fit_all(
    config: Config, folder: Path, runs: Path, cache: Path, initial: Path | None = None, limit: int | None = None
) -> Path:
    """Train the run and those that its soup names, and return the checkpoint of them all: the run's own without a soup.

    Each goes on where it was cut off; see `fit` for the rest.
    """
    checkpoints = [fit(one, folder, runs, cache, initial, limit) for one in (config, *config.further())]
    if len(checkpoints) == 1:
        return checkpoints[0]
    target = checkpoints[0].with_name(AVERAGED)
    if not target.exists() or any(target.stat().st_mtime < one.stat().st_mtime for one in checkpoints):
        log.info("averaging %s", ", ".join(map(str, checkpoints)))
        classes = len(Collection(folder, cache, config.data, config.seed, limit).classes)
        begun = [load_trained(checkpoint, classes) for checkpoint in checkpoints]
        recipe = begun[0].recipe | _otherwise([one.recipe for one in begun])
        save_trained(Trained(average([one.network for one in begun]), recipe), target)
    return target


def _otherwise(recipes: Sequence[dict[str, Scalar]]) -> dict[str, Scalar]:
    """What the runs from the second on have chosen otherwise than the first, by `soup.2.` and its name, and so on."""
    first = recipes[0]
    return {
        f"{SOUP}.{number}.{name}": value
        for number, recipe in enumerate(recipes[1:], 2)
        for name, value in recipe.items()
        if first.get(name) != value
    }


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
