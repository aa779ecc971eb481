"""Whether the upload of a full-size image finds its own copy in the collection first.

Collections often hold smaller copies than what a clinician uploads, in files of another history: other size, other
JPEG, turned. All of these are one picture, and a latent that tells them apart reads the file and not the skin.
"""

import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from PIL import Image

from casekin.errors import BadInput
from casekin.imaging.read import read_image
from training.data.image_cache import encoder_pixels
from training.evaluation.evaluate import Material
from training.evaluation.retrieval import Floats
from training.evaluation.systems import System

QUALITY = 40
"""Of JPEG, as libjpeg counts it up to 100."""


@dataclass(frozen=True)
class Found:
    """How many uploads found their own copy first."""

    first: int
    uploads: int

    @property
    def rate(self) -> float:
        """Share of the uploads, in 0..1."""
        return self.first / self.uploads

    def __str__(self) -> str:
        """Return `58 of 60`."""
        return f"{self.first} of {self.uploads}"


def turned(data: bytes) -> bytes:
    """Return an image file turned by 90 degrees to the left, without loss.

    To the left, as serving turns a portrait image for a landscape input once more in that direction: one turned to the
    right would be turned back and show nothing.
    """
    return _saved(read_image(data).transpose(Image.Transpose.ROTATE_90), "PNG")


def compressed(data: bytes) -> bytes:
    """Return an image file as a JPEG of the quality `QUALITY`."""
    return _saved(read_image(data), "JPEG", quality=QUALITY)


UPLOADS: Mapping[str, Callable[[bytes], bytes]] = {
    "own_copy_first": lambda data: data,
    "own_turn_first": turned,
    f"own_jpeg{QUALITY}_first": compressed,
}
"""What is done to the file before it is uploaded, by the name of the figure."""


def own_copies_found(system: System, material: Material, files: Mapping[str, bytes]) -> dict[str, dict[str, Found]]:
    """Return by figure and preset how many uploads find the case of their id first among all of `material`'s.

    `files` are image files by id of the case, read as serving reads uploads. No case is left out of the gallery, not
    even of the same lesion. Raises `BadInput` where a file is of no case.
    """
    row_of = {case.id: row for row, case in enumerate(material.split.cases)}
    if missing := sorted(set(files) - set(row_of)):
        raise BadInput(f"{len(missing)} uploads have no copy in the collection, such as {missing[0]}")
    own = np.array([row_of[id] for id in files])
    result: dict[str, dict[str, Found]] = {}
    for figure, change in UPLOADS.items():
        latents = system.embed(np.stack([encoder_pixels(change(data), system.input) for data in files.values()]))
        nearest = {name: _nearest(latents, material.latents, weights) for name, weights in system.presets.items()}
        result[figure] = {name: Found(int((rows == own).sum()), len(own)) for name, rows in nearest.items()}
    return result


def _nearest(queries: Floats, gallery: Floats, weights: Floats) -> Floats:
    """Return the row of the nearest case [Q] to each query."""
    x, y = queries * np.sqrt(weights), gallery * np.sqrt(weights)
    return np.asarray(((y**2).sum(1)[None] - 2 * x @ y.T).argmin(1))


def _saved(image: Image.Image, kind: str, **options: int) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()
