"""Terms that make a ranking dimension seen in decoded images, and read back from them.

Ranking coordinates are standardised. Shapes: B images, S ranking dimensions.
"""

import torch
from torch import Tensor
from torch.nn import functional

POOL = 4
"""Pixels to which changes are averaged before they are compared between lesions: a stamp is larger than that."""


def reading_error(read: Tensor, wanted: Tensor, shares: Tensor) -> Tensor:
    """Return how far the coordinates read [B,S] are from the wanted ones [B,S].

    0 where they agree, about 1/2 where the mean is read of everything, about 1 where another image's are read.

    Each dimension counts half by its share of the distance [S], which sums to 1, and half as all others: what ranks
    most comes first, and a dimension that ranks little has to stay all the same.
    """
    weight = (shares + 1 / len(shares)) / 2
    return ((read - wanted).square() @ weight).mean() / 2


def leak(movement: Tensor, dimension: int, wanted: Tensor, shares: Tensor) -> Tensor:
    """Return the movement [B,S] of other dimensions than `dimension` over the wanted movement [B] of that one.

    The other dimensions' movements are averaged by their shares [S] of the distance.
    """
    others = shares.clone()
    others[dimension] = 0
    return (movement.abs() @ (others / others.sum()) / wanted.abs()).mean()


def lesion_weights(images: Tensor) -> Tensor:
    """Return weights [B,1,H,W] that sum to 1: how far each pixel of images [B,3,H,W] differs from skin, the border's.

    Squared, so that the lesion counts and shading hardly does.
    """
    border = torch.cat([images[..., :2, :].flatten(2), images[..., -2:, :].flatten(2)], 2)
    skin = border.median(2).values[:, :, None, None]
    distance = (images - skin).abs().mean(1, keepdim=True).square() + 1e-6
    return distance / distance.sum((2, 3), keepdim=True)


def invisible(change: Tensor, weights: Tensor, least: float) -> Tensor:
    """Return how much of a visible change of `least` is missing, 0 to 1: change [B,3,H,W], weights [B,1,H,W]."""
    seen = (change.abs() * weights).sum((2, 3)).mean(1)  # [B]
    return (functional.relu(least - seen) / least).mean()


def stamp(change: Tensor, weights: Tensor) -> Tensor:
    """Return the mean correlation, over pairs of lesions, of changes [B,3,H,W], each moved to the lesion's centre.

    The centre is that of the weights [B,1,H,W]. 1: the same is drawn on all.
    """
    small = functional.avg_pool2d(change, POOL)
    places = functional.avg_pool2d(weights, POOL)
    height, width = small.shape[-2:]
    down = (places.sum((1, 3)) @ torch.arange(height).to(places)) / places.sum((1, 2, 3))
    across = (places.sum((1, 2)) @ torch.arange(width).to(places)) / places.sum((1, 2, 3))
    # A little less, so that all halves are rounded to the same side: equal lesions have to come to the same place.
    steps = [(size / 2 - at - 0.01).round().int().tolist() for size, at in ((height, down), (width, across))]
    moves = zip(*steps, strict=True)
    centred = torch.stack([one.roll(move, (1, 2)) for one, move in zip(small, moves, strict=True)])
    unit = functional.normalize((centred - centred.mean((2, 3), keepdim=True)).flatten(1), dim=1)
    count = len(unit)
    return ((unit @ unit.T).sum() - count) / (count * (count - 1))


def hinge_of_critic(real: Tensor, drawn: Tensor) -> Tensor:
    """Return the critic's loss of its logits on real and on drawn images (Lim & Ye 2017, eq. 2)."""
    return functional.relu(1 - real).mean() + functional.relu(1 + drawn).mean()
