import torch

from training.augment import augment, move
from training.config import AugmentConfig

STILL = AugmentConfig(scale=0, shift=0, brightness=0, contrast=0, saturation=0, tint=0)


def test_augment__stays_in_range_and_repeats_with_its_generator() -> None:
    images = torch.rand(6, 3, 30, 40)
    first = augment(images, AugmentConfig(), torch.Generator().manual_seed(4))
    second = augment(images, AugmentConfig(), torch.Generator().manual_seed(4))
    assert torch.equal(first, second)
    assert first.min() >= 0
    assert first.max() <= 1


def test_move__turns_without_stretching() -> None:
    rows, columns = torch.meshgrid(torch.arange(60) - 29.5, torch.arange(80) - 39.5, indexing="ij")
    disc = (rows**2 + columns**2 < 15**2).float().expand(8, 3, 60, 80)
    moved = move(disc, STILL, torch.Generator().manual_seed(0))
    assert (moved - disc).abs().mean() < 0.01


def test_move__keeps_a_uniform_image() -> None:
    grey = torch.full((4, 3, 20, 30), 0.4)
    torch.testing.assert_close(move(grey, AugmentConfig()), grey)
