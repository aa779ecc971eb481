"""Train the plain VAEs of the family and encode with them; they differ in their losses only."""

from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, replace
from itertools import repeat
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple

import lightning
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from training.config.baselines import (
    FAMILY,
    AnnealedLoss,
    BetaLoss,
    BetaTCLoss,
    FactorLoss,
    FamilyConfig,
    HardwareConfig,
    ScheduleConfig,
    member,
)
from training.evaluation.metrics import retrieval_metrics
from training.evaluation.retrieval import Labelled
from training.fit.allocator import keep_freed_memory
from training.fit.tensorboard_images import Pictured
from training.fit.trainer import seed_step, stopping, trainer_for, warmed_cosine
from training.losses import terms
from training.models.guided_vae import ConvolutionalVAE, Discriminator, FullyConnectedVAE, Posterior, Shape, sample
from training.vae_baselines.sources import FamilyData, Ints, Pictures, Source, in_order, open_source

PlainVAE = ConvolutionalVAE | FullyConnectedVAE
Floats = npt.NDArray[np.float32]
Terms = dict[str, tuple[float, Tensor]]
"""Weight and value of each term of a loss."""

SHOWN = 8
"""Images that TensorBoard shows."""
PAPERS_PIXELS = 64 * 64
"""Of the pictures that the papers found the weights of their losses for."""
COLLECTION_SCHEDULE = ScheduleConfig(epochs=4, epoch_images=40_960)
"""Twenty times through four folds of HAM10000: some minutes on one core at 48 x 64 pixels."""


class FamilyTraining(lightning.LightningModule):
    """One optimiser, one loss: reconstruction error and what the member adds to it."""

    batches_per_step = 1

    def __init__(self, config: FamilyConfig, source: Source) -> None:
        super().__init__()
        self.config, self.source = config, source
        self.network = network_for(config.architecture, config.dimensions, source.shape)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Store the network's shape and the recipe with the weights."""
        checkpoint["network"] = (self.config.architecture, self.config.dimensions, tuple(self.source.shape))
        checkpoint["recipe"] = asdict(replace(self.config, hardware=HardwareConfig()))

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Refuse to resume a run of another configuration."""
        ours, theirs = asdict(replace(self.config, hardware=HardwareConfig())), checkpoint["recipe"]
        if changed := [name for name in ours if ours[name] != theirs.get(name)]:
            raise ValueError(
                f"the run begun as {self.config.name!r} had other {', '.join(changed)}; "
                "name another --store, or remove the run's folder"
            )

    def on_train_batch_start(self, *_: Any) -> None:
        """Seed the step, so that a resumed run repeats it."""
        seed_step(self.config.seed, self.global_step, self.global_rank)

    def training_step(self, batch: Tensor, _: int) -> Tensor | None:
        """Return the loss of pictures uint8 [B,H,W,C]."""
        images = as_images(batch)
        posterior = self.network.encoder(images)
        drawn = sample(posterior)  # [B,D]
        return self.weighted_sum(self.reconstruction(drawn, images) | self.regularisation(posterior, drawn))

    def regularisation(self, posterior: Posterior, drawn: Tensor) -> Terms:
        """Return the terms added to the reconstruction error, given a batch's posteriors and draws [B,D]."""
        divergence, chosen = terms.gaussian_divergence(*posterior), self.config.loss
        if isinstance(chosen, BetaLoss):
            return {"divergence": (chosen.beta, divergence.sum())}
        if isinstance(chosen, AnnealedLoss):
            risen = min(1.0, self.global_step / (chosen.risen * int(self.trainer.estimated_stepping_batches)))
            return {"capacity": (chosen.gamma, terms.capacity_error(divergence, chosen.capacity * risen))}
        assert isinstance(chosen, BetaTCLoss)
        parts = terms.decomposed_divergence(*posterior, drawn, len(self.source.train))
        return {
            "index_code": (1.0, parts.index_code),
            "total_correlation": (chosen.beta, parts.total_correlation),
            "dimension_wise": (1.0, parts.dimension_wise),
        }

    def reconstruction(self, latents: Tensor, images: Tensor) -> Terms:
        """Return the error of latents [B,D]; scaled as if the pictures had the papers' size.

        The error is a sum over pixels and the other terms are not: at 32 x 32 pixels their weights would count four
        times as much, and the few pixels that a shape or an orientation changes would not be worth its nats.
        """
        shape = self.source.shape
        return {"error": (PAPERS_PIXELS / (shape.height * shape.width), self.error(latents, images))}

    def error(self, latents: Tensor, images: Tensor) -> Tensor:
        """Return -log p(images | latents) in nats, mean over images [B,C,H,W]."""
        logits = self.network.decoder(latents)
        if self.source.likelihood == "bernoulli":
            return terms.bernoulli_error(logits, images)
        return terms.gaussian_error(logits.float().sigmoid(), images, self.config.deviation)

    def weighted_sum(self, terms: Terms) -> Tensor:
        """Log each term and return their weighted sum."""
        self.log_dict({f"train/{name}": value for name, (_, value) in terms.items()}, on_step=False, on_epoch=True)
        return torch.stack([weight * value for weight, value in terms.values()]).sum()

    def validation_step(self, batch: Tensor, _: int) -> None:
        """Log the reconstruction error of posterior means, and the KL, of pictures uint8 [B,H,W,C]."""
        images = as_images(batch)
        posterior = self.network.encoder(images)
        divergence = terms.gaussian_divergence(*posterior).sum()
        error = self.error(posterior.mean, images)
        figures = {"validation/error": error, "validation/divergence": divergence}
        self.log_dict(figures, batch_size=len(images), sync_dist=True)

    def on_validation_epoch_end(self) -> None:
        """Log retrieval of the validation cases among the training cases, where there are diagnoses."""
        if not self.source.cases:
            return
        figures = _retrieval(self.network, self.source)
        self.log_dict({f"validation/{name}": value for name, value in figures.items()})

    def configure_optimizers(self) -> Any:
        """Return Adam, warmed up and annealed by a cosine."""
        optimiser = torch.optim.Adam(self.network.parameters(), self.config.schedule.rate)
        return {"optimizer": optimiser, "lr_scheduler": {"scheduler": self.scheduled(optimiser), "interval": "step"}}

    def scheduled(self, optimiser: torch.optim.Optimizer) -> torch.optim.lr_scheduler.LRScheduler:
        """Return the schedule of a learning rate, by step."""
        return warmed_cosine(optimiser, int(self.trainer.estimated_stepping_batches), self.config.schedule.warmup)


