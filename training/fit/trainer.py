"""Lightning's Trainer with checkpoints and logs, and steps that can be repeated exactly."""

import logging
import math
from collections.abc import Sequence
from pathlib import Path

import lightning
import torch
from lightning.pytorch.callbacks import Callback, EarlyStopping, ModelCheckpoint
from lightning.pytorch.loggers import CSVLogger, TensorBoardLogger

from training.config.baselines import HardwareConfig

log = logging.getLogger(__name__)


class Report(Callback):
    """Writes one line per epoch to the log."""

    def on_train_epoch_end(self, trainer: lightning.Trainer, _: lightning.LightningModule) -> None:
        """Log all figures of the epoch."""
        figures = " ".join(f"{name} {float(value):.4f}" for name, value in sorted(trainer.callback_metrics.items()))
        log.info("epoch %d %s", trainer.current_epoch, figures)


def seed_step(seed: int, step: int, rank: int = 0) -> None:
    """Seed this step from (seed, step, process), so that a resumed run repeats an uninterrupted one."""
    torch.manual_seed(seed * 1_000_003 + rank * 500_000_003 + step)


def stopping(metric: str, patience: int) -> list[Callback]:
    """Return early stopping after `patience` measurements of `metric` without a better one; 0 never stops."""
    if not patience:
        return []
    # Errors are minimised and precisions maximised; Lightning itself reports a metric that is not logged.
    mode = "min" if metric.endswith("error") else "max"
    return [EarlyStopping(metric, patience=patience, mode=mode, check_on_train_epoch_end=False)]


def trainer_for(
    target: Path,
    epochs: int,
    hardware: HardwareConfig,
    clip: float | None,
    validate_every: int = 1,
    callbacks: Sequence[Callback] = (),
    share_batches: bool = True,
) -> lightning.Trainer:
    """Return a trainer that keeps logs and, after each epoch, `last.ckpt` in the folder `target`.

    `clip` is the largest norm of the gradient; None where the module clips by itself. `share_batches` makes Lightning
    distribute samples over processes; False where the sampler does.
    """
    kept = ModelCheckpoint(dirpath=target, save_last=True, filename="{epoch}", save_on_train_epoch_end=True)
    return lightning.Trainer(
        max_epochs=epochs,
        accelerator=hardware.accelerator,
        devices=hardware.devices,
        # FactorVAE goes backward through one half of its networks at a time.
        strategy="ddp_find_unused_parameters_true" if hardware.devices > 1 else "auto",
        precision=hardware.precision,
        gradient_clip_val=clip,
        check_val_every_n_epoch=validate_every,
        use_distributed_sampler=share_batches,
        callbacks=[kept, Report(), *callbacks],
        logger=[TensorBoardLogger(target, name="tensorboard"), CSVLogger(target, name="csv")],
        num_sanity_val_steps=0,
        log_every_n_steps=10,
        enable_progress_bar=False,
        enable_model_summary=False,
    )


def warmed_cosine(optimiser: torch.optim.Optimizer, steps: int, warmup: float) -> torch.optim.lr_scheduler.LRScheduler:
    """Return a schedule whose rate rises over a share `warmup` of the steps and falls to 0 as a cosine."""
    rise = max(1, round(steps * warmup))

    def rate(step: int) -> float:
        if step < rise:
            return (step + 1) / rise
        return 0.5 * (1 + math.cos(math.pi * min(1.0, (step - rise) / max(1, steps - rise))))

    return torch.optim.lr_scheduler.LambdaLR(optimiser, rate)
