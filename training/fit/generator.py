"""Train the generator while encoder and decoder stay fixed, so that ranking and appearance cannot change.

StylEx (Lang 2021) is the nearest relative: a generator conditioned on what a classifier reads, with the classifier's
reading of its images as a loss. Here the encoder reads only images that were turned, recoloured and degraded first, a
critic compares patches with real ones, and the figures that count come from networks that had no part in the training
(`training.evaluation.judges`).
"""

import copy
import logging
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from casekin.atomic_files import stream_durably
from training.config.generator import GeneratorConfig
from training.data.collection import Collection
from training.fit.generator_moves import Coordinates, Sizes, draw_moves
from training.fit.generator_terms import critic_logits, draw, drawing_terms, targets, weighted
from training.losses.seen import hinge_of_critic
from training.models.critic import PatchCritic
from training.models.guided_vae import GuidedVAE

log = logging.getLogger(__name__)

WARMUP = 0.05
"""Share of the steps in which the rates rise."""
BETAS = (0.5, 0.99)
"""Of Adam, as is usual beside a critic that changes."""


@dataclass(frozen=True)
class State:
    """File of a run in progress, and what it belongs to."""

    file: Path
    key: str
    """Of all that the run depends on besides configuration and seed; another key starts anew."""


def fit_generator(
    network: GuidedVAE,
    collection: Collection,
    coordinates: Coordinates,
    config: GeneratorConfig,
    state: State | None = None,
    seed: int = 0,
) -> GuidedVAE:
    """Return a copy of the network with a generator trained on the training folds.

    An interrupted run goes on from its state. Each step draws from (seed, step) alone, so that a resumed run repeats an
    uninterrupted one.
    """
    training = _Training(network, collection, coordinates, config, seed)
    if state is not None:
        training.resume(state)
    saved, figures = time.monotonic(), _Figures(config)
    while training.step < config.steps:
        figures.add(training.step, training.run_step())
        due = time.monotonic() - saved > config.save_every_s or training.step == config.steps
        if state is not None and due:
            training.save(state)
            saved = time.monotonic()
    return training.averaged.eval().requires_grad_(False)


def with_generator(network: GuidedVAE, coordinates: Coordinates, width: int) -> GuidedVAE:
    """Return a frozen copy of a network with a new generator of that width, which draws little yet."""
    shape = replace(network.config, generator_width=width, pretrained=False)
    result = GuidedVAE(shape, network.head.out_features)
    result.load_state_dict(network.state_dict(), strict=False)
    assert result.generator is not None
    result.generator.standardise(*coordinates.whitening())
    return result.to(memory_format=torch.channels_last).eval().requires_grad_(False)  # type: ignore[call-overload, no-any-return]


