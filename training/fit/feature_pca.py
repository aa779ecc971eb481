"""Condense the pooled features to the diagnosis dimensions that ship: their principal components, without labels.

The backbone was trained with labels. A last layer fitted to labels as well pulls the training images, which are the
gallery, towards their own label; a query between two diagnoses then has neighbours of one, and the vote is
overconfident. Components of features of unit length preserve the cosine between images as well as any projection to so
many dimensions (Eckart & Young 1936). A second view of the image brings what a label would have added: features are a
mean over mirrored views where images have no upright orientation. Their square roots are taken: features of common
nevi are large and those of rare diagnoses small, so without roots the subtracted mean is that of nevi, which then lie
around it in all directions with distances that carry no information.

What a dermatologist calls by name (a pigment network, streaks) varies little between images, and most of it is in none
of so few components. Where images teach such attributes, a dimension for each is appended that predicts it linearly
from the features. They are narrow, so that they hardly count in a distance that undoes the standardisation, as the
clinical weights do.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from sklearn.decomposition import PCA
from torch import Tensor, nn
from torch.nn import functional

from casekin.errors import BadInput
from training.config.guided import AugmentConfig, Scalar
from training.data.attribute_images import AttributeImages, refuse_few
from training.data.augment import augment
from training.data.collection import Collection
from training.losses import terms
from training.models.guided_vae import LOG_VARIANCE_RANGE, NARROWED, GuidedVAE
from training.models.ridge import direction

MOVED = 1024
"""About so many images measure how far augmentation moves a latent."""
CONDENSE = "condense.diagnosis_dimensions"
"""Entry in the recipe of each condensed network."""
ATTRIBUTES = "condense.attributes"
"""Entry in the recipe: the names of the attributes whose dimensions are appended, in their order."""
SEPARATOR = "; "
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
    attribute_spread: float = 0.5
    """Standard deviation of each dimension that is appended for an attribute, relative to the last component's."""

    def flat(self) -> dict[str, Scalar]:
        """Return the settings by name, as the recipe of a bundle lists them."""
        return {f"condense.{name}": value for name, value in vars(self).items()}


def condense(
    network: GuidedVAE,
    collection: Collection,
    config: CondenseConfig,
    changes: AugmentConfig,
    seed: int = 0,
    attributes: AttributeImages | None = None,
) -> GuidedVAE:
    """Return a network of the configuration's shape on the same backbone, its diagnosis dimensions and head fitted.

    Raises `BadInput` where there are fewer training images than dimensions. `attributes` append a dimension each, which
    their images in the training folds teach; `BadInput` where fewer than 10 of these have one or lack it.

    The rest is copied, except that the decoder has to be fitted to the new diagnosis dimensions. The variance of a
    diagnosis dimension is the mean squared shift along it under the augmentation `changes`.
    """
    torch.manual_seed(seed)
    shape = replace(
        network.config,
        diagnosis_dimensions=config.diagnosis_dimensions + (len(attributes.names) if attributes else 0),
        mirrored=config.mirrored and changes.is_orientation_free,
        rooted=config.rooted,
        pretrained=False,
    )
    result = GuidedVAE(shape, len(collection.classes)).eval().requires_grad_(False)
    result.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    _copy_weights(result, network)
    features = _pooled(result, collection, collection.train_positions)
    _read_components(result, features, config.diagnosis_dimensions)
    if attributes is not None:
        _append_attributes(result, features, attributes, collection.config.train_folds, config)
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


def _read_components(network: GuidedVAE, features: Tensor, count: int) -> None:
    """Set the first `count` rows of the layer of the diagnosis dimensions to components; log-variances are constant."""
    layer = network.encoder.diagnosis
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


def _append_attributes(
    network: GuidedVAE, features: Tensor, attributes: AttributeImages, folds: Sequence[int], config: CondenseConfig
) -> None:
    """Set the rows behind the components to the directions of the attributes.

    They are regressions on features as the layer's output is scaled: divided by the length of the components.
    """
    layer, count = network.encoder.diagnosis, config.diagnosis_dimensions
    rows = attributes.in_folds(folds)
    for name, values in zip(attributes.names, attributes.values[rows].T, strict=True):
        refuse_few(values[np.isfinite(values)] > 0, name)
    with torch.no_grad():
        pooled = torch.cat([network.encoder.pooled(images) for images in attributes.batches(rows)])
    components = layer.weight[:count].double()
    centre = network.encoder.rooted_features(features).double().mean(0)

    def scaled(pooled: Tensor) -> Tensor:
        centred = network.encoder.rooted_features(pooled).double() - centre
        return torch.as_tensor(centred / (centred @ components.T).norm(dim=1, keepdim=True))

    taught, train = scaled(pooled).numpy(), scaled(features)
    slopes = torch.stack([torch.from_numpy(direction(taught, values)) for values in attributes.values[rows].T])  # [A,F]
    narrowest = (train @ components[-1]).std()
    slopes *= (config.attribute_spread * narrowest / (train @ slopes.T).std(0))[:, None]
    layer.weight[count : count + len(slopes)] = slopes.to(layer.weight)
    layer.bias[count : count + len(slopes)] = -(slopes @ centre).to(layer.bias)


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
