"""Configurations of the plain VAEs: one architecture and one schedule for all, each with its own loss."""

from dataclasses import dataclass, field, replace
from typing import Literal

DEBUG = "debug-"
"""Before a member's name: the same on few and small pictures, done within a minute."""


@dataclass(frozen=True)
class BetaLoss:
    """Beta-VAE, Higgins 2017, eq. 4."""

    beta: float = 1.0
    """Weight of KL; 1 is the plain VAE of Kingma & Welling 2014."""


@dataclass(frozen=True)
class AnnealedLoss:
    """Beta-VAE of annealed capacity, Burgess 2018, eq. 8."""

    gamma: float = 100.0
    """Weight of the distance between KL and the capacity; theirs is 1000, over many more steps."""
    capacity: float = 25.0
    """Nats that the capacity C reaches, from 0 on in a straight line."""
    risen: float = 0.8
    """Share of the training at which it has."""


@dataclass(frozen=True)
class FactorLoss:
    """FactorVAE, Kim & Mnih 2018, eq. 2 and algorithm 2."""

    gamma: float = 6.0
    """Weight of the total correlation, which a discriminator estimates."""
    width: int = 256
    """Of the discriminator's layers; theirs has 1000."""
    rate: float = 1e-3
    """Learning rate of the discriminator, which has an optimiser of its own."""


@dataclass(frozen=True)
class BetaTCLoss:
    """Beta-TCVAE, Chen 2018, eq. 4 with alpha = gamma = 1."""

    beta: float = 6.0
    """Weight of the total correlation, estimated by minibatch stratified sampling."""


@dataclass(frozen=True)
class ScheduleConfig:
    """Adam with a short warm-up and a cosine, the same for every member."""

    epochs: int = 20
    """Each ends with a measurement and a checkpoint."""
    epoch_images: int = 65_536
    """Images of an epoch; a collection is gone through again and again, in another order each time."""
    batch_size: int = 64
    """Per process; FactorVAE takes a second batch of this size for its discriminator."""
    rate: float = 1e-3
    """Peak learning rate."""
    warmup: float = 0.05
    """Share of the steps in which the rate rises."""
    clip: float = 1e3
    """Largest norm of the gradient; only an outlier reaches it, as errors are sums over pixels."""
    stop_on: Literal["validation/error", "validation/p_at_5_macro"] = "validation/error"
    """What early stopping watches: reconstruction, or retrieval where there are diagnoses."""
    patience: int = 0
    """Epochs without a better value before the training stops; 0 never does, so that members compare fairly."""


@dataclass(frozen=True)
class HardwareConfig:
    """On what a training runs: options of Lightning's Trainer."""

    accelerator: Literal["auto", "cpu", "gpu"] = "auto"
    """`auto` takes a GPU where there is one."""
    devices: int = 1
    """Processes, each with a GPU or with CPU threads of its own; more than one is DDP."""
    precision: Literal["32-true", "bf16-mixed", "16-mixed"] = "bf16-mixed"
    """bfloat16 is faster where the processor has it."""
    threads: int = 1
    """Of torch, on a CPU, per process."""


@dataclass(frozen=True)
class FamilyConfig:
    """One training of a plain member of the family: same networks, same schedule, its own loss."""

    name: str
    """Folder of its checkpoints and logs."""
    loss: BetaLoss | AnnealedLoss | FactorLoss | BetaTCLoss
    """What is added to the reconstruction error."""
    architecture: Literal["convolutional", "fully-connected"] = "convolutional"
    """Of Burgess 2018, or the plainest that there is."""
    dimensions: int = 10
    """D; 10 is what the papers take for sprites."""
    height: int = 64
    """Pixels, a multiple of 16; of 32 for sprites."""
    width: int = 64
    """Pixels, likewise; sprites are square."""
    deviation: float = 0.1
    """Of a pixel in 0..1 about the decoded one, where pictures are in colour (Gaussian); sprites are Bernoulli."""
    train_folds: tuple[int, ...] = (2, 3, 4)
    """Folds to train on, where a collection has folds."""
    validation_folds: tuple[int, ...] = (1,)
    """Folds measured at the end of an epoch."""
    seed: int = 7
    """Of everything random; a step draws from (seed, step), so a resumed run repeats an uninterrupted one."""
    schedule: ScheduleConfig = field(default_factory=ScheduleConfig)
    hardware: HardwareConfig = field(default_factory=HardwareConfig)


def is_member(name: str) -> bool:
    """Whether a configuration of that name is one of the family."""
    return name.removeprefix(DEBUG) in FAMILY


def member(name: str) -> FamilyConfig:
    """Return the configuration of that member; `debug-` before the name makes one that ends within a minute."""
    if not is_member(name):
        raise ValueError(f"there is no member {name!r} of the family; there are {', '.join(FAMILY)}")
    chosen = FAMILY[name.removeprefix(DEBUG)]
    return _debug(chosen) if name.startswith(DEBUG) else chosen


def _debug(config: FamilyConfig) -> FamilyConfig:
    schedule = replace(config.schedule, epochs=3, epoch_images=512, batch_size=32)
    loss = replace(config.loss, width=32) if isinstance(config.loss, FactorLoss) else config.loss
    return replace(config, name=DEBUG + config.name, height=32, width=32, loss=loss, schedule=schedule)


FAMILY = {
    config.name: config
    for config in (
        FamilyConfig("fully-connected", BetaLoss(), architecture="fully-connected"),
        FamilyConfig("convolutional", BetaLoss()),
        FamilyConfig("beta", BetaLoss(beta=4.0)),
        FamilyConfig("annealed", AnnealedLoss()),
        FamilyConfig("factor", FactorLoss()),
        FamilyConfig("beta-tc", BetaTCLoss()),
    )
}