class _Training:
    """All that changes from step to step."""

    def __init__(
        self, network: GuidedVAE, collection: Collection, coordinates: Coordinates, config: GeneratorConfig, seed: int
    ) -> None:
        torch.manual_seed(seed)
        self.network = with_generator(network, coordinates, config.width)
        self.averaged = copy.deepcopy(self.network)
        self.critic = PatchCritic(coordinates.ranking).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.collection, self.coordinates, self.config, self.seed = collection, coordinates, config, seed
        self.labels = [collection.labels[position] for position in collection.train_positions]
        self._size = (collection.spec.height, collection.spec.width)
        self.step = 0
        assert self.network.generator is not None
        self.generator = self.network.generator.train().requires_grad_(True)
        self.rates = {"generator": config.rate, "critic": config.critic_rate}
        self.parts: dict[str, nn.Module] = {"generator": self.generator, "critic": self.critic}
        self.optimisers = {
            name: torch.optim.Adam(part.parameters(), self.rates[name], betas=BETAS)
            for name, part in self.parts.items()
        }

    def run_step(self) -> dict[str, float]:
        """Train on one batch; return the unweighted terms."""
        torch.manual_seed(self.seed * 1_000_003 + self.step)
        sizes = Sizes(self.config.own, self.config.swapped, self.config.pairs)
        moved = draw_moves(self.coordinates, self.labels, sizes, np.random.default_rng((self.seed, self.step)))
        images = self._images(moved.rows)  # [L,3,h,w]
        ranking = self.coordinates.latents[moved.rows][:, : self.coordinates.ranking]  # [L,S], of the real images
        wanted = moved.latents[:, : self.coordinates.ranking]  # [M,S], of the drawn ones
        drawing = draw(self.network, self.coordinates, moved, images, self.config)
        terms = drawing_terms(self.network, self.coordinates, drawing, self.config, self._size)
        if self.step >= self.config.critic_from * self.config.steps:
            self.critic.requires_grad_(False)
            terms["critic"] = -critic_logits(self.critic, drawing.drawn, wanted, self.config).mean()
            self.critic.requires_grad_(True)
        self._descend("generator", weighted(terms, self.config))
        on_real = critic_logits(self.critic, drawing.images, ranking, self.config)
        on_drawn = critic_logits(self.critic, drawing.drawn.detach(), wanted, self.config)
        hinge = hinge_of_critic(on_real, on_drawn)
        self._descend("critic", hinge)
        self._average()
        self.step += 1
        return {name: float(value.detach()) for name, value in (terms | {"hinge": hinge}).items()}

    def save(self, state: State) -> None:
        """Write the state, all or nothing."""
        content = self._named(state) | {
            "step": self.step,
            "averaged": self.averaged.state_dict(),
            "parts": {name: part.state_dict() for name, part in self.parts.items()},
            "optimisers": {name: one.state_dict() for name, one in self.optimisers.items()},
        }
        state.file.parent.mkdir(parents=True, exist_ok=True)
        stream_durably(state.file, lambda stream: torch.save(content, stream))

    def resume(self, state: State) -> None:
        """Go on from the state, if it is of this run."""
        if not state.file.is_file():
            return
        content: dict[str, Any] = torch.load(state.file, map_location="cpu", weights_only=True)
        if {name: content.get(name) for name in self._named(state)} != self._named(state):
            log.info("%s is of another run and starts anew", state.file)
            return
        self.step = content["step"]
        self.averaged.load_state_dict(content["averaged"])
        for name, part in self.parts.items():
            part.load_state_dict(content["parts"][name])
            self.optimisers[name].load_state_dict(content["optimisers"][name])
        log.info("going on from step %d in %s", self.step, state.file)

    def _named(self, state: State) -> dict[str, Any]:
        return {"key": state.key, "seed": self.seed, "config": self.config.flat()}

    def _images(self, rows: Tensor) -> Tensor:
        positions = [self.collection.train_positions[row] for row in rows.tolist()]
        pixels = torch.from_numpy(self.collection.pixels[positions]).permute(0, 3, 1, 2)
        return targets(pixels.float() / 255, self.network)

    def _descend(self, name: str, loss: Tensor) -> None:
        for group in self.optimisers[name].param_groups:
            group["lr"] = self.rates[name] * self._share_of_rate()
        self.optimisers[name].zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.parts[name].parameters(), self.config.clip)
        self.optimisers[name].step()

    def _share_of_rate(self) -> float:
        done = (self.step + 1) / self.config.steps
        return min(done / WARMUP, 0.5 + 0.5 * float(np.cos(np.pi * min(done, 1.0))) + 0.02)

    @torch.no_grad()
    def _average(self) -> None:
        assert self.averaged.generator is not None
        decay = min(self.config.average, (1 + self.step) / (10 + self.step))
        for kept, new in zip(self.averaged.generator.parameters(), self.generator.parameters(), strict=True):
            kept.lerp_(new, 1 - decay)


class _Figures:
    """Logs the means of the terms every so many steps."""

    def __init__(self, config: GeneratorConfig) -> None:
        self._config = config
        self._sums: dict[str, list[float]] = {}

    def add(self, step: int, terms: dict[str, float]) -> None:
        for name, value in terms.items():
            self._sums.setdefault(name, []).append(value)
        if (step + 1) % self._config.log_every == 0 or step + 1 == self._config.steps:
            shown = " ".join(f"{name} {np.mean(values):.3f}" for name, values in self._sums.items())
            log.info("generator step %d of %d: %s", step + 1, self._config.steps, shown)
            self._sums = {}
