"""A clinician steers a search: by examples, pages, what is left out, variety, another image, a case to start from."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.e2e.conftest import Watched

expect.set_options(timeout=30_000)  # a loaded machine is slow, not wrong
pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


def test_steering__by_examples_pages_order_and_left_out_values(tab: Watched, lesion: Path, other_lesion: Path) -> None:
    page = tab.open()
    tab.upload(lesion)
    first = tab.shown()
    page.get_by_role("button", name=f"More like this: case {first[3]}").click()
    expect(page.locator("#steering-chips")).to_contain_text("More like this × 1")
    expect(page.locator(f"button.match-card[data-case={first[3]}]")).to_have_count(0)
    page.get_by_role("button", name=f"More weight for case {first[3]}").click()
    expect(page.locator("#steering-chips")).to_contain_text("More like this × 1.5")
    page.get_by_role("button", name=re.compile("^Less like this: case")).first.click()
    expect(page.locator("#steering-chips .less")).to_have_count(1)
    tab.shoot("10-examples")
    for left in (1, 0):
        page.get_by_role("button", name=re.compile("^Forget the example")).first.click()
        expect(page.locator("#steering-chips .chip")).to_have_count(left)
    tab.wait_for(first)
    page.get_by_role("button", name="Next").click()
    expect(page.locator("#match-status")).to_contain_text("Matches 13 to 24")
    expect(page.locator("button.match-card .rank").first).to_have_text("13")
    assert not set(first) & set(tab.shown())
    page.get_by_text("Not these").first.click()
    page.locator(".facet input[value=nv]").check()
    expect(page.locator(".chip").first).to_have_text("Diagnosis not: Melanocytic nevus")
    page.wait_for_function(
        "[...document.querySelectorAll('button.match-card')].every(c => c.dataset.diagnosis !== 'nv')"
    )
    expect(page.locator("#match-status")).to_contain_text("12 nearest matches")
    tab.shoot("11-left-out")
    page.locator("#diversity").get_by_text("Much").click()
    page.set_input_files("#upload-additional input[type=file]", other_lesion)
    expect(page.locator("#additional-names")).to_have_text(other_lesion.name)
    page.locator("button.match-card").first.click()
    page.locator("#case-start").click()
    expect(page.locator("#steering-chips")).to_contain_text("Search from case PHANTOM_")
    expect(page.locator("#own")).to_contain_text("the same image")
    tab.shoot("12-from-a-case")
    page.locator("#tab-rollouts").click()
    expect(page.locator(".rollout").first).to_contain_text("case PHANTOM_", timeout=120_000)
    page.locator("#tab-matches").click()
    page.get_by_role("button", name="Search from your image again").click()
    expect(page.locator("#own .own-case")).to_have_count(0)
