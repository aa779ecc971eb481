from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch

from training.config.guided import ModelConfig
from training.export.onnx_graphs import DecoderGraph, FromStandard, write_graph
from training.latent_space.axes import Axes
from training.models.guided_vae import GuidedVAE

SHAPE = ModelConfig(
    diagnosis_dimensions=5,
    appearance_dimensions=4,
    pretrained=False,
    decoder_width=64,
    output_height=32,
    output_width=64,
    generator_width=48,
)


@pytest.fixture(scope="module")
def network() -> GuidedVAE:
    torch.manual_seed(3)
    network = GuidedVAE(SHAPE, 3).eval().requires_grad_(False)
    assert network.generator is not None
    torch.nn.init.normal_(network.generator.added.weight, std=0.3)  # as if trained: a new one draws next to nothing
    for blocks in network.generator.blocks:
        for block in blocks:  # type: ignore[union-attr]
            torch.nn.init.normal_(block.scale.weight, std=0.5)
    return network


def test_generator__draws_at_one_and_a_half_times_the_decoders_size_and_the_same_each_time(network: GuidedVAE) -> None:
    latents = torch.randn(3, 9)
    drawn = network.decode(latents)
    assert drawn.shape == (3, 3, SHAPE.image_height, SHAPE.image_width) == (3, 3, 48, 96)
    assert torch.equal(drawn, network.decode(latents))
    assert float(drawn.min()) >= 0
    assert float(drawn.max()) <= 1


def test_generator__draws_where_the_lesion_is(network: GuidedVAE) -> None:
    """What a move changes on an image with a lesion and not on bare skin lies on the side of the lesion."""
    generator = network.generator
    assert generator is not None
    skin, left, right = (torch.full((1, 3, 32, 64), 0.6) for _ in range(3))
    left[..., 8:24, 8:24], right[..., 8:24, 40:56] = 0.4, 0.4
    low, high = torch.zeros(1, 9), torch.zeros(1, 9)
    low[:, 0], high[:, 0] = -2, 2
    of_skin, of_left, of_right = (generator(base, high) - generator(base, low) for base in (skin, left, right))
    for change, side in ((of_left, 0), (of_right, 1)):
        halves = (change - of_skin).abs().sum((0, 1, 2)).split(48)
        assert float(halves[side].sum()) > 2 * float(halves[1 - side].sum())


def test_generator__mixes_noise_anew_for_each_lesion_but_keeps_it_when_a_ranking_dimension_moves(
    network: GuidedVAE,
) -> None:
    generator = network.generator
    assert generator is not None
    appearance = torch.randn(64, 4) * 3
    shares = torch.cos(appearance @ generator.turns + generator.phases)
    noise = torch.nn.functional.normalize(shares @ generator.maps)
    alike = (noise @ noise.T)[~torch.eye(64, dtype=torch.bool)]
    assert float(alike.mean()) < 0.3
    seen: list[torch.Tensor] = []
    handle = generator.read[0].register_forward_pre_hook(lambda _, given: seen.append(given[0][:, 3]))
    latents = torch.randn(1, 9)
    moved = latents.clone()
    moved[:, :5] += 1
    network.decode(latents)
    network.decode(moved)
    handle.remove()
    assert torch.equal(seen[0], seen[1])


def test_generator__leaves_no_grid(network: GuidedVAE) -> None:
    """A transposed convolution or a pixel shuffle shows as power at the spatial frequency of every second pixel."""
    generator = network.generator
    assert generator is not None
    flat = torch.full((1, 3, 32, 64), 0.5)
    maps, generator.maps = generator.maps, torch.zeros_like(generator.maps)
    change = (generator(flat, torch.randn(1, 9)) - 0.5)[0, 0, 12:36, 24:72]  # away from the borders
    generator.maps = maps
    window = np.hanning(24)[:, None] * np.hanning(48)  # the ends of a piece of a slope are no grid
    power = np.abs(np.fft.fft2((change - change.mean()).numpy() * window)) ** 2
    assert power[12].sum() + power[:, 24].sum() < 1e-3 * max(float(power.sum()), 1e-9) + 1e-9


def test_decoder_graph__holds_the_generator_and_the_image_before_it(network: GuidedVAE, tmp_path: Path) -> None:
    axes = Axes(np.linspace(0, 1, 9), np.diag(np.linspace(1, 2, 9)))
    graph = DecoderGraph(network, FromStandard(axes, np.zeros(9), np.ones(9)))
    latents = torch.randn(4, 9)
    write_graph(graph, latents, tmp_path / "decoder.onnx", "latent", graph.results)
    session = onnxruntime.InferenceSession(tmp_path / "decoder.onnx")
    image, base = session.run(["image", "base"], {"latent": latents.numpy()})
    raw = torch.from_numpy(latents.numpy() @ axes.inverse.T + axes.centre).float()
    np.testing.assert_allclose(image, network.decode(raw).numpy(), atol=1e-4)
    np.testing.assert_allclose(base, network.decoder(raw).numpy(), atol=1e-4)


def test_decoder_graph__of_a_network_without_a_generator_has_one_output(tmp_path: Path) -> None:
    plain = GuidedVAE(ModelConfig(**vars(SHAPE) | {"generator_width": 0}), 3).eval()
    graph = DecoderGraph(plain, FromStandard(Axes(np.zeros(9), np.eye(9)), np.zeros(9), np.ones(9)))
    write_graph(graph, torch.randn(4, 9), tmp_path / "decoder.onnx", "latent", graph.results)
    outputs = onnxruntime.InferenceSession(tmp_path / "decoder.onnx").get_outputs()
    assert [(output.name, output.shape[1:]) for output in outputs] == [("image", [3, 32, 64])]
