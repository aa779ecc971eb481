"""One training step of the guided VAE, its optimiser, and its measurement on the validation folds."""

import copy
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import lightning
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from training import losses
from training.augment import augment
from training.config import Config
from training.evaluation.figures import retrieval_metrics
from training.evaluation.retrieval import Labelled
from training.models import GuidedVAE, sample, scale_gradient
from training.running import seed_step, warmed_cosine


class GuidedTraining(lightning.LightningModule):
    """Trains `network` and keeps `averaged`, the moving average of its weights, which is what gets exported."""

    log_prior: Tensor

    def __init__(self, config: Config, shares: Sequence[float], lesions: Sequence[str], classes: Sequence[str]) -> None:
        """Take the sampled share of each class, and the lesion id of each position of the collection."""
        super().__init__()
        self.config, self.lesions, self.classes = config, lesions, classes
        self.recipe = config.flat()
        self.network = GuidedVAE(config.model, len(shares)).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.network.encoder.appearance_gradient = config.loss.appearance_gradient
        self.averaged = copy.deepcopy(self.network).requires_grad_(False).eval()
        self.register_buffer("log_prior", torch.tensor(shares).clamp(min=1e-6).log())
        self._measured: list[tuple[Tensor, Tensor, Tensor]] = []

    def start_from(self, network: GuidedVAE) -> None:
        """Begin with the weights of another network, as far as it has the same shape."""
        known = network.state_dict()
        for part in (self.network, self.averaged):
            fitting = {n: v for n, v in known.items() if part.state_dict()[n].shape == v.shape}
            part.load_state_dict(fitting, strict=False)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Let the weights say what shape they have and how they came about."""
        checkpoint["model"], checkpoint["recipe"] = asdict(self.config.model), self.recipe

    def on_train_batch_start(self, *_: Any) -> None:
        """Make the step repeatable."""
        seed_step(self.config.seed, self.global_step, self.global_rank)
        self.averaged.eval()

    def training_step(self, batch: Sequence[Tensor], _: int) -> Tensor:
        """Return the loss of images uint8 [B,3,H,W], labels [B], positions [B]."""
        raw, labels, _positions = batch
        images = augment(raw.float() / 255, self.config.augment).contiguous(memory_format=torch.channels_last)
        weight, model = self.config.loss, self.config.model
        posterior = self.network.encoder(images)
        ranked = posterior.mean[:, : model.diagnosis_dimensions]
        terms = {
            "divergence": losses.gaussian_divergence(*posterior).mean() * model.dimensions,
            "cross_entropy": losses.adjusted_cross_entropy(
                self.network.logits(posterior.mean), labels, self.log_prior, weight.label_smoothing
            ),
            "contrastive": losses.supervised_contrastive(ranked, labels, weight.temperature),
        }
        some = max(1, round(weight.reconstruct_share * len(images)))
        drawn = sample(posterior)[:some]
        guided, free = drawn[:, : model.diagnosis_dimensions], drawn[:, model.diagnosis_dimensions :]
        decoded = self.network.decoder(torch.cat([scale_gradient(guided, weight.decoder_gradient), free], 1))
        target = shrink(images[:some], model.output_height, model.output_width)
        terms["reconstruction"] = losses.reconstruction_error(decoded.float(), target)
        scale = {
            # The normalised beta of Higgins 2017, section 4.2: beta x D / N, with KL summed over D dimensions.
            "divergence": weight.beta / model.dimensions,
            "cross_entropy": weight.cross_entropy,
            "contrastive": weight.contrastive,
            "reconstruction": weight.reconstruction,
        }
        self.log_dict({f"train/{name}": value for name, value in terms.items()}, on_step=False, on_epoch=True)
        return torch.stack([scale[name] * value for name, value in terms.items()]).sum()

    def on_train_batch_end(self, *_: Any) -> None:
        """Move the averaged weights towards the present ones, faster in the beginning."""
        step = self.global_step
        decay = min(self.config.optimiser.average, (1 + step) / (10 + step))
        ours, theirs = self.averaged.state_dict(), self.network.state_dict()
        for name, value in ours.items():
            if value.dtype.is_floating_point:
                value.lerp_(theirs[name], 1 - decay)
            else:
                value.copy_(theirs[name])

    def validation_step(self, batch: Sequence[Tensor], _: int) -> None:
        """Encode images uint8 [B,3,H,W] with the averaged weights."""
        raw, labels, positions = batch
        images = (raw.float() / 255).contiguous(memory_format=torch.channels_last)
        self._measured.append((self.averaged.encoder(images).mean.float().cpu(), labels.cpu(), positions.cpu()))

    def on_validation_epoch_end(self) -> None:
        """Log retrieval of the validation images among the training images, by the diagnosis dimensions."""
        latents, labels, positions = (torch.cat(part).numpy() for part in zip(*self._measured, strict=True))
        self._measured.clear()
        cut = len(self.trainer.datamodule.train_positions)  # type: ignore[attr-defined]
        if len(latents) <= cut:
            return  # Lightning's sanity check has only the first batches.
        lesions = [self.lesions[position] for position in positions]
        gallery = Labelled(latents[:cut], labels[:cut], lesions[:cut])
        queries = Labelled(latents[cut:], labels[cut:], lesions[cut:])
        weights = np.zeros(latents.shape[1])
        weights[: self.config.model.diagnosis_dimensions] = 1
        figures = retrieval_metrics(queries, gallery, weights, self.classes)
        self.log_dict({f"validation/{name}": value for name, value in figures.items()})

    def configure_optimizers(self) -> Any:
        """Return AdamW with a lower rate for pretrained layers, warmed up and annealed by a cosine."""
        chosen = self.config.optimiser
        pretrained = [p for p in self.network.encoder.backbone.parameters() if p.requires_grad]
        known = {id(p) for p in pretrained}
        new = [p for p in self.network.parameters() if p.requires_grad and id(p) not in known]
        optimiser = torch.optim.AdamW(
            [{"params": pretrained, "lr": chosen.backbone_rate}, {"params": new, "lr": chosen.new_rate}],
            weight_decay=chosen.weight_decay,
        )
        schedule = warmed_cosine(optimiser, int(self.trainer.estimated_stepping_batches), chosen.warmup)
        return {"optimizer": optimiser, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


def shrink(images: Tensor, height: int, width: int) -> Tensor:
    """Return images [B,3,H,W] as the decoder's target [B,3,height,width], without aliasing."""
    if images.shape[-2:] == (height, width):
        return images
    return functional.interpolate(images, (height, width), mode="bilinear", antialias=True, align_corners=False)
