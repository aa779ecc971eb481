"""What a phantom is drawn from: factors with unit and range, so that the truth behind each picture is known."""

from dataclasses import dataclass, field, fields
from typing import Any, Literal

Part = Literal["lesion", "view"]


@dataclass(frozen=True)
class Scale:
    """Unit and range of a factor."""

    unit: str
    low: float
    high: float
    part: Part
    whole: bool = False
    """Whether it is a count."""

    def limited(self, value: float) -> float:
        """`value` brought into the range: an angle goes round, all else is cut."""
        return value % self.high if self.unit == "degree" else min(max(value, self.low), self.high)


def _lesion(unit: str, low: float, high: float, *, whole: bool = False) -> Any:
    return field(metadata={"scale": Scale(unit, low, high, "lesion", whole)})


def _view(unit: str, low: float, high: float, *, whole: bool = False) -> Any:
    return field(metadata={"scale": Scale(unit, low, high, "view", whole)})


@dataclass(frozen=True)
class Factors:
    """All factors of one picture: those of the lesion, which its other pictures share, and those of the view."""

    diameter: float = _lesion("mm", 2, 14)
    """Of a disc of the same area; a picture is 20 mm wide."""
    elongation: float = _lesion("ratio", 1, 2)
    """Long axis over short axis."""
    asymmetry: float = _lesion("share", 0, 1)
    """How far shape and pigment differ between the halves."""
    border_irregularity: float = _lesion("share", 0, 1)
    """Notches and lobes of the outline."""
    border_sharpness: float = _lesion("share", 0, 1)
    """1 ends within a hair's breadth, 0 fades over a third of the radius."""
    darkness: float = _lesion("share", 0, 1)
    """Amount of melanin."""
    warmth: float = _lesion("share", 0, 1)
    """Brown that leans to grey (0) or to red (1)."""
    colours: int = _lesion("count", 1, 6, whole=True)
    """How many of light brown, dark brown, black, red, blue-grey and white occur."""
    variegation: float = _lesion("share", 0, 1)
    """How unevenly the pigment lies."""
    redness: float = _lesion("share", 0, 1)
    """Blood in the lesion."""
    network: float = _lesion("share", 0, 1)
    """Strength of the pigment network."""
    globules: int = _lesion("count", 0, 120, whole=True)
    """Round brown clods."""
    veil: float = _lesion("share", 0, 1)
    """Blue-white veil."""
    regression: float = _lesion("share", 0, 1)
    """White, scar-like areas."""
    vessels: int = _lesion("count", 0, 12, whole=True)
    """Branching vessels."""
    lacunae: int = _lesion("count", 0, 30, whole=True)
    """Red to purple clods."""
    scale: float = _lesion("share", 0, 1)
    """White to yellow scales on the surface."""
    cysts: int = _lesion("count", 0, 40, whole=True)
    """Small pale dots, milia-like."""
    skin_tone: float = _lesion("share", 0, 1)
    """0 palest to 1 darkest."""
    skin_redness: float = _lesion("share", 0, 1)
    """Blood in the skin around."""
    ridges: float = _lesion("share", 0, 1)
    """Parallel ridges, as on palms and soles."""
    follicles: int = _lesion("count", 0, 250, whole=True)
    """Pale openings, as on the face."""
    rotation: float = _view("degree", 0, 360)
    """Of the lesion, counter-clockwise."""
    shift_x: float = _view("share of width", -0.15, 0.15)
    """Of the lesion's centre, to the right."""
    shift_y: float = _view("share of height", -0.15, 0.15)
    """Of the lesion's centre, downwards."""
    hair: int = _view("count", 0, 45, whole=True)
    """Hairs across the picture."""
    vignette: float = _view("share", 0, 1)
    """The dark rim of the dermatoscope: 0 out of sight, 1 at its narrowest."""
    exposure: float = _view("stop", -0.6, 0.5)
    """Brighter or darker than normal."""
    light_gradient: float = _view("share", 0, 0.5)
    """Loss of light from one side to the other."""
    tint: float = _view("share", -1, 1)
    """White balance: -1 violet, 1 orange."""
    blur: float = _view("pixel", 0, 2)
    """Standard deviation of the defocus at 600 pixels of width."""


SCALES: dict[str, Scale] = {entry.name: entry.metadata["scale"] for entry in fields(Factors)}
"""Unit and range of each factor by its name, in order."""


def within_range(values: dict[str, float]) -> Factors:
    """Factors from numbers: each is brought into its range, counts are rounded."""
    limited = {name: scale.limited(values[name]) for name, scale in SCALES.items()}
    whole: dict[str, Any] = {name: round(value) if SCALES[name].whole else value for name, value in limited.items()}
    return Factors(**whole)
