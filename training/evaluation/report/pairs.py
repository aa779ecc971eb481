"""A page of images beside their reconstructions; it holds images of the data set and so never lies in the project."""

import base64
import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from casekin.contracts.bundle import OutputSpec
from training.evaluation.evaluate import Material
from training.evaluation.reconstruction import quality, targets
from training.evaluation.report.page import template
from training.evaluation.retrieval import Floats, Ints
from training.evaluation.systems import System

EACH = 8
"""Pairs of a diagnosis."""
PROJECT = Path(__file__).parents[3]


@dataclass(frozen=True)
class Pair:
    """An image and its reconstruction, as data addresses."""

    id: str
    image: str
    rebuilt: str
    similarity: float


def refuse_project(folder: Path) -> None:
    """Raise ValueError where a folder is inside the project: its licence does not cover images of a data set."""
    if folder.resolve().is_relative_to(PROJECT):
        raise ValueError(f"{folder} is inside the project, and images of the data set must not be; name another folder")


def pairs_page(system: System, material: Material) -> str:
    """Return the page of a system that decodes; raises ValueError for one that does not."""
    if system.output is None:
        raise ValueError(f"{system.name} has no decoder: there are no reconstructions to show")
    split = material.split
    similarity = _similarity(system, system.output, material)
    truth = split.labels[split.queries]
    groups = {}
    for number, code in enumerate(split.vocabulary.codes):
        rows = np.flatnonzero(truth == number)
        if len(rows):
            order = rows[np.argsort(similarity[rows])]
            evenly = order[np.unique(np.linspace(0, len(order) - 1, EACH).round().astype(int))]
            groups[code] = _pairs(system, system.output, material, split.queries[evenly], similarity[evenly])
    provenance = system.provenance
    return template("pairs.html").render(
        system=system.name, groups=groups, licence=provenance.licence, citation=provenance.citation.rstrip(".")
    )


def _similarity(system: System, output: OutputSpec, material: Material) -> Floats:
    queries = material.split.queries

    def rebuild(rows: Ints) -> torch.Tensor:
        return torch.from_numpy(system.reconstruct(material.latents[queries[rows]]))

    return quality(rebuild, material.pixels, queries, output).similarity


def _pairs(system: System, output: OutputSpec, material: Material, rows: Ints, similarity: Floats) -> list[Pair]:
    images = targets(material.pixels[rows], output).numpy()
    rebuilt = system.reconstruct(material.latents[rows])
    ids = [material.split.cases[row].id for row in rows]
    shown = zip(ids, images, rebuilt, similarity.tolist(), strict=True)
    return [Pair(name, _address(image), _address(ours), value) for name, image, ours, value in shown]


def _address(image: Floats) -> str:
    """Return an image [3,h,w] in 0..1 as a data address."""
    file = io.BytesIO()
    pixels = np.clip(image.transpose(1, 2, 0) * 255 + 0.5, 0, 255).astype(np.uint8)
    Image.fromarray(pixels).save(file, "JPEG", quality=92)
    return "data:image/jpeg;base64," + base64.b64encode(file.getvalue()).decode()
