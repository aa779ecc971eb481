"""Networks that had no part in a bundle's training and say what they see in real and in decoded images.

A generator that is trained with an encoder's reading can learn patterns that fool that encoder and nobody else. A judge
is another network, with linear maps from its features to the bundle's ranking dimensions and to the diagnoses, fitted
to real images of lesions that are not measured. What it reads from decoded images counts by what it reads from real
ones.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from sklearn.linear_model import RidgeClassifierCV, RidgeCV

from training.data.image_cache import Pixels
from training.evaluation.retrieval import Floats, Ints
from training.evaluation.systems import BundleSystem
from training.losses.objective import downscale
from training.models.backbone import Backbone, load_imagenet
from training.models.guided_vae import PIXEL_MEAN, PIXEL_STD

BATCH = 32
PENALTIES = tuple(float(value) for value in np.geomspace(1e1, 1e6, 11))
"""Candidates for the ridge of a judge's maps, chosen by leaving one image out."""
LITE2_INPUT = (192, 256)
"""Pixels, height and width: near the 260 x 260 that EfficientNet-Lite2 was trained at, of a dermatoscope's shape."""


class Judge(Protocol):
    """A network that describes images."""

    name: str

    def features(self, images: Floats) -> Floats:
        """Return the features [N,F] of images [N,3,h,w] in 0..1, of any size."""


class BundleJudge:
    """The features that another bundle's encoder reads its ranking dimensions from."""

    def __init__(self, folder: Path) -> None:
        """Open the bundle; raises `BundleRefused` for one that serving would refuse."""
        self._system = BundleSystem(folder)
        self.name = self._system.name

    def features(self, images: Floats) -> Floats:
        """Return the pooled features [N,1280]."""
        size = (self._system.input.height, self._system.input.width)
        parts = [self._system.features(_as_pixels(_scaled(some, size))) for some in _batches(images)]
        return np.concatenate([part for part in parts if part is not None])


class Lite2Judge:
    """EfficientNet-Lite2 as ImageNet left it: other weights, depth and width than the encoder's, and no skin seen."""

    name = "EfficientNet-Lite2"

    def __init__(self) -> None:
        self._backbone = Backbone(size="lite2").eval().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        load_imagenet(self._backbone)

    def features(self, images: Floats) -> Floats:
        """Return the mean over places of the last features [N,1280]."""
        return pooled_features(self._backbone, images, LITE2_INPUT)


def pooled_features(backbone: Backbone, images: Floats, size: tuple[int, int]) -> Floats:
    """Return the mean over places of the last features [N,1280] of images [N,3,h,w] in 0..1, brought to `size`."""
    mean, std = (torch.tensor(value).view(1, 3, 1, 1) for value in (PIXEL_MEAN, PIXEL_STD))
    result = []
    with torch.no_grad():
        for some in _batches(images):
            given = ((_scaled(some, size) - mean) / std).contiguous(memory_format=torch.channels_last)
            result.append(backbone(given).mean((2, 3)).numpy())
    return np.concatenate(result)


@dataclass(frozen=True)
class Reading:
    """What a judge says of images."""

    ranking: Floats
    """[N,S], standardised coordinates of the measured bundle."""
    diagnosis: Ints
    """[N], number of the most likely one where all are equally common."""


class Reader:
    """A judge with its maps to the ranking dimensions and the diagnoses of a measured bundle."""

    def __init__(self, judge: Judge, images: Floats, ranking: Floats, labels: Ints) -> None:
        """Fit the maps to real images [N,3,h,w] with coordinates [N,S] and diagnoses [N]."""
        self.judge, self.name = judge, judge.name
        features = judge.features(images)
        self._mean, self._spread = features.mean(0), np.maximum(features.std(0), 1e-6)
        given = self._standard(features)
        self._coordinates = RidgeCV(PENALTIES).fit(given, ranking)
        # Balanced, as diagnoses are swapped in as often as each other.
        self._diagnoses = RidgeClassifierCV(PENALTIES, class_weight="balanced").fit(given, labels)

    def read(self, images: Floats) -> Reading:
        """Return what the judge says of images [N,3,h,w] in 0..1."""
        given = self._standard(self.judge.features(images))
        return Reading(self._coordinates.predict(given), self._diagnoses.predict(given))

    def _standard(self, features: Floats) -> Floats:
        return np.asarray((features - self._mean) / self._spread)


def share_of_move(read: Floats, start: Floats, wanted: Floats, shares: Floats) -> float:
    """Return how much of the moves wanted [N,S] the moves read - start [N,S] make along them: 1 for all, 0 for none.

    The slope of the one on the other through zero, in the clinical distance: dimensions count by their shares [S].
    """
    return float(((read - start) * wanted * shares).sum() / (wanted**2 * shares).sum())


def _batches(images: Floats) -> Iterator[torch.Tensor]:
    for start in range(0, len(images), BATCH):
        yield torch.from_numpy(np.ascontiguousarray(images[start : start + BATCH], np.float32))


def _scaled(images: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    return downscale(images, *size)


def _as_pixels(images: torch.Tensor) -> Pixels:
    return np.asarray((images * 255).round().clamp(0, 255).permute(0, 2, 3, 1).to(torch.uint8).numpy())
