import pytest
import torch

from training.models.guided_vae import Discriminator, Shape
from training.models.layers import SpatialBroadcast
from training.vae_baselines.fit import as_images, network_for


@pytest.mark.parametrize("architecture", ["convolutional", "fully-connected"])
@pytest.mark.parametrize("shape", [Shape(1, 64, 64), Shape(3, 48, 64), Shape(1, 32, 32)])
def test_plain_vae__maps_images_to_posteriors_and_latents_to_logits(architecture: str, shape: Shape) -> None:
    network = network_for(architecture, 10, shape)
    posterior = network.encoder(torch.rand(2, *shape))
    assert posterior.mean.shape == posterior.log_variance.shape == (2, 10)
    assert network.decoder(posterior.mean).shape == (2, *shape)


def test_convolutional_vae__encodes_by_the_layers_of_burgess_2018() -> None:
    network = network_for("convolutional", 10, Shape(1, 64, 64))
    kernels = [tuple(p.shape) for p in network.encoder.parameters() if p.ndim == 4]
    assert kernels == [(32, 1, 4, 4), (32, 32, 4, 4), (32, 32, 4, 4), (32, 32, 4, 4)]
    dense = [tuple(p.shape) for p in network.encoder.parameters() if p.ndim == 2]
    assert dense == [(256, 512), (256, 256), (20, 256)]


def test_spatial_broadcast__is_a_convolution_of_the_latent_broadcast_beside_coordinates() -> None:
    layer = SpatialBroadcast(10, 7, 4, 6)
    latents = torch.randn(3, 10)
    laid_out = latents[:, :, None, None].expand(3, 10, 4, 6)
    down, across = torch.arange(4) / 3 * 2 - 1, torch.arange(6) / 5 * 2 - 1
    at = torch.stack([down[:, None].expand(4, 6), across.expand(4, 6)])  # [2,4,6]
    beside = torch.cat([laid_out, torch.cat([at, at**2]).expand(3, 4, 4, 6)], 1)
    kernel = torch.cat([layer.latent_map.weight, layer.position_map.weight[:, :, 0, 0]], 1)
    assert layer.position_map.bias is not None
    expected = (
        torch.einsum("ck,bkij->bcij", kernel, beside) + (layer.latent_map.bias + layer.position_map.bias)[:, None, None]
    )
    torch.testing.assert_close(layer(latents), expected)


def test_convolutional_vae__refuses_sizes_that_four_halvings_do_not_fit() -> None:
    with pytest.raises(ValueError, match="images are 40 x 64"):
        network_for("convolutional", 10, Shape(1, 40, 64))


def test_discriminator__gives_one_logit_per_latent() -> None:
    assert Discriminator(10, 16)(torch.randn(5, 10)).shape == (5,)


def test_as_images__are_channels_last_in_memory_and_in_range() -> None:
    images = as_images(torch.full((2, 4, 6, 3), 255, dtype=torch.uint8))
    assert images.shape == (2, 3, 4, 6)
    assert images.is_contiguous(memory_format=torch.channels_last)
    assert float(images.max()) == 1


@pytest.mark.parametrize("architecture", ["convolutional", "fully-connected"])
def test_plain_vae__starts_with_signals_that_neither_fade_nor_grow(architecture: str) -> None:
    torch.manual_seed(0)
    network = network_for(architecture, 10, Shape(1, 32, 32))
    means = network.encoder(torch.rand(256, 1, 32, 32)).mean
    assert 0.1 < float(means.std()) < 10
    assert 0.1 < float(network.decoder(torch.randn(256, 10)).std()) < 10
