"""From factors to a picture.

Skin and lesion are drawn as pigments that take light away, after Beer and Lambert: the light that comes back is
skin x exp(-melanin - blood), each with its own absorption in red, green and blue.
"""

import numpy as np
from PIL import Image

from casekin.phantoms.factors import Factors
from casekin.phantoms.layers import Layers
from casekin.phantoms.lesion import draw_lesion
from casekin.phantoms.noise import Field, blend
from casekin.phantoms.skin import draw_skin
from casekin.phantoms.view import add_hair, add_light, develop

SIZE = (600, 450)
"""Width and height of a picture in pixels."""
FIELD_OF_VIEW = 20.0
"""Width of a picture in mm."""
GREY_BROWN, RED_BROWN = np.array([0.85, 1.0, 1.2]), np.array([0.42, 1.0, 1.55])
"""Absorption of melanin in RGB relative to green, at the ends of `Factors.warmth`."""
BLOOD = np.array([0.18, 1.0, 0.72])
VEIL = (0.46, 0.48, 0.58)
PALE = (0.95, 0.88, 0.85)


def draw(factors: Factors, *, lesion_seed: int, view_seed: int, size: tuple[int, int] = SIZE) -> Image.Image:
    """The picture of `factors`, RGB; equal arguments give equal pictures.

    Pictures of one lesion share its factors and `lesion_seed` and differ in the factors of the view and `view_seed`.
    """
    width, height = size
    pixels_per_mm = width / FIELD_OF_VIEW
    skin, hair, light, camera = np.random.default_rng([view_seed, 1]).spawn(4)
    image = draw_skin(factors, skin, (height, width), pixels_per_mm)
    layers = draw_lesion(factors, np.random.default_rng([lesion_seed, 2]), pixels_per_mm)
    _lay_into(image, _placed(layers, factors, size), factors)
    add_hair(image, factors.hair, hair, pixels_per_mm)
    add_light(image, factors, light)
    return develop(image, factors, camera)


def _placed(layers: Layers, factors: Factors, size: tuple[int, int]) -> Layers:
    """`layers` turned and moved to where the view has them, [H, W] each."""
    width, height = size
    turn = np.deg2rad(factors.rotation)
    cos, sin = float(np.cos(turn)), float(np.sin(turn))
    centre_x, centre_y = width * (0.5 + factors.shift_x), height * (0.5 + factors.shift_y)
    half = layers.melanin.shape[0] / 2
    back = (cos, -sin, half - cos * centre_x + sin * centre_y, sin, cos, half - sin * centre_x - cos * centre_y)

    def place(layer: Field) -> Field:
        if not layer.any():
            return np.zeros((height, width), dtype=np.float32)
        picture = Image.fromarray(layer)
        moved = picture.transform(size, Image.Transform.AFFINE, back, Image.Resampling.BILINEAR)
        return np.array(moved, dtype=np.float32)

    return Layers(*(place(layer) for layer in layers.all()))


def _lay_into(image: Field, layers: Layers, factors: Factors) -> None:
    melanin = GREY_BROWN + factors.warmth * (RED_BROWN - GREY_BROWN)
    for channel in range(3):
        absorbed = np.float32(melanin[channel]) * layers.melanin + np.float32(BLOOD[channel]) * layers.blood
        image[channel] *= np.exp(-absorbed)
    for layer, colour, most in ((layers.veil, VEIL, 0.85), (layers.white, PALE, 0.9)):
        if layer.any():
            blend(image, colour, np.clip(layer, 0, most))