class FactorTraining(FamilyTraining):
    """FactorVAE: VAE and discriminator take turns, each with its optimiser (Kim & Mnih 2018, algorithm 2)."""

    batches_per_step = 2

    def __init__(self, config: FamilyConfig, source: Source) -> None:
        super().__init__(config, source)
        assert isinstance(config.loss, FactorLoss)
        self.loss = config.loss
        self.discriminator = Discriminator(config.dimensions, self.loss.width)
        self.automatic_optimization = False

    def training_step(self, batch: Tensor, _: int) -> None:
        """Step the VAE on one half of the pictures uint8 [2B,H,W,C] and the discriminator on both."""
        first, second = as_images(batch).chunk(2)
        vae, discriminator = self.optimizers()  # type: ignore[attr-defined]
        with self.toggled_optimizer(vae):  # the discriminator is applied, not trained
            drawn = self._step_vae(vae, first)  # [B,D]
        with torch.no_grad():
            permuted = terms.permute_dims(sample(self.network.encoder(second)))  # [B,D]
        error = terms.discriminator_error(self.discriminator(drawn), self.discriminator(permuted))
        self.log("train/discriminator_error", error, on_step=False, on_epoch=True)
        self._descend(discriminator, error)

    def _step_vae(self, vae: Any, images: Tensor) -> Tensor:
        posterior = self.network.encoder(images)
        drawn = sample(posterior)  # [B,D]
        weighted = self.reconstruction(drawn, images) | {
            "divergence": (1.0, terms.gaussian_divergence(*posterior).sum()),
            "total_correlation": (self.loss.gamma, terms.total_correlation_by_ratio(self.discriminator(drawn))),
        }
        self._descend(vae, self.weighted_sum(weighted))
        return drawn.detach()

    def _descend(self, optimiser: Any, loss: Tensor) -> None:
        optimiser.zero_grad()
        self.manual_backward(loss)
        self.clip_gradients(optimiser, self.config.schedule.clip, "norm")
        optimiser.step()

    def on_train_batch_end(self, *_: Any) -> None:
        """Move both learning rates on."""
        for schedule in self.lr_schedulers():  # type: ignore[union-attr]
            schedule.step()

    def configure_optimizers(self) -> Any:
        """Return Adam for the VAE, and Adam with the momenta of Kim & Mnih 2018 for the discriminator."""
        vae = torch.optim.Adam(self.network.parameters(), self.config.schedule.rate)
        discriminator = torch.optim.Adam(self.discriminator.parameters(), self.loss.rate, betas=(0.5, 0.9))
        return [vae, discriminator], [self.scheduled(vae), self.scheduled(discriminator)]


def as_images(batch: Tensor) -> Tensor:
    """Return pictures uint8 [B,H,W,C] as images [B,C,H,W] in 0..1, channels last in memory."""
    return batch.permute(0, 3, 1, 2).float() / 255


def network_for(architecture: str, dimensions: int, shape: Shape) -> PlainVAE:
    """Return an untrained network."""
    kinds: dict[str, type[PlainVAE]] = {"convolutional": ConvolutionalVAE, "fully-connected": FullyConnectedVAE}
    network = kinds[architecture](dimensions, shape)
    return network.to(memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]


