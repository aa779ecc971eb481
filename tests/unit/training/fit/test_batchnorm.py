from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from training.config.guided import Config
from training.data.augment import augment
from training.data.collection import Collection
from training.fit.batchnorm import MOMENTUM, recompute_batchnorm
from training.fit.fit import module_for
from training.models.guided_vae import GuidedVAE


@pytest.fixture
def network(collection: Collection, tiny: Config) -> GuidedVAE:
    """Untrained, with statistics that fit nothing."""
    torch.manual_seed(0)
    network = module_for(tiny, collection).averaged.eval()
    for layer in network.encoder.backbone.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.running_mean.add_(0.1)  # type: ignore[union-attr]
            layer.running_var.mul_(1.5)  # type: ignore[union-attr]
    return network


def test_recompute_batchnorm__averages_each_layer_s_input(
    network: GuidedVAE, collection: Collection, tiny: Config
) -> None:
    still = replace(tiny.augment, rotation=0, mirror=False, scale=0, shift=0, brightness=0, contrast=0, saturation=0)
    still = replace(still, tint=0, corners=0, degraded=0)
    recomputed = recompute_batchnorm(network, collection, still)
    before, after = (
        one.encoder.backbone.blocks[1].expand[1] for one in (network, recomputed)
    )  # all before it is frozen
    given: list[Tensor] = []
    after.register_forward_pre_hook(lambda _, inputs: given.append(inputs[0]))
    mean, variance = before.running_mean, before.running_var
    with torch.no_grad():
        for raw, *_ in collection.train_dataloader():
            recomputed.encoder.pooled(augment(raw.float() / 255, still))
            mean = torch.lerp(mean, given[-1].mean((0, 2, 3)), MOMENTUM)
            variance = torch.lerp(variance, given[-1].var((0, 2, 3)), MOMENTUM)
    assert not torch.allclose(before.running_mean, after.running_mean, rtol=1e-3)
    torch.testing.assert_close(after.running_mean, mean)
    torch.testing.assert_close(after.running_var, variance)


def test_recompute_batchnorm__leaves_the_weights_and_what_is_frozen(
    network: GuidedVAE, collection: Collection, tiny: Config
) -> None:
    before = {name: value.clone() for name, value in network.state_dict().items()}
    recomputed = recompute_batchnorm(network, collection, tiny.augment)
    assert not recomputed.training
    changed = {name for name, value in recomputed.state_dict().items() if not torch.equal(value, before[name])}
    assert changed
    assert all("running_" in name or "num_batches" in name for name in changed)
    assert not any(name.startswith(("encoder.backbone.stem", "encoder.backbone.blocks.0.")) for name in changed)
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


def test_recompute_batchnorm__repeats_exactly(network: GuidedVAE, collection: Collection, tiny: Config) -> None:
    one, other = (recompute_batchnorm(network, collection, tiny.augment).state_dict() for _ in range(2))
    assert all(torch.equal(value, other[name]) for name, value in one.items())
