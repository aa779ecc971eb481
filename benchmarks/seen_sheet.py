"""A sheet of rollouts and swaps to look at: real images and what is decoded, for folders outside of the project."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from benchmarks.places import ROOT
from benchmarks.seen_cases import Lesions
from casekin.contracts.bundle import BundleManifest
from casekin.errors import BadInput

Floats = npt.NDArray[np.floating]

LESIONS = 12
STEPS = 5
ENDS = ("0.05", "0.95")
MARGIN = 14
"""Pixels above each image for its caption."""


def write_sheet(
    folder: Path,
    decode: Callable[[Floats], Floats],
    lesions: Lesions,
    goals: Lesions,
    manifest: BundleManifest,
    ranking: npt.NDArray[np.int64],
) -> None:
    """Write `swaps.png`, a row a lesion, and `rollout-N.png`, a sheet a ranking dimension.

    Raises `BadInput` for a folder inside the project: images of the collection may not enter it.
    """
    if folder.resolve().is_relative_to(ROOT.resolve()):
        raise BadInput(f"{folder} lies inside the project; images of the collection may not: name a folder elsewhere")
    folder.mkdir(parents=True, exist_ok=True)
    some, towards = lesions.at(range(min(LESIONS, len(lesions.ids)))), _other(lesions, goals)
    classes = manifest.classes
    rows = []
    for row in range(len(some.ids)):
        line = np.repeat(some.latents[row][None], STEPS, 0)
        goal = towards.latents[row][ranking]
        for step, part in enumerate(np.linspace(0, 1, STEPS)):
            line[step, ranking] = (1 - part) * some.latents[row][ranking] + part * goal
        captions = [classes[some.labels[row]], *[""] * STEPS, f"to {classes[towards.labels[row]]}"]
        rows.append((captions, [_picture(some, row), *_pictures(decode(line)), _picture(towards, row)]))
    _save(rows, folder / "swaps.png")
    for index in ranking:
        dimension = manifest.dimensions[index]
        low, high = (dimension.quantiles[end] for end in ENDS)
        values = np.linspace(low, high, STEPS)
        rows = []
        for row in range(len(some.ids)):
            line = np.repeat(some.latents[row][None], STEPS, 0)
            line[:, index] = values
            captions = [classes[some.labels[row]], *[f"{dimension.name} {value:+.1f}" for value in values]]
            rows.append((captions, [_picture(some, row), *_pictures(decode(line))]))
        _save(rows, folder / f"rollout-{index + 1}.png")


def _other(lesions: Lesions, goals: Lesions) -> Lesions:
    """Return a goal of another diagnosis for each of the first lesions."""
    rows = []
    for row in range(min(LESIONS, len(lesions.ids))):
        fitting = np.flatnonzero(goals.labels != lesions.labels[row])
        rows.append(int(fitting[row % len(fitting)]))
    return goals.at(rows)


def _picture(lesions: Lesions, row: int) -> Image.Image:
    return Image.fromarray(lesions.pixels[row])


def _pictures(images: Floats) -> list[Image.Image]:
    return [Image.fromarray((image.transpose(1, 2, 0) * 255).round().clip(0, 255).astype(np.uint8)) for image in images]


def _save(rows: list[tuple[list[str], list[Image.Image]]], target: Path) -> None:
    width, height = rows[0][1][1].size
    sheet = Image.new("RGB", (width * len(rows[0][1]), (height + MARGIN) * len(rows)), "white")
    pen = ImageDraw.Draw(sheet)
    for down, (captions, pictures) in enumerate(rows):
        for across, (caption, picture) in enumerate(zip(captions, pictures, strict=True)):
            top = down * (height + MARGIN)
            pen.text((across * width + 2, top + 1), caption, fill="black")
            sheet.paste(picture.resize((width, height), Image.Resampling.BILINEAR), (across * width, top + MARGIN))
    sheet.save(target)
