"""Disentanglement of sprites by each loss of the family: six members, three seeds each, trained here.

All see the same pictures in the same order and number, at 32 x 32 pixels: at 64 x 64 a step takes four times as long,
and eighteen trainings take the better part of an hour on two cores already. An interrupted run resumes with the next
epoch of each. ``python -m benchmarks.sprites``
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import repeat
from pathlib import Path

import numpy as np

from benchmarks.kept import kept, side_by_side
from benchmarks.report import is_quick, report
from training.config.baselines import FAMILY, FamilyConfig
from training.vae_baselines.fit import fit_member, load_member
from training.vae_baselines.measure import agreement, measure
from training.vae_baselines.sources import open_source

SIZE = 32
"""Pixels along each side."""
SEEDS = (1, 2, 3)
EPOCHS, EPOCH_IMAGES = 20, 40_960
QUICK_IMAGES = 1024
MEASURES = ("sap", "factor_score", "mig", "dci")
Rows = Mapping[str, Sequence[Mapping[str, float]]]
"""Figures of each member's seeds."""


def main() -> None:
    """Train, measure and report."""
    seeds = SEEDS[:1] if is_quick() else SEEDS
    # FactorVAE takes longest; started first, it leaves no core idle at the end.
    names = sorted(FAMILY, key=lambda name: name != "factor")
    configs = [_config(name, seed) for name in names for seed in seeds]
    with kept("sprites") as folder, side_by_side() as pool:
        figures = list(pool.map(_trained, configs, repeat(folder)))
        ranks = {} if len(seeds) == 1 else {name: _agreement(name, seeds, folder) for name in names}
        rows = {name: figures[start * len(seeds) : (start + 1) * len(seeds)] for start, name in enumerate(names)}
        report("sprites", _means(rows), _spreads(rows) | ranks, quick=is_quick())


def _config(name: str, seed: int) -> FamilyConfig:
    config = FAMILY[name]
    epochs, images = (1, QUICK_IMAGES) if is_quick() else (EPOCHS, EPOCH_IMAGES)
    schedule = replace(config.schedule, epochs=epochs, epoch_images=images)
    return replace(config, name=f"{name}-{seed}", seed=seed, height=SIZE, width=SIZE, schedule=schedule)


def _trained(config: FamilyConfig, folder: Path) -> dict[str, float]:
    checkpoint = fit_member(config, "sprites", folder, folder)
    return measure(load_member(checkpoint), open_source("sprites", config, folder))


def _agreement(name: str, seeds: Sequence[int], folder: Path) -> str:
    configs = [_config(name, seed) for seed in seeds]
    networks = [load_member(folder / f"{config.name}-sprites" / "last.ckpt") for config in configs]
    ranks = agreement(networks, open_source("sprites", configs[0], folder))
    return f"UDR {np.mean(ranks):.3f}"


def _means(rows: Rows) -> dict[str, float]:
    return {
        f"{measure}_{name.replace('-', '_')}": float(np.mean([row[measure] for row in rows[name]]))
        for measure in MEASURES
        for name in FAMILY
    }


def _spreads(rows: Rows) -> dict[str, str]:
    return {
        f"{name} by seed": "; ".join(f"{m} {' '.join(f'{row[m]:.3f}' for row in rows[name])}" for m in MEASURES)
        for name in FAMILY
    }


if __name__ == "__main__":
    main()
