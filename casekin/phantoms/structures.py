"""What dermatoscopy looks for in a lesion: each structure adds itself to the layers, [S, S], in place."""

from collections.abc import Callable

import numpy as np

from casekin.phantoms.factors import Factors
from casekin.phantoms.layers import Layers
from casekin.phantoms.noise import Field, Rng, fractal_noise, smooth_noise, soft_step
from casekin.phantoms.outline import Canvas
from casekin.phantoms.strokes import Mask, branching

Structure = Callable[[Factors, Rng, Canvas, Layers], None]

FURTHER_COLOURS = {"dark": 0.28, "light": 0.22, "red": 0.17, "blue": 0.12, "white": 0.1, "black": 0.11}
"""Chance of each colour beside the first."""


def colours(factors: Factors, rng: Rng, canvas: Canvas, layers: Layers) -> None:
    """Patches of further colours."""
    names, chances = list(FURTHER_COLOURS), list(FURTHER_COLOURS.values())
    for colour in rng.choice(names, size=len(names), replace=False, p=chances)[: factors.colours - 1]:
        noise = fractal_noise(rng, canvas.shape, canvas.radius * rng.uniform(0.5, 0.9), 5, 0.62)
        patch = canvas.inside * soft_step(noise - np.float32(0.6), 0.45)
        match colour:
            case "dark":
                layers.melanin += np.float32(0.9) * patch
            case "black":
                layers.melanin += np.float32(1.9) * patch
            case "light":
                layers.melanin *= 1 - np.float32(0.65) * patch
            case "red":
                layers.blood += np.float32(0.6) * patch
            case "blue":
                layers.veil += np.float32(0.5) * patch
            case _:
                layers.white += np.float32(0.45) * patch


def network(factors: Factors, rng: Rng, canvas: Canvas, layers: Layers) -> None:
    """A honeycomb: the sum of three plane waves at 120 degrees, bent by noise; its valleys are the lines."""
    if factors.network < 0.05:
        return
    mesh = rng.uniform(0.3, 0.48) * canvas.mm
    bent = [fractal_noise(rng, canvas.shape, mesh * 2.6, 3, 0.65) * np.float32(2.1) for _ in range(2)]
    waves = np.float32(0.55) * smooth_noise(rng, canvas.shape, mesh * 0.8)
    frequency = np.float32(2 * np.pi / mesh * canvas.radius)
    for turn in (0, 2 * np.pi / 3, 4 * np.pi / 3):
        cos, sin = np.float32(np.cos(turn)), np.float32(np.sin(turn))
        waves += np.cos(frequency * (cos * canvas.x + sin * canvas.y) + cos * bent[0] + sin * bent[1])
    lines = soft_step(-waves - np.float32(0.15), 0.8)
    patchy = np.clip(np.float32(0.75) + np.float32(0.5) * smooth_noise(rng, canvas.shape, canvas.radius * 0.5), 0, 1.2)
    strength = np.float32(factors.network) * patchy * np.clip(np.float32(1.2) - canvas.depth * np.float32(0.7), 0.3, 1)
    layers.melanin *= 1 - np.float32(0.55) * strength
    layers.melanin += np.float32(0.35 + 1.1 * factors.darkness) * strength * lines * np.sqrt(canvas.inside)


def globules(factors: Factors, rng: Rng, canvas: Canvas, layers: Layers) -> None:
    """Brown clods."""
    if factors.globules:
        clods = _discs(factors.globules, rng, canvas, reach=1.05, radii=(0.06 * canvas.mm, 0.17 * canvas.mm), blur=0.5)
        layers.melanin += np.float32(0.5 + 0.9 * factors.darkness) * clods * np.sqrt(canvas.inside)


def redness(factors: Factors, rng: Rng, canvas: Canvas, layers: Layers) -> None:
    """Blood all over the lesion."""
    uneven = np.clip(1 + np.float32(0.35) * smooth_noise(rng, canvas.shape, canvas.radius * 0.4), 0.2, 2)
    layers.blood += np.float32(0.9 * factors.redness) * canvas.inside * uneven


def lacunae(factors: Factors, rng: Rng, canvas: Canvas, layers: Layers) -> None:
    """Red clods, sharply bounded, touching."""
    if factors.lacunae:
        radii = (0.14 * canvas.radius, 0.3 * canvas.radius)
        clods = _discs(factors.lacunae, rng, canvas, reach=0.85, radii=radii, blur=canvas.mm * 0.09)
        layers.blood += np.float32(1.1) * clods * canvas.inside


def vessels(factors: Factors, rng: Rng, canvas: Canvas, layers: Layers) -> None:
    """Branching vessels, some beyond the border."""
    if not factors.vessels:
        return
    mask = Mask(canvas.shape)
    for _ in range(factors.vessels):
        length, width = rng.uniform(0.3, 0.55) * canvas.radius, rng.uniform(0.08, 0.16) * canvas.mm
        branching(mask, rng, canvas.point(rng, 0.9), rng.uniform(0, 2 * np.pi), length, width)
    layers.blood += np.float32(0.75) * mask.field(0.7)


def veil(factors: Factors, rng: Rng, canvas: Canvas, layers: Layers) -> None:
    """A blue-white area over the deepest part."""
    if factors.veil > 0.03:
        noise = np.float32(0.45) * fractal_noise(rng, canvas.shape, canvas.radius * 0.7, 4, 0.6)
        patch = soft_step(noise + canvas.depth - np.float32(0.95 - 0.7 * factors.veil), 0.3)
        layers.veil += np.float32(0.3 + 0.45 * factors.veil) * patch * canvas.inside


def regression(factors: Factors, rng: Rng, canvas: Canvas, layers: Layers) -> None:
    """White streaks about the centre, like a scar."""
    if factors.regression > 0.03:
        noise = np.float32(0.35) * fractal_noise(rng, canvas.shape, canvas.radius * 0.45, 4, 0.65)
        patch = soft_step(noise + canvas.depth - np.float32(1.05 - 0.6 * factors.regression), 0.25)
        streaks = np.float32(0.8) + np.float32(0.3) * fractal_noise(rng, canvas.shape, canvas.radius * 0.12, 2)
        layers.white += np.float32(0.35 + 0.4 * factors.regression) * patch * np.clip(streaks, 0, 1) * canvas.inside


def scales(factors: Factors, rng: Rng, canvas: Canvas, layers: Layers) -> None:
    """Flakes on the surface."""
    if factors.scale > 0.03:
        flakes = fractal_noise(rng, canvas.shape, canvas.mm * 0.8, 4, 0.75) - np.float32(2.0 - 1.2 * factors.scale)
        layers.white += np.float32(0.6) * soft_step(flakes, 0.45) * canvas.inside


def cysts(factors: Factors, rng: Rng, canvas: Canvas, layers: Layers) -> None:
    """Pale dots."""
    if factors.cysts:
        dots = _discs(factors.cysts, rng, canvas, reach=0.9, radii=(0.06 * canvas.mm, 0.15 * canvas.mm), blur=0.5)
        layers.white += np.float32(0.65) * dots * canvas.inside


def _discs(count: int, rng: Rng, canvas: Canvas, *, reach: float, radii: tuple[float, float], blur: float) -> Field:
    mask = Mask(canvas.shape)
    for _ in range(count):
        mask.disc(canvas.point(rng, reach), rng.uniform(*radii), rng.uniform(0.4, 1))
    return mask.field(blur)


ALL: tuple[Structure, ...] = (
    colours, network, globules, redness, lacunae, vessels, veil, regression, scales, cysts,
)  # fmt: skip
"""In the order they are drawn."""
