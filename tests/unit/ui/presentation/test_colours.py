import re
from pathlib import Path

import pytest

from services.ui.presentation.colours import contrast, ink_on, visible_on
from services.ui.presentation.vocabulary import FALLBACK

SHEET = Path(__file__).parents[4] / "services" / "ui" / "assets" / "10-foundation.css"
ON_EVERY_GROUND = [(ink, ground) for ink in ("ink", "ink-soft") for ground in ("ground", "surface", "raised", "sunken")]
TEXT_ON = [
    *ON_EVERY_GROUND,
    *[("ink", soft) for soft in ("accent-soft", "bad-soft", "warn-soft")],
    *[(ink, "surface") for ink in ("accent", "warn", "bad")],
    *[("accent-ink", "accent"), ("warn", "warn-soft"), ("bad", "bad-soft")],
]


def schemes() -> dict[str, dict[str, str]]:
    blocks = re.findall(r":root(\S*) \{(.*?)\}", SHEET.read_text(), re.DOTALL)
    light, dark = (dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6});", body)) for _, body in blocks[:2])
    return {"light": light, "dark": {**light, **dark}}


def test_contrast__known_values_of_wcag() -> None:
    assert contrast("#ffffff", "#000000") == pytest.approx(21)
    assert contrast("#767676", "#ffffff") == pytest.approx(4.54, abs=0.01)
    assert contrast("#123456", "#123456") == 1


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("text", "ground"), TEXT_ON)
def test_style_sheet__every_text_can_be_read(scheme: str, text: str, ground: str) -> None:
    colours = schemes()[scheme]
    assert contrast(colours[text], colours[ground]) >= 4.5


@pytest.mark.parametrize("colour", [*FALLBACK, "#332288", "#f0e442", "#808080"])
def test_ink_on__can_be_read(colour: str) -> None:
    assert contrast(ink_on(colour), colour) >= 4.5


@pytest.mark.parametrize("ground", ["#ffffff", "#15191e", "#777777"])
@pytest.mark.parametrize("colour", [*FALLBACK, "#332288", "#f0e442", "#ffffff", "#000000"])
def test_visible_on__stands_out(colour: str, ground: str) -> None:
    assert contrast(visible_on(colour, ground), ground) >= 3


def test_visible_on__leaves_what_stands_out_already() -> None:
    assert visible_on("#aa0000", "#ffffff") == "#aa0000"
