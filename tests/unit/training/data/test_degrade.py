import io

import numpy as np
import pytest
import torch
from PIL import Image, ImageFilter

from tests.pictures import lesion
from training.config.guided import AugmentConfig
from training.data.degrade import DEGRADATIONS, jpeg, recopy, refocus, resample


def _tensor(picture: Image.Image) -> torch.Tensor:
    return torch.from_numpy(np.array(picture)).permute(2, 0, 1)[None].float() / 255


def _noisy(width: int = 96, height: int = 64) -> Image.Image:
    noise = np.random.default_rng(2).normal(0, 12, (height, width, 3))
    return Image.fromarray((np.asarray(lesion(width, height)) + noise).clip(0, 255).astype(np.uint8))


@pytest.mark.parametrize("quality", [15, 50, 85])
def test_jpeg__leaves_what_libjpeg_leaves(quality: int) -> None:
    picture, file = _noisy(), io.BytesIO()
    picture.save(file, "JPEG", quality=quality, subsampling=0)
    theirs, image = _tensor(Image.open(file)), _tensor(picture)
    ours = jpeg(image, torch.tensor([float(quality)]))
    lost = (theirs - image).abs().mean()
    # What remains is that libjpeg rounds colours to whole values, before and after: half a level each.
    assert (ours - theirs).abs().mean() < 0.1 * lost + 1.5 / 255


def test_jpeg__takes_images_whose_sides_no_block_divides() -> None:
    images = torch.rand(2, 3, 21, 35)
    assert jpeg(images, torch.tensor([95.0, 95.0])).shape == images.shape
    grey = torch.full((1, 3, 21, 35), 0.5)
    torch.testing.assert_close(jpeg(grey, torch.tensor([50.0])), grey, atol=0.01, rtol=0)


def test_resample__loses_fine_detail_and_keeps_coarse() -> None:
    config = AugmentConfig(coarsest=0.4)
    fine = (torch.arange(64) % 2).float().expand(1, 3, 48, 64)
    coarse = (torch.arange(64) // 32).float().expand(1, 3, 48, 64)
    generator = torch.Generator().manual_seed(0)
    assert resample(fine, config, generator).std() < 0.5 * fine.std()
    assert (resample(coarse, config, generator) - coarse).abs().mean() < 0.05


def test_refocus__lies_between_the_blurred_and_the_sharpened_image() -> None:
    picture = _noisy()
    image = _tensor(picture).expand(200, -1, -1, -1)
    changed = refocus(image, AugmentConfig(sharpness=1.0), torch.Generator().manual_seed(0))
    inner = (slice(None), slice(None), slice(1, -1), slice(1, -1))
    box = _tensor(picture.filter(ImageFilter.BoxBlur(1)))
    distance = (changed - box)[inner].abs().mean((1, 2, 3))
    assert distance.min() < 0.01  # all detail taken
    assert distance.max() > 1.7 * (image - box)[inner].abs().mean()  # nearly twice as much
    refocused_at_zero = refocus(image[:1], AugmentConfig(sharpness=0.0))
    torch.testing.assert_close(refocused_at_zero, image[:1])


@pytest.mark.parametrize("way", DEGRADATIONS)
def test_degradations__keep_shape_range_and_a_uniform_image(way) -> None:  # type: ignore[no-untyped-def]
    images = torch.rand(3, 3, 24, 40)
    changed = way(images, AugmentConfig(), torch.Generator().manual_seed(3))
    assert changed.shape == images.shape
    assert changed.min() >= 0
    assert changed.max() <= 1
    grey = torch.full((2, 3, 24, 40), 0.25)
    torch.testing.assert_close(way(grey, AugmentConfig(), None), grey, atol=0.02, rtol=0)


def test_recopy__leaves_an_image_about_as_far_off_as_a_real_smaller_file() -> None:
    picture, file = _noisy(256, 192), io.BytesIO()
    picture.resize((128, 96), Image.Resampling.BILINEAR).save(file, "JPEG", quality=60, subsampling=0)
    smaller = Image.open(file).resize(picture.size, Image.Resampling.BILINEAR)
    real = (_tensor(smaller) - _tensor(picture)).abs().mean()
    config = AugmentConfig(coarsest=0.25)
    ours = [(recopy(_tensor(picture), config, _seeded(seed)) - _tensor(picture)).abs().mean() for seed in range(20)]
    assert min(ours) < real < max(ours)


def _seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)
