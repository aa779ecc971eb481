"""Out-of-distribution images that come close to dermatoscopy: the hard half of what a flag should catch.

Grey and inverted lesions, healthy skin, clinical photographs, other dermatoscopes, histology slides, scans, and
textures in the colours of skin. Made from the images under test, from phantoms, and from pictures that scikit-image and
pydicom carry in their packages. None of these are in the collection; healthy skin and other dermatoscopes are what a
clinic would upload, so a flag on them says how narrow the collection is rather than that the image is wrong.
"""

import warnings
from dataclasses import asdict

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter
from pydicom import dcmread
from pydicom.data import get_testdata_file
from skimage import color, data

from benchmarks.oddities import Pixels, pieces
from casekin.phantoms import SCALES, draw, make_up, within_range

Shape = tuple[int, int]
"""Height and width."""
LUMA = np.array([0.299, 0.587, 0.114])
SCANS = (
    "693_J2KI.dcm",
    "CT_small.dcm",
    "MR_small.dcm",
    "examples_overlay.dcm",
    "examples_rgb_color.dcm",
    "examples_jpeg2k.dcm",
)
"""CT, MR and ultrasound that pydicom decodes with numpy and Pillow alone."""
CASTS = ((1.25, 0.95, 0.8), (0.8, 0.95, 1.2), (1.1, 0.8, 1.05), (0.85, 1.1, 0.95))
"""Gains of red, green and blue: sensors and lamps of other makers."""


def hard_set(lesions: Pixels, count: int, seed: int = 0) -> dict[str, Pixels]:
    """Return by kind `count` images [count,H,W,3] of the size of `lesions` [N,H,W,3]."""
    rng = np.random.default_rng([seed, 1])
    shape = (lesions.shape[1], lesions.shape[2])
    chosen = lesions[rng.choice(len(lesions), count, replace=len(lesions) < count)]
    skin = _healthy_skin(count, shape, seed)
    return {
        "grey_lesions": np.stack([_grey(one) for one in chosen]),
        "inverted_lesions": 255 - chosen,
        "healthy_skin": skin,
        "clinical_photographs": np.stack([_clinical(rng, one, field) for one, field in zip(chosen, skin, strict=True)]),
        "other_dermatoscopes": np.stack([_other_device(rng, one) for one in chosen]),
        "histology_slides": pieces(rng, _slides(), count, shape, least=0.15),
        "scans": pieces(rng, _scans(), count, shape),
        "skin_coloured_textures": np.stack([_skin_coloured(rng, one, shape) for one in _textures(rng, count, shape)]),
    }


def _grey(image: Pixels) -> Pixels:
    grey = (image @ LUMA + 0.5).astype(np.uint8)
    return np.repeat(grey[..., None], 3, axis=2)


def _healthy_skin(count: int, shape: Shape, seed: int) -> Pixels:
    """Draw phantoms whose lesion has no pigment: skin, its light, its hair."""
    bare = {name: scale.low for name, scale in SCALES.items() if scale.part == "lesion"}
    size = (shape[1], shape[0])
    drawn = [
        draw(within_range(asdict(one.factors) | bare), lesion_seed=one.lesion_seed, view_seed=one.view_seed, size=size)
        for one in make_up(count, seed)
    ]
    return np.stack([np.asarray(image) for image in drawn])


