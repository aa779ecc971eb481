"""Images whose table says which visual attributes a dermatologist saw: they teach directions of the latent."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from casekin.contracts.bundle import InputSpec
from casekin.errors import BadInput
from training.data.cases import read_collection
from training.data.image_cache import Pixels, cached_pixels
from training.data.other_clinics import known_spec

log = logging.getLogger(__name__)

Floats = npt.NDArray[np.floating]

ATTRIBUTES: Mapping[str, str] = {
    "globules": "Globules",
    "milia_like_cyst": "Milia-like cysts",
    "negative_network": "Negative network",
    "pigment_network": "Pigment network",
    "streaks": "Streaks",
}
"""Column of 0 and 1 -> name of what it says, of ISIC 2018 task 2 (Codella et al., arXiv 1902.03368)."""
BATCH = 64
FEWEST = 10
"""Images with an attribute, and without, that a direction is learned or judged by, at least."""


@dataclass(frozen=True)
class AttributeImages:
    """Images with A attributes."""

    names: tuple[str, ...]
    """A display names"""
    values: Floats
    """[N,A]: 1 with the attribute, 0 without, NaN where the table does not say"""
    pixels: Pixels
    """[N,H,W,3]"""
    groups: npt.NDArray[np.str_]
    """[N], lesions or patients"""
    folds: npt.NDArray[np.int64]
    """[N]"""
    title: str
    """Of the collections that they come from."""

    def in_folds(self, folds: Sequence[int]) -> npt.NDArray[np.int64]:
        """Return the rows of these folds."""
        return np.flatnonzero(np.isin(self.folds, folds))

    def learnable(self, folds: Sequence[int]) -> "AttributeImages | None":
        """Return the same with those attributes only that enough images of the folds have and lack; None without any.

        The log names the others.
        """
        rows = self.in_folds(folds)
        positive, known = (self.values[rows] > 0).sum(0), np.isfinite(self.values[rows]).sum(0)
        enough = np.minimum(positive, known - positive) >= FEWEST
        for index in np.flatnonzero(~enough):
            has, lacks = positive[index], known[index] - positive[index]
            log.warning("no dimension for %s: %d training images have it, %d lack it", self.names[index], has, lacks)
        if not enough.any():
            return None
        names = tuple(name for name, kept in zip(self.names, enough, strict=True) if kept)
        return replace(self, names=names, values=self.values[:, enough])

    def batches(self, rows: npt.NDArray[np.integer]) -> Iterator[Tensor]:
        """Yield these images as [B,3,H,W] in 0..1, channels last in memory."""
        for start in range(0, len(rows), BATCH):
            raw = torch.from_numpy(self.pixels[rows[start : start + BATCH]]).permute(0, 3, 1, 2)
            yield (raw.float() / 255).contiguous(memory_format=torch.channels_last)


def read_attribute_images(
    folders: Sequence[Path], spec: InputSpec, cache: Path, attributes: Mapping[str, str] = ATTRIBUTES
) -> AttributeImages | None:
    """Return the images of the folders whose table has any of the columns `attributes`; None where none has.

    Each keeps the fold that `read_collection` gives it, so that training and measuring agree on what was held out.
    """
    parts = [part for folder in folders if (part := _read(folder, spec, cache, attributes)) is not None]
    if not parts:
        return None
    values = np.concatenate([part.values for part in parts])
    present = np.isfinite(values).any(0)
    return AttributeImages(
        names=tuple(name for name, has in zip(attributes.values(), present, strict=True) if has),
        values=values[:, present],
        pixels=parts[0].pixels if len(parts) == 1 else np.concatenate([part.pixels for part in parts]),
        groups=np.concatenate([part.groups for part in parts]),
        folds=np.concatenate([part.folds for part in parts]),
        title=" and ".join(part.title for part in parts),
    )


def refuse_few(positive: npt.NDArray[np.bool_], name: str) -> None:
    """Raise `BadInput` where fewer than 10 images [N] have an attribute, or lack it: no direction could be learned."""
    counts = int(positive.sum()), int((~positive).sum())
    if min(counts) < FEWEST:
        raise BadInput(
            f"{name}: {counts[0]} images have it and {counts[1]} have not; learning it needs {FEWEST} of each"
        )


def _read(folder: Path, spec: InputSpec, cache: Path, attributes: Mapping[str, str]) -> AttributeImages | None:
    collection = read_collection(folder, known_spec(folder))
    described = [case for case in collection.cases if any(column in case.columns for column in attributes)]
    if not described:
        return None
    decoded = cached_pixels(collection.images, [case.id for case in described], spec, cache)
    readable = set(decoded.ids)
    cases = [case for case in described if case.id in readable]
    return AttributeImages(
        names=tuple(attributes.values()),
        values=np.array([[_value(case.columns.get(column, "")) for column in attributes] for case in cases], float),
        pixels=decoded.pixels,
        groups=np.array([case.lesion for case in cases], dtype=str),
        folds=np.array([case.fold for case in cases]),
        title=collection.info.title,
    )


def _value(text: str) -> float:
    return float(text) if text in {"0", "1"} else np.nan
