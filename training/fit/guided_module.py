"""One training step of the guided VAE, its optimiser, and its measurement on the validation folds."""

import copy
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import lightning
import numpy as np
import torch
from torch import Tensor, nn

from casekin.errors import BadInput
from training.config.guided import Config
from training.data.augment import augment, mix
from training.data.collection import Collection
from training.data.degrade import recopy
from training.evaluation.metrics import retrieval_metrics
from training.evaluation.retrieval import Labelled
from training.fit.trainer import seed_step, warmed_cosine
from training.losses import terms
from training.losses.objective import downscale, unsupervised_terms, weighted
from training.models.backbone import POOLED_CHANNELS
from training.models.guided_vae import GuidedVAE, Posterior

FOLD_SETTINGS = ("data.train_folds", "data.validation_folds")
"""Settings of a recipe that a run must be resumed with: on other folds it would learn those that are to measure it."""


class GuidedTraining(lightning.LightningModule):
    """Trains `network` and keeps `averaged`, the moving average of its weights, which is what gets exported."""

    log_prior: Tensor
    label_matrix: Tensor | None
    attributes: Tensor
    sources: Tensor

    def __init__(self, config: Config, collection: Collection) -> None:
        """Take what is learned from each position of the collection: diagnoses, sources, attributes."""
        super().__init__()
        self.config, self.vocabulary = config, collection.training_vocabulary
        self.lesions = [case.lesion for case in collection.all_cases]
        self.recipe = config.flat()
        self.network = GuidedVAE(config.model, len(self.vocabulary)).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.averaged = copy.deepcopy(self.network).requires_grad_(False).eval()
        self.attribute_head = nn.Linear(POOLED_CHANNELS, len(config.data.attributes))
        labels = torch.from_numpy(collection.label_matrix) if collection.many_labels else None
        self.register_buffer("label_matrix", labels, persistent=False)
        self.register_buffer("attributes", torch.from_numpy(collection.attribute_matrix), persistent=False)
        self.register_buffer("sources", torch.from_numpy(collection.source_numbers), persistent=False)
        shares = torch.tensor(collection.drawn_shares(), dtype=torch.float32)
        self.register_buffer("log_prior", shares.clamp(min=1e-6).log())
        self._measured: list[tuple[Tensor, Tensor, Tensor]] = []

    def start_from(self, network: GuidedVAE) -> None:
        """Start from the weights of another network, as far as shapes agree."""
        known = network.state_dict()
        for part in (self.network, self.averaged):
            fitting = {n: v for n, v in known.items() if part.state_dict()[n].shape == v.shape}
            part.load_state_dict(fitting, strict=False)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Store the model's shape and the recipe with the weights."""
        checkpoint["model"], checkpoint["recipe"] = asdict(self.config.model), self.recipe
        checkpoint["classes"] = list(self.vocabulary.codes)

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Refuse to resume a run of another collection, or one that was trained on other folds."""
        before = checkpoint.get("classes", list(self.vocabulary.codes))
        if before != list(self.vocabulary.codes):
            raise BadInput(
                f"the run {self.config.name!r} was begun on a collection with the diagnoses {', '.join(before)}; "
                f"this one has {', '.join(self.vocabulary.codes)}: name another --store"
            )
        for setting in FOLD_SETTINGS:
            if (begun := checkpoint["recipe"].get(setting)) not in (None, self.recipe[setting]):
                raise BadInput(
                    f"the run {self.config.name!r} was begun with {setting} {begun!r} and is now to go on with "
                    f"{self.recipe[setting]!r}: name another --store, or remove the run"
                )

    def on_train_batch_start(self, *_: Any) -> None:
        """Seed the step, so that a resumed run repeats it."""
        seed_step(self.config.seed, self.global_step, self.global_rank)
        self.averaged.eval()

    def training_step(self, batch: Sequence[Tensor], _: int) -> Tensor:
        """Return the loss of images uint8 [B,3,H,W], labels [B], positions [B]."""
        raw, labels, positions = batch
        targets, changes = self._targets(labels, positions), self.config.augment
        images, targets = mix(augment(self._sized(raw.float() / 255), changes), targets, changes)
        weight, model, network = self.config.loss, self.config.model, self.network
        copied = recopy(images[: round(weight.copied_share * len(images))], changes)
        both = torch.cat([images, copied]).contiguous(memory_format=torch.channels_last)
        pooled, copies = network.encoder.pooled(both).split([len(images), len(copied)])  # one batch for BatchNorm
        dropped = network.encoder.dropout(pooled)
        parts = network.encoder.read(dropped), network.encoder.appearance(images)
        posterior = Posterior(*(torch.cat(pair, 1) for pair in zip(*parts, strict=True)))
        some = max(1, round(weight.reconstruct_share * len(images)))
        # Blends come last, so that only unblended images are decoded.
        target = downscale(images[:some], model.output_height, model.output_width)
        losses = unsupervised_terms(network, posterior, target, weight, len(self.lesions))
        losses |= self._supervised_terms(posterior.mean, targets, self.sources[positions])
        losses["attributes"] = terms.known_binary_cross_entropy(
            self.attribute_head(dropped), self._unblended(self.attributes[positions])
        )
        if len(copied):
            losses["copies"] = terms.copy_contrastive(pooled, copies, weight.temperature)
        self.log_dict({f"train/{name}": value for name, value in losses.items()}, on_step=False, on_epoch=True)
        return weighted(losses, weight, model.dimensions)

    def _sized(self, images: Tensor) -> Tensor:
        """Return the images [B,3,H,W] at the size of this epoch."""
        chosen, (height, width) = self.config.optimiser, images.shape[-2:]
        if self.current_epoch >= round(chosen.coarse_share * chosen.epochs):
            return images
        return downscale(images, height * 3 // 4, width * 3 // 4)

    def _unblended(self, values: Tensor) -> Tensor:
        """Return values [B,A] of which those of blended images, which come last, are unknown."""
        blended = round(self.config.augment.mixed * len(values))
        return torch.cat([values[: len(values) - blended], torch.full_like(values[len(values) - blended :], torch.nan)])

    def _targets(self, labels: Tensor, positions: Tensor) -> Tensor:
        """Return multi-hot targets [B,C]: the one label [B] of each image, or all of them."""
        if self.label_matrix is None:
            return torch.nn.functional.one_hot(labels, len(self.vocabulary)).float()
        return self.label_matrix[positions]

    def _supervised_terms(self, means: Tensor, targets: Tensor, sources: Tensor) -> dict[str, Tensor]:
        """Return the terms of class head and ranking, unweighted, for targets [B,C] and sources [B]."""
        weight, logits = self.config.loss, self.network.logits(means)
        ranked = means[:, : self.config.model.diagnosis_dimensions]
        if self.label_matrix is None:
            entropy = terms.adjusted_cross_entropy(logits, targets, self.log_prior, weight.label_smoothing)
            preference = 1 + weight.across_sources * (sources[:, None] != sources[None, :])
            return {
                "cross_entropy": entropy,
                "contrastive": terms.supervised_contrastive(ranked, targets, weight.temperature, preference),
            }
        odds = torch.logit(self.log_prior.exp(), eps=1e-6)
        entropy = terms.adjusted_binary_cross_entropy(logits, targets, odds, weight.label_smoothing)
        return {
            "cross_entropy": entropy,
            "contrastive": terms.jaccard_contrastive(ranked, targets, weight.temperature),
        }

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
        figures = retrieval_metrics(queries, gallery, weights, self.vocabulary)
        self.log_dict({f"validation/{name}": value for name, value in figures.items()})

    def configure_optimizers(self) -> Any:
        """Return AdamW with a lower rate for pretrained layers, warmed up and annealed by a cosine."""
        chosen = self.config.optimiser
        pretrained = [p for p in self.network.encoder.backbone.parameters() if p.requires_grad]
        linear = self.network.linear_parameters()
        known = {id(p) for p in pretrained + linear}
        new = [p for p in self.network.parameters() if p.requires_grad and id(p) not in known]
        new += self.attribute_head.parameters()
        optimiser = torch.optim.AdamW(
            [
                {"params": pretrained, "lr": chosen.backbone_rate},
                {"params": linear, "lr": chosen.linear_rate},
                {"params": new, "lr": chosen.new_rate},
            ],
            weight_decay=chosen.weight_decay,
        )
        schedule = warmed_cosine(optimiser, int(self.trainer.estimated_stepping_batches), chosen.warmup)
        return {"optimizer": optimiser, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}
