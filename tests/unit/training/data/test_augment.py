import math
from dataclasses import replace

import pytest
import torch

from training.config.guided import AugmentConfig
from training.data.augment import augment, blacken_corners, mix, move

STILL = AugmentConfig(scale=0, shift=0, brightness=0, contrast=0, saturation=0, tint=0, corners=0, degraded=0)


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


def test_move__turns_no_further_than_it_may_and_mirrors_only_where_it_may() -> None:
    upright = replace(STILL, rotation=10, mirror=False)
    images = torch.zeros(40, 3, 81, 81)
    images[:, :, 38:43, 65:75] = 1  # a mark at three o'clock
    moved = move(images, upright, torch.Generator().manual_seed(1))[:, 0]
    rows, columns = torch.meshgrid(torch.arange(81) - 40.0, torch.arange(81) - 40.0, indexing="ij")
    mass = moved.sum((1, 2))
    down, right = (moved * rows).sum((1, 2)) / mass, (moved * columns).sum((1, 2)) / mass
    angles = torch.atan2(down, right) * 180 / math.pi
    assert angles.abs().max() <= 10.5
    assert angles.abs().max() > 5
    assert (move(images, replace(upright, mirror=True))[:, 0] * columns).sum((1, 2)).min() < 0


@pytest.mark.parametrize("seed", range(6))
def test_augment__degrades_the_last_of_a_batch_and_leaves_the_others(seed: int) -> None:
    images = torch.rand(8, 3, 32, 40, generator=torch.Generator().manual_seed(1))
    still = augment(images, STILL, torch.Generator().manual_seed(seed))
    degraded = augment(images, replace(STILL, degraded=0.25), torch.Generator().manual_seed(seed))
    assert torch.equal(degraded[:6], still[:6])
    assert ((degraded - still)[6:].abs().amax((1, 2, 3)) > 0.01).all()


def test_augment__leaves_the_images_that_it_was_given() -> None:
    images = torch.rand(8, 3, 32, 40)
    before = images.clone()
    augment(images, AugmentConfig())
    assert torch.equal(images, before)


def test_mix__blends_the_last_of_a_batch_with_one_another_and_their_labels_alike() -> None:
    torch.manual_seed(2)
    told = torch.eye(8)
    # Each image says by its pixels which one it is, so that its blend tells the shares.
    images = told[:, :, None, None].expand(8, 8, 4, 5).clone()
    blended, labels = mix(images, told, AugmentConfig(mixed=0.75))
    assert torch.equal(blended[:2], images[:2])
    assert torch.equal(labels[:2], told[:2])
    torch.testing.assert_close(blended[:, :, 0, 0], labels)
    torch.testing.assert_close(labels.sum(1), torch.ones(8))
    assert (labels.diagonal() >= 0.5).all()  # the greater part is the image itself
    assert (labels[2:].amax(1) < 1).any()


def test_mix__of_none_changes_nothing() -> None:
    images, told = torch.rand(4, 3, 8, 8), torch.eye(4)
    assert mix(images, told, AugmentConfig()) == (images, told)


def test_blacken_corners__leaves_the_middle_and_no_light_in_a_corner() -> None:
    images = torch.ones(8, 3, 48, 64)
    dark = blacken_corners(images, torch.Generator().manual_seed(2))
    torch.testing.assert_close(dark[..., 12:36, 16:48], images[..., 12:36, 16:48])
    assert float(dark[..., 0, 0].max()) == 0
    assert len({float(image.mean()) for image in dark}) == 8  # each has a radius of its own


def test_augment__blackens_corners_of_a_share_of_the_batch() -> None:
    images = torch.full((10, 3, 48, 64), 0.5)
    changed = augment(images, replace(STILL, rotation=0, mirror=False, corners=0.3), torch.Generator().manual_seed(2))
    assert [float(image[0, 0, 0]) == 0 for image in changed] == 3 * [True] + 7 * [False]
