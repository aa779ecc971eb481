"""Condense the pooled features to the diagnosis dimensions that ship: their principal components, without labels.

The backbone was trained with labels. A last layer fitted to labels as well pulls the training images, which are the
gallery, towards their own label; a query between two diagnoses then has neighbours of one, and the vote is
overconfident. Components of features of unit length preserve the cosine between images as well as any projection to so
many dimensions (Eckart & Young 1936). A second view of the image brings what a label would have added: features are a
mean over mirrored views where images have no upright orientation. Their square roots are taken: features of common
nevi are large and those of rare diagnoses small, so without roots the subtracted mean is that of nevi, which then lie
around it in all directions with distances that carry no information.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from sklearn.decomposition import PCA
from torch import Tensor, nn
from torch.nn import functional

from casekin.errors import BadInput
from training.config.guided import AugmentConfig, Scalar
from training.data.augment import augment
from training.data.collection import Collection
from training.losses import terms
from training.models.guided_vae import LOG_VARIANCE_RANGE, NARROWED, GuidedVAE

MOVED = 1024
"""About so many images measure how far augmentation moves a latent."""
CONDENSE = "condense.diagnosis_dimensions"
"""Entry in the recipe of each condensed network."""
SHRINKAGE = 1e-4
"""L2 penalty of the class head's weights, which otherwise diverge where diagnoses are separable."""


@dataclass(frozen=True)
class CondenseConfig:
    """The shape of the diagnosis part of the latent that ships."""

    diagnosis_dimensions: int = 16
    """Fewer lose the separation of rare diagnoses; each further one costs every rollout eleven images."""
    mirrored: bool = True
    """As in `ModelConfig`; only where images have no upright orientation."""
    rooted: bool = True
    """As in `ModelConfig`."""

    def flat(self) -> dict[str, Scalar]:
        """Return the settings by name, as the recipe of a bundle lists them."""
        return {f"condense.{name}": value for name, value in vars(self).items()}


def condense(
    network: GuidedVAE, collection: Collection, config: CondenseConfig, changes: AugmentConfig, seed: int = 0
) -> GuidedVAE:
    """Return a network of the configuration's shape on the same backbone, its diagnosis dimensions and head fitted.

    Raises `BadInput` where there are fewer training images than dimensions.

    The rest is copied, except that the decoder has to be fitted to the new diagnosis dimensions. The variance of a
    diagnosis dimension is the mean squared shift along it under the augmentation `changes`.
    """
    torch.manual_seed(seed)
    shape = replace(
        network.config,
        diagnosis_dimensions=config.diagnosis_dimensions,
        mirrored=config.mirrored and changes.is_orientation_free,
        rooted=config.rooted,
        pretrained=False,
    )
    result = GuidedVAE(shape, len(collection.classes)).eval().requires_grad_(False)
    result.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    _copy_weights(result, network)
    features = _pooled(result, collection, collection.train_positions)
    _read_components(result, features)
    means = result.encoder.read(features).mean  # [N,S]
    step = -(-len(means) // MOVED)
    augmented = _pooled(result, collection, collection.train_positions[::step], changes)
    moved = result.encoder.read(augmented).mean - means[::step]
    result.encoder.diagnosis.bias[means.shape[1] :] = moved.square().mean(0).log().clamp(*LOG_VARIANCE_RANGE) + NARROWED
    result.head = _fit_head(means, collection).requires_grad_(False)
    return result


def _copy_weights(result: GuidedVAE, network: GuidedVAE) -> None:
    """Copy weights of equal shape, and in the decoder's first layers the columns of the appearance dimensions."""
    ours, guided, before = result.state_dict(), result.config.diagnosis_dimensions, network.config.diagnosis_dimensions
    for name, value in network.state_dict().items():
        if ours[name].shape == value.shape:
            ours[name].copy_(value)
    for name in ("decoder.linear.weight", "decoder.first.weight"):
        ours[name][:, :guided] = 0
        ours[name][:, guided:] = network.state_dict()[name][:, before:]


def _read_components(network: GuidedVAE, features: Tensor) -> None:
    """Set the layer of the diagnosis dimensions to the components; log-variances become constant."""
    layer, count = network.encoder.diagnosis, network.config.diagnosis_dimensions
    if len(features) <= count:
        raise BadInput(f"{len(features)} training images span no {count} diagnosis dimensions; there must be more")
    rooted = network.encoder.rooted_features(features)
    centre = rooted.mean(0)
    unit = functional.normalize(rooted - centre)
    axes = PCA(count, svd_solver="full").fit(unit.double().numpy()).components_
    layer.weight.zero_()
    layer.bias.zero_()
    layer.weight[:count] = torch.from_numpy(axes).to(rooted)
    layer.bias[:count] = -layer.weight[:count] @ centre


def _fit_head(means: Tensor, collection: Collection) -> nn.Linear:
    """Return the maximum-likelihood head for the labels of the training images, given their prior."""
    targets = torch.from_numpy(collection.label_matrix[collection.train_positions])  # [N,C]
    shares = targets.mean(0).clamp(1e-6, 1 - 1e-6)
    head = nn.Linear(means.shape[1], targets.shape[1])
    nn.init.zeros_(head.weight)
    nn.init.zeros_(head.bias)
    optimiser = torch.optim.LBFGS(head.parameters(), max_iter=200, line_search_fn="strong_wolfe")

    def cost() -> Tensor:
        optimiser.zero_grad()
        if collection.many_labels:
            error = terms.adjusted_binary_cross_entropy(head(means), targets, shares.logit())
        else:
            error = terms.adjusted_cross_entropy(head(means), targets, shares.log())
        total = error + SHRINKAGE * head.weight.square().sum()
        total.backward()  # type: ignore[no-untyped-call]
        return total

    optimiser.step(cost)  # type: ignore[no-untyped-call]
    return head.eval()


@torch.no_grad()
def _pooled(
    network: GuidedVAE, collection: Collection, positions: Sequence[int], changes: AugmentConfig | None = None
) -> Tensor:
    """Return the features [N,1280] of the images at these positions, unchanged or each augmented at random."""
    batches = collection.images(positions)
    return torch.cat([network.encoder.pooled(augment(part, changes) if changes else part) for part in batches])
