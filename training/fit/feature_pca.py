"""Condenses the pooled features to the diagnosis dimensions that ship: their principal components, without labels.

The backbone has learned from labels what to look at. Labels that shape the last layer besides draw the training images
together, one by one; they are the gallery, and a query between two diagnoses then finds neighbours of one kind: sharp,
and wrong about doubt. Components of features of unit length keep the cosine between images as well as so many
dimensions can (Eckart & Young 1936). What a single label would have added, a second view of the image gives: the
features are a mean over mirrored views wherever images have no up. Their square roots are taken: the features of a
plain nevus are large, of a rare diagnosis small, and without roots the mean that is subtracted is that of the former;
plain nevi then lie around it in all directions, and how far two of them are apart says nothing.
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
"""About so many images tell how far changes move one."""
CONDENSE = "condense.diagnosis_dimensions"
"""In the recipe of each network that was condensed."""
SHRINKAGE = 1e-4
"""Of the class head's weights: without it they grow for ever where diagnoses can be told apart."""


@dataclass(frozen=True)
class CondenseConfig:
    """The shape of the diagnosis part of the latent that ships."""

    diagnosis_dimensions: int = 16
    """Fewer lose what tells rare diagnoses apart; more cost every rollout eleven images each, and gain nothing."""
    mirrored: bool = True
    """As in `ModelConfig`; only where the augmentation says that images have no up."""
    rooted: bool = True
    """As in `ModelConfig`."""

    def flat(self) -> dict[str, Scalar]:
        """Return the choices by name, as the recipe of a bundle lists them."""
        return {f"condense.{name}": value for name, value in vars(self).items()}


def condense(
    network: GuidedVAE, collection: Collection, config: CondenseConfig, changes: AugmentConfig, seed: int = 0
) -> GuidedVAE:
    """Return a network of the configuration's shape on the same backbone, its diagnosis dimensions and head fitted.

    Raises `BadInput` where there are fewer training images than dimensions.

    All else is taken over, except that the decoder has to learn what the new diagnosis dimensions mean. The variance of
    a diagnosis dimension is how far the `changes` of training, which leave the diagnosis as it is, move an image along
    it on average.
    """
    torch.manual_seed(seed)
    shape = replace(
        network.config,
        diagnosis_dimensions=config.diagnosis_dimensions,
        mirrored=config.mirrored and changes.has_no_up,
        rooted=config.rooted,
        pretrained=False,
    )
    result = GuidedVAE(shape, len(collection.classes)).eval().requires_grad_(False)
    result.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    _take_over(result, network)
    features = _pooled(result, collection, collection.train_positions)
    _read_components(result, features)
    means = result.encoder.read(features).mean  # [N,S]
    step = -(-len(means) // MOVED)
    changed = _pooled(result, collection, collection.train_positions[::step], changes)
    moved = result.encoder.read(changed).mean - means[::step]
    result.encoder.diagnosis.bias[means.shape[1] :] = moved.square().mean(0).log().clamp(*LOG_VARIANCE_RANGE) + NARROWED
    result.head = _fit_head(means, collection).requires_grad_(False)
    return result


def _take_over(result: GuidedVAE, network: GuidedVAE) -> None:
    """Load what both shapes have, and of the decoder's first layers the columns of the appearance dimensions."""
    ours, guided, before = result.state_dict(), result.config.diagnosis_dimensions, network.config.diagnosis_dimensions
    for name, value in network.state_dict().items():
        if ours[name].shape == value.shape:
            ours[name].copy_(value)
    for name in ("decoder.linear.weight", "decoder.first.weight"):
        ours[name][:, :guided] = 0
        ours[name][:, guided:] = network.state_dict()[name][:, before:]


def _read_components(network: GuidedVAE, features: Tensor) -> None:
    """Set the layer of the diagnosis dimensions; what log-variances are read from becomes a constant."""
    layer, count = network.encoder.diagnosis, network.config.diagnosis_dimensions
    if len(features) <= count:
        raise BadInput(f"{len(features)} training images span no {count} diagnosis dimensions; there must be more")
    levelled = network.encoder.levelled(features)
    centre = levelled.mean(0)
    unit = functional.normalize(levelled - centre)
    axes = PCA(count, svd_solver="full").fit(unit.double().numpy()).components_
    layer.weight.zero_()
    layer.bias.zero_()
    layer.weight[:count] = torch.from_numpy(axes).to(levelled)
    layer.bias[:count] = -layer.weight[:count] @ centre


def _fit_head(means: Tensor, collection: Collection) -> nn.Linear:
    """Return the head under which the labels of the training images are likeliest, given their shares of these."""
    told = torch.from_numpy(collection.label_matrix[collection.train_positions])  # [N,C]
    shares = told.mean(0).clamp(1e-6, 1 - 1e-6)
    head = nn.Linear(means.shape[1], told.shape[1])
    nn.init.zeros_(head.weight)
    nn.init.zeros_(head.bias)
    optimiser = torch.optim.LBFGS(head.parameters(), max_iter=200, line_search_fn="strong_wolfe")

    def cost() -> Tensor:
        optimiser.zero_grad()
        if collection.many_labels:
            error = terms.adjusted_binary_cross_entropy(head(means), told, shares.logit())
        else:
            error = terms.adjusted_cross_entropy(head(means), told, shares.log())
        total = error + SHRINKAGE * head.weight.square().sum()
        total.backward()  # type: ignore[no-untyped-call]
        return total

    optimiser.step(cost)  # type: ignore[no-untyped-call]
    return head.eval()


@torch.no_grad()
def _pooled(
    network: GuidedVAE, collection: Collection, positions: Sequence[int], changes: AugmentConfig | None = None
) -> Tensor:
    """Return the features [N,1280] of the images at these positions, as they are or each changed at random."""
    batches = collection.images(positions)
    return torch.cat([network.encoder.pooled(augment(part, changes) if changes else part) for part in batches])
