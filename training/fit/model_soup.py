"""Averages the backbones of several runs that began alike, a "model soup".

From the same pretrained weights, runs end in one basin: the mean of their weights ranks as an ensemble of them would
and costs no more than one (Wortsman 2022, "Model soups", section 2, the uniform soup). What each run has
memorised of single images differs and is averaged away; the training images are the gallery, so neighbours then express
uncertainty better.
"""

import copy
import logging
from collections.abc import Sequence
from pathlib import Path

import torch

from training.config.guided import Config, Scalar
from training.data.collection import NO_OTHERS, OtherImages
from training.fit.fit import Trained, fit, load_trained, save_trained
from training.models.guided_vae import GuidedVAE

log = logging.getLogger(__name__)
AVERAGED = "averaged.ckpt"
SOUP = "soup"
"""Prefix in a recipe of the settings in which a further run differs from the first."""


def fit_all(
    config: Config,
    folder: Path,
    runs: Path,
    cache: Path,
    initial: Path | None = None,
    limit: int | None = None,
    others: OtherImages = NO_OTHERS,
) -> Path:
    """Train the run and the members of its soup; return the averaged checkpoint, or the run's own without a soup.

    Each resumes where it was interrupted; see `fit` for the parameters.
    """
    checkpoints = [fit(one, folder, runs, cache, initial, limit, others) for one in (config, *config.soup_members())]
    if len(checkpoints) == 1:
        return checkpoints[0]
    target = checkpoints[0].with_name(AVERAGED)
    if not target.exists() or any(target.stat().st_mtime < one.stat().st_mtime for one in checkpoints):
        log.info("averaging %s", ", ".join(map(str, checkpoints)))
        members = [load_trained(checkpoint) for checkpoint in checkpoints]
        recipe = members[0].recipe | _differences([one.recipe for one in members])
        save_trained(Trained(average([one.network for one in members]), recipe), target)
    return target


def _differences(recipes: Sequence[dict[str, Scalar]]) -> dict[str, Scalar]:
    """Return the settings in which further runs differ from the first, named `soup.2.` and so on."""
    first = recipes[0]
    return {
        f"{SOUP}.{number}.{name}": value
        for number, recipe in enumerate(recipes[1:], 2)
        for name, value in recipe.items()
        if first.get(name) != value
    }


@torch.no_grad()
def average(networks: Sequence[GuidedVAE]) -> GuidedVAE:
    """Return a copy of the first network whose backbone has the mean of all weights and running statistics.

    The rest is the first network's: it is refitted to the averaged backbone, or does not depend on it.
    """
    result = copy.deepcopy(networks[0])
    states = [network.encoder.backbone.state_dict() for network in networks]
    mean = {
        name: torch.stack([state[name] for state in states]).mean(0) if value.is_floating_point() else value
        for name, value in states[0].items()
    }
    result.encoder.backbone.load_state_dict(mean)
    return result