def _clinical(rng: np.random.Generator, lesion: Pixels, skin: Pixels) -> Pixels:
    """Return a photograph from half a metre: the lesion small on a limb in uneven light, before a background."""
    height, width = lesion.shape[:2]
    small = Image.fromarray(lesion).resize((max(2, width // 6), max(2, height // 6)), Image.Resampling.BOX)
    field = Image.fromarray(skin)
    where = (int(rng.integers(width // 4, width // 2)), int(rng.integers(height // 4, height // 2)))
    mask = Image.new("L", small.size)
    inset = small.height // 6
    ImageDraw.Draw(mask).ellipse((inset, inset, small.width - inset, small.height - inset), fill=255)
    field.paste(small, where, mask.filter(ImageFilter.GaussianBlur(small.height / 10)))
    rows, columns = np.mgrid[:height, :width]
    angle = rng.uniform(0, 2 * np.pi)
    across = (columns - width / 2) * np.cos(angle) + (rows - height / 2) * np.sin(angle)
    light = np.clip(1.1 - 0.6 * np.abs(across / width - rng.uniform(-0.2, 0.2)), 0.2, 1.2)
    image = np.asarray(field) * light[..., None]
    image[across > width * rng.uniform(0.25, 0.4)] = rng.integers(0, 256, 3)  # table, cloth or wall
    return np.asarray(np.clip(image, 0, 255), np.uint8)


def _other_device(rng: np.random.Generator, lesion: Pixels) -> Pixels:
    """Return the lesion as another dermatoscope shows it: colour cast, round field of view, a scale at the rim."""
    height, width = lesion.shape[:2]
    gains = np.array(CASTS[int(rng.integers(len(CASTS)))])
    rows, columns = np.mgrid[:height, :width]
    far = np.hypot(columns - width / 2, rows - height / 2) / (height * rng.uniform(0.48, 0.56))
    cast = np.clip(lesion * gains * (1 - 0.25 * np.minimum(far, 1) ** 2)[..., None], 0, 255)
    image = Image.fromarray(np.where((far > 1)[..., None], 8, cast).astype(np.uint8))
    ink = ImageDraw.Draw(image)
    for left in range(width // 4, 3 * width // 4, max(2, width // 24)):
        ink.line((left, height - height // 8, left, height - height // 8 - max(2, height // 24)), fill=(20, 20, 20))
    return np.asarray(image)


def _slides() -> list[Pixels]:
    """Return stained tissue: immunohistochemistry, and the same with eosin in place of its brown."""
    stained = data.immunohistochemistry()
    parts = color.rgb2hed(stained)
    eosin = np.stack([parts[..., 0], 2 * parts[..., 2], np.zeros_like(parts[..., 2])], 2)
    return [stained, (np.clip(color.hed2rgb(eosin), 0, 1) * 255).astype(np.uint8)]


def _scans() -> list[Pixels]:
    """Return CT, MR and ultrasound images, a section phantom and a cell."""
    grey = [np.asarray(one) for one in (data.cell(), (data.shepp_logan_phantom() * 255).astype(np.uint8))]
    return [np.repeat(one[..., None], 3, axis=2) for one in grey] + [_dicom(name) for name in SCANS]


def _dicom(name: str) -> Pixels:
    path = get_testdata_file(name, download=False)
    assert isinstance(path, str)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # some are made to break rules of the standard
        pixels = dcmread(path).pixel_array
    if pixels.ndim == 3:
        return np.asarray(pixels)
    low, high = np.quantile(pixels, [0.01, 0.99])
    grey = np.clip((pixels - low) / max(high - low, 1), 0, 1) * 255
    return np.repeat(grey.astype(np.uint8)[..., None], 3, axis=2)


def _textures(rng: np.random.Generator, count: int, shape: Shape) -> Pixels:
    grey = [np.asarray(one) for one in (data.brick(), data.grass(), data.gravel())]
    return pieces(rng, [np.repeat(one[..., None], 3, axis=2) for one in grey], count, shape)


def _skin_coloured(rng: np.random.Generator, texture: Pixels, shape: Shape) -> Pixels:
    """Map a texture from a brown to a skin colour, so that only structure says that it is no skin."""
    assert texture.shape[:2] == shape
    share: NDArray[np.float64] = texture[..., :1] / 255
    dark, light = np.array([110, 70, 55]), np.array([230, 185, 165]) + rng.integers(-15, 16, 3)
    return np.asarray(np.clip(dark + share * (light - dark), 0, 255), np.uint8)
