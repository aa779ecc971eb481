"""Distinct colours for the diagnoses of a collection, also for readers with a red-green deficiency."""

import math
from collections.abc import Iterable, Sequence
from functools import cache
from itertools import product

from casekin.contracts.collection import Diagnosis

Channels = tuple[float, float, float]

MIN_CONTRAST = 3.0
"""Of a mark against the white page (WCAG 2.2, criterion 1.4.11)."""
TOO_NEAR = 0.02
"""Distance in OKLab below which two colours count as one; the colours that HAM10000 comes with lie 0.07 apart."""

_LIGHTNESS = (0.38, 0.44, 0.50, 0.56, 0.62, 0.68)
_CHROMA = (0.06, 0.10, 0.14, 0.18, 0.22)
_HUES = tuple(range(0, 360, 8))
_DEFICIENCIES = (
    ((0.367322, 0.860646, -0.227968), (0.280085, 0.672501, 0.047413), (-0.011820, 0.042940, 0.968881)),
    ((0.152286, 1.052583, -0.204868), (0.114503, 0.786281, 0.099216), (-0.003882, -0.048116, 1.051998)),
)
"""Linear RGB as seen with deuteranopia and protanopia (Machado, Oliveira, Fernandes 2009, severity 1)."""


def with_distinct_colours(diagnoses: Sequence[Diagnosis]) -> list[Diagnosis]:
    """`diagnoses`, each with a colour of its own: what an entry brings stays, unless an earlier one has it already."""
    used: list[str] = []
    own: list[str | None] = []
    for entry in diagnoses:
        colour = entry.colour
        own.append(colour if colour and all(distance(colour, other) >= TOO_NEAR for other in used) else None)
        used += [colour] if own[-1] and colour else []
    further = iter(_farthest(used, own.count(None)))
    return [
        entry if colour else entry.model_copy(update={"colour": next(further)})
        for entry, colour in zip(diagnoses, own, strict=True)
    ]


def distance(one: str, other: str) -> float:
    """Euclidean distance in OKLab (Ottosson 2020), the least over normal vision, deuteranopia and protanopia."""
    return min(map(math.dist, _views(one), _views(other)))


def contrast_on_white(colour: str) -> float:
    """WCAG contrast of `colour` against white, 1 to 21."""
    red, green, blue = _linear(colour)
    return 1.05 / (0.2126 * red + 0.7152 * green + 0.0722 * blue + 0.05)


def _farthest(used: Iterable[str], count: int) -> list[str]:
    """`count` colours of the grid, each the farthest from all before it and from `used`."""
    apart = dict.fromkeys(_grid(), math.inf)

    def use(colour: str) -> None:
        for candidate in apart:
            apart[candidate] = min(apart[candidate], distance(candidate, colour))

    for colour in used:
        use(colour)
    chosen = []
    for _ in range(count):
        # each is used once while the grid of some hundred colours lasts
        colour = max(apart, key=apart.__getitem__)
        chosen.append(colour)
        use(colour)
    return chosen


@cache
def _grid() -> tuple[str, ...]:
    found = dict.fromkeys(_rgb(*point) for point in product(_LIGHTNESS, _CHROMA, _HUES))
    return tuple(colour for colour in found if colour and contrast_on_white(colour) >= MIN_CONTRAST)


def _rgb(lightness: float, chroma: float, hue: float) -> str | None:
    """``#rrggbb`` of a colour in OKLCh; none where sRGB does not have it."""
    a, b = chroma * math.cos(math.radians(hue)), chroma * math.sin(math.radians(hue))
    long = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3
    middle = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3
    short = (lightness - 0.0894841775 * a - 1.2914855480 * b) ** 3
    linear = (
        4.0767416621 * long - 3.3077115913 * middle + 0.2309699292 * short,
        -1.2684380046 * long + 2.6097574011 * middle - 0.3413193965 * short,
        -0.0041960863 * long - 0.7034186147 * middle + 1.7076147010 * short,
    )
    if not all(0 <= value <= 1 for value in linear):
        return None
    return "#" + "".join(f"{round(_encoded(value) * 255):02x}" for value in linear)


def _encoded(value: float) -> float:
    return float(12.92 * value if value <= 0.0031308 else 1.055 * value ** (1 / 2.4) - 0.055)


def _linear(colour: str) -> Channels:
    red, green, blue = (int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
    return _decoded(red), _decoded(green), _decoded(blue)


def _decoded(value: float) -> float:
    return float(value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4)


@cache
def _views(colour: str) -> tuple[Channels, ...]:
    """OKLab coordinates under normal vision and each deficiency."""
    linear = _linear(colour)
    seen = [[min(1.0, max(0.0, _dot(row, linear))) for row in matrix] for matrix in _DEFICIENCIES]
    return (_oklab(*linear), *(_oklab(*channels) for channels in seen))


def _oklab(red: float, green: float, blue: float) -> Channels:
    long = (0.4122214708 * red + 0.5363325363 * green + 0.0514459929 * blue) ** (1 / 3)
    middle = (0.2119034982 * red + 0.6806995451 * green + 0.1073969566 * blue) ** (1 / 3)
    short = (0.0883024619 * red + 0.2817188376 * green + 0.6299787005 * blue) ** (1 / 3)
    return (
        0.2104542553 * long + 0.7936177850 * middle - 0.0040720468 * short,
        1.9779984951 * long - 2.4285922050 * middle + 0.4505937099 * short,
        0.0259040371 * long + 0.7827717662 * middle - 0.8086757660 * short,
    )


def _dot(row: Channels, channels: Channels) -> float:
    return sum(weight * value for weight, value in zip(row, channels, strict=True))
