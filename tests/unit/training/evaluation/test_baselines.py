from pathlib import Path

import numpy as np
import pytest
import torch

from casekin.collections import ImageSource
from training.data.cases import read_collection
from training.data.image_cache import encoder_pixels
from training.evaluation import baselines
from training.evaluation.baselines import FROZEN_INPUT, frozen_imagenet, mean_colour, random_latents
from training.models.backbone import Backbone, load_imagenet


@pytest.fixture
def sources(collection_folder: Path) -> dict[str, ImageSource]:
    return read_collection(collection_folder).images


def test_frozen_imagenet__ranks_by_the_cosine_of_pooled_features(
    sources: dict[str, ImageSource], tmp_path: Path
) -> None:
    ids = [f"ISIC_{number:04d}0" for number in range(5)]
    vectors = frozen_imagenet(sources, ids, tmp_path)
    backbone = Backbone().eval()
    load_imagenet(backbone)
    pixels = torch.from_numpy(np.stack([encoder_pixels(sources[name].read(), FROZEN_INPUT) for name in ids]))
    with torch.no_grad():
        pooled = backbone((pixels.permute(0, 3, 1, 2) - 127.0) / 128).mean((2, 3))
    cosine = torch.nn.functional.cosine_similarity(pooled[:1], pooled[1:]).numpy()
    distance = ((vectors.latents[0] - vectors.latents[1:]) ** 2).sum(1)
    np.testing.assert_allclose(1 - distance / 2, cosine, atol=1e-3)


def test_frozen_imagenet__reads_its_file_the_second_time_and_another_for_other_images(
    sources: dict[str, ImageSource], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = frozen_imagenet(sources, ["ISIC_00000"], tmp_path)
    computed: list[object] = []
    monkeypatch.setattr(baselines, "load_imagenet", computed.append)
    np.testing.assert_array_equal(frozen_imagenet(sources, ["ISIC_00000"], tmp_path).latents, first.latents)
    assert computed == []
    frozen_imagenet(sources, ["ISIC_00010"], tmp_path)
    assert len(computed) == 1
    assert len(list(tmp_path.iterdir())) == 2


def test_mean_colour__is_the_mean_of_each_channel() -> None:
    pixels = np.zeros((1, 2, 2, 3), np.uint8)
    pixels[0, 0] = [[10, 20, 30], [30, 40, 50]]
    assert mean_colour(pixels).latents.tolist() == [[10, 15, 20]]


def test_random_latents__are_equal_at_every_call() -> None:
    np.testing.assert_array_equal(random_latents(5).latents, random_latents(5).latents)
