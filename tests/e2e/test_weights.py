"""Weights of the clinician's own, and what else steers a search, in a real browser before the whole system."""

import json
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.e2e.conftest import Watched

expect.set_options(timeout=60_000)  # a loaded machine is slow, not wrong
pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


LIKE = {
    "akiec": "Actinic keratosis or intraepithelial carcinoma-like",
    "bcc": "Basal cell carcinoma-like",
    "bkl": "Benign keratosis-like lesion",
    "df": "Dermatofibroma-like",
    "mel": "Melanoma-like",
    "nv": "Melanocytic nevus-like",
    "vasc": "Vascular lesion-like",
}
"""What the page calls a dimension that the bundle names after a diagnosis of the collection, by its code."""


@pytest.fixture(scope="module")
def names(bundle: Path) -> list[str]:
    """Of the dimensions as the page shows them, in the order of the bundle."""
    names = [dimension["name"] for dimension in json.loads((bundle / "bundle.json").read_text())["dimensions"]]
    shown = {f"Towards {code}": name for code, name in LIKE.items()}
    assert shown.keys() <= set(names)
    return [shown.get(name, name) for name in names]


def test_weights__start_from_a_preset_and_one_alone_decides(
    tab_in_both: Watched, lesion: Path, names: list[str]
) -> None:
    tab, page = tab_in_both, tab_in_both.open()
    tab.upload(lesion)
    first = tab.shown()
    page.locator("#preset").get_by_text("Custom", exact=True).click()
    expect(page.locator("#match-status")).to_contain_text("by your own weights")
    assert page.locator(".weight-name").all_inner_texts() == names
    assert tab.shown() == first, "they begin as the clinical weights"
    expect(page.locator("button.match-card").first).to_be_in_viewport()
    _pictures_are_there(tab)
    tab.shoot("13-weights")
    page.get_by_label("Find a dimension").fill(names[1])
    page.get_by_role("button", name=f"Only {names[1]}", exact=True).click()
    differences = page.locator("button.match-card").first.locator(".difference")
    expect(differences).to_have_text([f"{names[1]}100 %"])
    _all_zero_is_refused(tab, names[1])
    page.locator("#weights-reset").click()
    tab.wait_for(first)
    page.locator("button.match-card").first.click()
    expect(page.locator("#case-contributions li")).to_have_count(len(names))
    page.locator("#case-contributions summary").click()
    expect(page.locator("#case-contributions li").last).to_be_visible()
    tab.shoot("15-contributions")


def _all_zero_is_refused(tab: Watched, name: str) -> None:
    """With the keys alone."""
    page, before = tab.page, tab.shown()
    slider = page.get_by_role("slider", name=f"Weight of {name}", exact=True)
    slider.press("Home")
    expect(page.locator("#weights-zero")).to_contain_text("All weights are 0")
    tab.shoot("14-all-zero")
    assert tab.shown() == before
    expect(page.locator(".error-box:visible")).to_have_count(0)
    slider.press("ArrowRight")
    expect(page.locator("#weights-zero")).to_be_hidden()


def _pictures_are_there(tab: Watched) -> None:
    """Of what the first dimension changes."""
    style = tab.page.locator(".weight-end").first.evaluate("end => getComputedStyle(end).backgroundImage")
    answer = tab.page.request.get(style.removeprefix('url("').removesuffix('")'))
    assert answer.headers["content-type"] == "image/jpeg"


def test_weights__can_be_taken_back_and_outlive_a_reload(tab: Watched, lesion: Path, names: list[str]) -> None:
    page = tab.open()
    tab.upload(lesion)
    page.locator("#preset").get_by_text("Custom", exact=True).click()
    told = page.locator(".weight-head .figure")
    clinical = told.all_inner_texts()
    expect(page.locator("#weights-undo")).to_be_disabled()
    page.locator("#weights-visual").click()
    expect(told).to_have_text(["1.00"] * len(names))
    page.locator("#weights-undo").click()
    expect(told).to_have_text(clinical)
    expect(page.locator("#weights-undo")).to_be_disabled()
    page.get_by_role("button", name=f"Only {names[2]}", exact=True).click()
    only = ["0.00", "0.00", clinical[2], *["0.00"] * (len(names) - 3)]
    expect(told).to_have_text(only)
    page.reload()
    tab.upload(lesion)
    expect(page.locator("#weights-panel")).to_be_hidden()
    page.locator("#preset").get_by_text("Custom", exact=True).click()
    expect(told).to_have_text(only)
    expect(page.locator("button.match-card").first.locator(".difference")).to_have_text([f"{names[2]}100 %"])


def test_own_lesion_and_further_images__are_named_and_taken_back(
    tab: Watched, lesion: Path, other_lesion: Path
) -> None:
    page = tab.open()
    tab.upload(lesion)
    first = tab.shown()
    page.locator("button.match-card").first.click()
    page.get_by_role("button", name="Same lesion as mine").click()
    expect(page.locator("#steering-chips")).to_contain_text("My lesion: ")
    expect(page.locator("#own")).to_contain_text(first[0])
    expect(page.locator(f"button.match-card[data-case={first[0]}]")).to_have_count(0)
    tab.shoot("16-own-lesion")
    page.locator("#steering-chips").get_by_role("button", name="is not mine").click()
    tab.wait_for(first)
    page.set_input_files("#upload-additional input[type=file]", other_lesion)
    expect(page.locator("#additional-names")).to_have_text(other_lesion.name)
    page.get_by_role("button", name=f"Remove {other_lesion.name}").click()
    expect(page.locator("#additional-names")).to_be_empty()
    tab.wait_for(first)