def fit_member(config: FamilyConfig, on: str, runs: Path, cache: Path) -> Path:
    """Train a member on `sprites`, `phantoms` or a folder and return the last checkpoint.

    An interrupted run resumes after its last whole epoch.
    """
    keep_freed_memory()
    torch.set_num_threads(config.hardware.threads)
    source = open_source(on, config, cache)
    lightning.seed_everything(config.seed)
    module = (FactorTraining if isinstance(config.loss, FactorLoss) else FamilyTraining)(config, source)
    target = runs / f"{config.name}-{Path(source.name).name}"
    last = target / "last.ckpt"
    data = FamilyData(source, config, module.batches_per_step)
    resumed = last if last.exists() else None
    _trainer(module, target).fit(module, datamodule=data, ckpt_path=resumed, weights_only=False)
    return last


def _trainer(module: FamilyTraining, target: Path) -> lightning.Trainer:
    schedule = module.config.schedule
    return trainer_for(
        target,
        schedule.epochs,
        module.config.hardware,
        clip=schedule.clip if module.automatic_optimization else None,
        callbacks=[_pictured(module), *stopping(schedule.stop_on, schedule.patience)],
        share_batches=False,
    )


def load_member(checkpoint: Path) -> PlainVAE:
    """Return the network of a checkpoint, ready to measure."""
    content = torch.load(checkpoint, map_location="cpu", weights_only=False)
    architecture, dimensions, shape = content["network"]
    network = network_for(architecture, dimensions, Shape(*shape))
    state, prefix = content["state_dict"], "network."
    network.load_state_dict({n.removeprefix(prefix): v for n, v in state.items() if n.startswith(prefix)})
    return network.eval()


class Coded(NamedTuple):
    """Pictures as a member sees them."""

    means: Floats
    """[N,D], of the posterior"""
    divergence: Floats
    """[D], mean KL to the prior in nats: near 0 for a dimension that is not used"""


@torch.no_grad()
def encode_pictures(network: PlainVAE, pictures: Pictures, positions: Ints) -> Coded:
    """Return the posteriors of the pictures at these positions."""
    device = next(network.parameters()).device
    posteriors = [network.encoder(as_images(batch.to(device))) for batch in in_order(pictures, positions)]
    means, log_variances = (torch.cat(part) for part in zip(*posteriors, strict=True))
    return Coded(means.cpu().numpy(), terms.gaussian_divergence(means, log_variances).cpu().numpy())


def embed_by_member(
    folder: Path,
    runs: Path,
    cache: Path,
    names: Sequence[str] = tuple(FAMILY),
    schedule: ScheduleConfig = COLLECTION_SCHEDULE,
    workers: int = 2,
) -> dict[str, Floats]:
    """Train members on folds 1 to 4 of a collection and return posterior means [N,D] of all its cases, by name.

    Rows are in the order of `training.data.collection.Collection`. `workers` trainings run side by side, each in
    a process of its own with one thread; checkpoints and logs lie under `runs`, decoded images under `cache`.
    """
    configs = [_for_collection(member(name), schedule) for name in names]
    open_source(str(folder), configs[0], cache)  # decodes once, for all
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        codes = pool.map(_embedded, configs, *(repeat(value) for value in (folder, runs, cache)))
        return dict(zip(names, codes, strict=True))


def _for_collection(config: FamilyConfig, schedule: ScheduleConfig) -> FamilyConfig:
    return replace(config, height=48, width=64, train_folds=(1, 2, 3, 4), validation_folds=(), schedule=schedule)


def _embedded(config: FamilyConfig, folder: Path, runs: Path, cache: Path) -> Floats:
    network = load_member(fit_member(config, str(folder), runs, cache))
    pictures = open_source(str(folder), config, cache).pictures
    return encode_pictures(network, pictures, np.arange(len(pictures))).means


def _pictured(module: FamilyTraining) -> Pictured:
    source = module.source
    shown = np.concatenate([source.validation, source.train])[:SHOWN]
    images = as_images(torch.from_numpy(source.pictures.batch(shown)))
    network = module.network
    return Pictured(images, lambda x: network.encoder(x).mean, lambda z: network.decoder(z).float().sigmoid())


def _retrieval(network: PlainVAE, source: Source) -> dict[str, float]:
    codes = source.vocabulary.codes

    def part(positions: Ints) -> Labelled:
        means = encode_pictures(network, source.pictures, positions).means
        cases = [source.cases[position] for position in positions]
        labels = np.array([codes.index(case.diagnosis) for case in cases])
        return Labelled(means, labels, [case.lesion for case in cases])

    gallery, queries = part(source.train), part(source.validation)
    return retrieval_metrics(queries, gallery, np.ones(gallery.latents.shape[1]), source.vocabulary)
