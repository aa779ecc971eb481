"""A clinician's way through the page, in a real browser, before the whole system as it is started."""

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Request, Route, expect

from tests.e2e.conftest import COUNT, Watched

expect.set_options(timeout=30_000)  # a loaded machine is slow, not wrong
pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
ALL = f"12 nearest matches of {COUNT} cases in the collection"
LONELIEST_CASE_ON_THE_MAP = """() => {
    const map = document.querySelector("#map .js-plotly-plot"), plot = map.querySelector(".nsewdrag");
    const { xaxis, yaxis } = map._fullLayout, corner = plot.getBoundingClientRect();
    const cases = [];
    for (const trace of map._fullData.filter((trace) => trace.customdata && trace.visible === true))
        for (let i = 0; i < trace.x.length; i++)
            if (trace.customdata[i])
                cases.push({
                    x: corner.x + xaxis.l2p(trace.x[i]), y: corner.y + yaxis.l2p(trace.y[i]), id: trace.customdata[i],
                });
    for (const one of cases)
        one.room = Math.min(
            ...cases.filter((other) => other !== one).map((other) => Math.hypot(one.x - other.x, one.y - other.y)),
        );
    const reachable = cases.filter(({ x, y }) => document.elementFromPoint(x, y) === plot);
    return reachable.sort((one, other) => other.room - one.room)[0];
}"""
"""Finds, of the case points that the pointer can reach, the one farthest from any other: its id, and x and y in pixels
of the window, CSS ones. No other point is then as near to the pointer."""
NOT_A_DIAGNOSIS = "For research and teaching. Casekin does not diagnose."


def test_journey__upload_filter_case_map_rollouts(tab_in_both: Watched, lesion: Path) -> None:
    """The whole way once, in both schemes and both shapes of screen."""
    page = tab_in_both.open()
    expect(page.locator("#collection-title")).to_contain_text(f"{COUNT} cases")
    expect(page.locator("#service-state")).to_have_text("All services ready")
    expect(page.locator("#sources")).to_contain_text(re.compile("Phantoms .*CC0 1.0.*casekin phantoms"))
    tab_in_both.shoot("1-start")
    _matches(tab_in_both, lesion)
    _filters(tab_in_both)
    _case(tab_in_both)
    _map(tab_in_both)
    _rollouts(tab_in_both)
    _name(tab_in_both)
    _way_to_a_case(tab_in_both)
    _jobs(tab_in_both)


def _matches(tab: Watched, lesion: Path) -> None:
    tab.upload(lesion)
    page = tab.page
    expect(page.locator("button.match-card")).to_have_count(12)
    expect(page.locator("#match-status")).to_have_text(ALL)
    expect(page.locator("#query-name")).to_contain_text("600 × 450 px")
    expect(page.locator("#reconstruction")).to_have_attribute("src", re.compile("^data:image/"))
    expect(page.locator("#class-head")).to_contain_text("not a diagnosis")
    expect(page.locator("#statistics")).to_contain_text("If all diagnoses were equally common")
    tab.shoot("2-matches")
    widths = page.eval_on_selector_all("#matches img, .pair img", "all => all.map(image => image.naturalWidth)")
    assert len(widths) == 14
    assert min(widths) > 0


def _filters(tab: Watched) -> None:
    page, shown = tab.page, "all => [...new Set(all.map(card => card.dataset.diagnosis + ' ' + card.dataset.sex))]"
    cards = page.locator("button.match-card")
    page.locator(".facet input[value=nv]").check()
    page.locator("#facets").get_by_role("button", name="Sex").click()
    page.locator(".facet input[value=female]").check()
    expect(page.locator("#match-status")).to_contain_text("that pass the filters")
    expect(page.locator(".chip")).to_have_text(["Diagnosis: Melanocytic nevus", "Sex: Female"])
    page.wait_for_function("[...document.querySelectorAll('button.match-card')].every(c => c.dataset.sex === 'female')")
    assert cards.count() == 12
    assert cards.evaluate_all(shown) == ["nv female"]
    tab.shoot("3-filtered")
    page.get_by_role("button", name="Remove the filter Sex: Female").click()
    expect(page.locator(".chip")).to_have_count(1)
    page.locator("#chips").get_by_role("button", name="Clear all").click()
    expect(page.locator("#match-status")).to_have_text(ALL)


def _case(tab: Watched) -> None:
    page = tab.page
    page.locator("button.match-card").nth(1).click()
    expect(page.locator("#case-place")).to_have_text("2 of 12")
    expect(page.get_by_role("dialog")).to_contain_text(NOT_A_DIAGNOSIS)
    expect(page.locator("#case-contributions li")).not_to_have_count(0)
    tab.shoot("4-case")
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_be_hidden()


def _map(tab: Watched) -> None:
    page = tab.page
    page.locator("#tab-map").click()
    expect(page.locator("#map-draw")).to_be_visible()
    if page.locator("#map-draw").inner_text() == "Draw map":  # the first of the two finds none
        expect(page.locator("#map-empty")).to_contain_text("No map has been drawn yet")
        page.locator("#map-draw").click()
        expect(page.locator("#map-job-line")).to_be_visible()
        tab.shoot("5-map-running")
    page.wait_for_selector("#map .legend", timeout=480_000)
    expect(page.locator("#map-note")).to_contain_text("Your image is placed among its 15 nearest cases")
    expect(page.locator("#map .legend")).to_contain_text("Your image")
    expect(page.locator("#map .legend")).to_contain_text("Where it may lie")
    with _never_polls(tab, "map-poll", "the map is drawn"):
        page.locator("#map-quality summary").first.click()
        expect(page.locator("#map-quality .agreement").first).to_contain_text("Melanocytic nevus")
        tab.shoot("6-map-quality")
        page.locator("#map-quality summary").first.click()
    page.locator("#map-supervised").check()
    page.locator("#map-draw").click()
    expect(page.locator("#map-note")).to_contain_text("more than what the images alone tell", timeout=480_000)
    page.locator("#map-quality").get_by_text("All kept maps compared").click()
    expect(page.locator("#map-quality .agreement").last).to_contain_text("with diagnoses")
    _hover_a_point(tab)
    tab.shoot("6-map")


def _is_poll(request: Request, name: str) -> bool:
    return f'"{name}.n_intervals"' in (request.post_data or "")


@contextmanager
def _never_polls(tab: Watched, name: str, reason: str) -> Iterator[None]:
    """The page does not ask for a job during what is done within, nor before three seconds have passed: two polls."""
    seen: list[str] = []

    def note(request: Request) -> None:
        if _is_poll(request, name):
            seen.append(request.url)

    tab.page.on("request", note)
    end = time.monotonic() + 3
    yield
    tab.page.wait_for_timeout(1000 * max(0, end - time.monotonic()))
    tab.page.remove_listener("request", note)
    assert seen == [], reason


def _rollouts(tab: Watched) -> None:
    page = tab.page
    page.locator("#tab-rollouts").click()
    expect(page.locator(".rollout")).to_have_count(8, timeout=120_000)
    expect(page.locator(".rollout").first.locator("img")).to_have_count(11)
    expect(page.locator(".rollout").first.locator("button.real-case")).to_have_count(11)
    expect(page.locator(".step.origin")).to_have_count(8)
    expect(page.locator(".rollout").first.locator(".share-bar")).to_have_count(11)
    expect(page.locator(".share-legend").first).not_to_be_empty()
    with _never_polls(tab, "rollouts-poll", "the rollouts are there"):
        tab.shoot("7-rollouts")
        _real_cases(tab)
    page.locator("#rollouts-all").click()
    page.wait_for_function("document.querySelectorAll('.rollout').length > 8", timeout=120_000)
    expect(page.locator("#rollouts-all")).to_be_hidden()
    page.locator(".rollout").first.get_by_role("button", name="Play").click()
    expect(page.locator(".playing img")).to_have_attribute("src", re.compile("^data:image/webp"))
    page.locator("#joint-make").click()
    expect(page.locator("#joint .step img")).to_have_count(49, timeout=120_000)
    page.locator("#joint .joint-grid").scroll_into_view_if_needed()
    tab.shoot("8-joint")
    name = page.locator(".rollout strong").first.inner_text()
    page.locator(".rollout").first.get_by_role("button", name="on the map").click()
    expect(page.locator("#map .legend")).to_contain_text(name)
    tab.shoot("9-way")


def _real_cases(tab: Watched) -> None:
    """Steps show decoded images, real cases or both, by pointer and keyboard; a real case opens."""
    page = tab.page
    decoded, real = page.locator(".rollout .decoded").first, page.locator(".rollout button.real-case").first
    expect(page.locator("#rollouts .real-note")).to_contain_text(f"the nearest of {COUNT} cases")
    page.locator("#rollouts-steps").get_by_text("Real").click()
    expect(decoded).to_be_hidden()
    expect(real).to_be_visible()
    page.keyboard.press("ArrowLeft")
    expect(real).to_be_hidden()
    expect(decoded).to_be_visible()
    page.keyboard.press("ArrowLeft")  # round to the last
    expect(decoded).to_be_visible()
    case = real.get_attribute("data-case")
    real.focus()
    page.keyboard.press("Enter")
    expect(page.locator("#case-title")).to_contain_text(str(case))
    expect(page.locator("[role=dialog]:focus-within")).to_be_visible()  # it takes keys once it has the focus
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_be_hidden()
    expect(real).to_be_focused()


def _name(tab: Watched) -> None:
    page, name = tab.page, "Shade of the skin"
    page.locator("#tab-rollouts").click()
    title = page.locator(".rollout strong").first
    before = title.inner_text()
    page.locator(".rollout").first.get_by_role("button", name=f"Rename {before}").click()
    dialog = page.get_by_role("dialog", name="Name of the dimension")
    field = dialog.get_by_role("textbox", name="Name")
    expect(field).to_have_value(before)
    expect(field).to_have_attribute("maxlength", "60")
    field.fill(page.locator(".rollout strong").nth(1).inner_text())
    dialog.get_by_role("button", name="Save").click()
    expect(dialog).to_contain_text("dimension 2 is named", ignore_case=True)
    field.fill(name)
    field.press("Enter")
    expect(title).to_have_text(name)
    expect(dialog.locator(".name-history li").first).to_contain_text(f"local renamed {before} to {name}")
    tab.shoot("9-name")
    dialog.get_by_role("button", name="Undo the last change").click()
    expect(title).to_have_text(before)
    expect(dialog.locator(".name-history li").first).to_contain_text(f"undid {name}, back to {before}")
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()


def _jobs(tab: Watched) -> None:
    page = tab.page
    with page.expect_request(lambda request: _is_poll(request, "jobs-poll")):
        page.locator("#tab-jobs").click()
    for kind in ("Map of the collection", "Rollouts", "Two dimensions together", "Path to a case"):
        expect(page.locator("#jobs tr[data-state=succeeded]").filter(has_text=kind).first).to_be_visible()
    tab.shoot("11-jobs")
    held: list[Route] = []

    def hold(route: Route) -> None:  # a busy server answers the click late
        held.append(route)

    page.route("**/_dash-update-component", hold)
    page.locator("#tab-matches").click()
    with _never_polls(tab, "jobs-poll", "nobody looks at the jobs"):
        expect(page.locator("#not-a-diagnosis")).to_have_text(NOT_A_DIAGNOSIS)
        expect(page.locator("#not-a-diagnosis")).to_be_in_viewport()
    page.unroute("**/_dash-update-component", hold)
    for route in held:
        route.continue_()


def _way_to_a_case(tab: Watched) -> None:
    page = tab.page
    page.locator("#tab-matches").click()
    page.locator("button.match-card").nth(2).click()
    page.get_by_role("button", name="Show the path to this case").click()
    expect(page.locator("#case-path .step img")).to_have_count(11)
    case = page.locator("#case-title .mono").inner_text()
    expect(page.locator("#case-path button.real-case").last).to_have_attribute("data-case", case)
    page.locator("#case-path-steps").get_by_text("Real").click()
    expect(page.locator("#case-path .decoded").first).to_be_hidden()
    page.keyboard.press("ArrowRight")  # moves the switch, not to the next match
    expect(page.locator("#case-path .decoded").first).to_be_visible()
    expect(page.locator("#case-place")).to_have_text("3 of 12")
    page.locator("#case-path").scroll_into_view_if_needed()
    tab.shoot("10-way-to-a-case")
    page.locator("#case-path-map").click()
    expect(page.get_by_role("dialog")).to_be_hidden()
    expect(page.locator("#map .legend")).to_contain_text("Path to")


def _hover_a_point(tab: Watched) -> str:
    """Point at a case on the map until the page shows its thumbnail and id; return the id."""
    case = tab.page.wait_for_function(LONELIEST_CASE_ON_THE_MAP).json_value()
    tab.page.mouse.move(case["x"] - 20, case["y"])
    tab.page.mouse.move(case["x"], case["y"], steps=4)
    # points that the pointer passed on its way show first
    expect(tab.page.locator(".hover-id")).to_have_text(case["id"])
    expect(tab.page.locator(".map-hover img")).to_have_attribute("src", re.compile(f"^/thumbnails/{case['id']}"))
    return str(case["id"])


def test_map__a_click_on_a_point_opens_its_case(tab: Watched) -> None:
    page = tab.open()
    page.locator("#tab-map").click()
    expect(page.locator("#map-draw")).to_be_visible()
    if page.locator("#map-draw").inner_text() == "Draw map":  # the journey has drawn it where it ran before
        page.locator("#map-draw").click()
    page.wait_for_selector("#map .legend", timeout=480_000)
    case_id = _hover_a_point(tab)
    page.mouse.down()
    page.mouse.up()
    expect(page.locator("#case-title")).to_contain_text(case_id)
    expect(page.locator("#case-contributions")).to_contain_text("Not among the matches")


def test_keyboard__is_enough(tab: Watched, lesion: Path) -> None:
    # before the page opens: the browser needs a while to hand its file dialogs over
    tab.page.on("filechooser", lambda chooser: chooser.set_files(lesion))
    page = tab.open()
    page.locator("#upload-button").focus()
    page.keyboard.press("Enter")
    page.wait_for_selector("button.match-card")
    page.locator("button.match-card").first.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_be_visible()
    expect(page.locator("#case-place")).to_have_text("1 of 12")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    expect(page.locator("#case-place")).to_have_text("3 of 12")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    expect(page.locator("#case-place")).to_have_text("1 of 12")
    page.keyboard.press("ArrowLeft")  # there is none before the first
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_be_hidden()
    expect(page.locator("button.match-card").first).to_be_focused()


def test_steps__show_what_was_chosen_after_a_reload_and_by_the_weights_of_the_search(
    tab: Watched, lesion: Path
) -> None:
    page = tab.open()
    tab.upload(lesion)
    page.locator("#tab-rollouts").click()
    real = page.locator(".rollout button.real-case").first
    expect(real).to_be_visible(timeout=120_000)
    page.locator("#rollouts-steps").get_by_text("Decoded").click()
    expect(real).to_be_hidden()
    page.reload()
    page.wait_for_selector(".facet input")
    tab.upload(lesion)
    page.locator("#tab-rollouts").click()
    expect(page.locator(".rollout .decoded").first).to_be_visible(timeout=120_000)
    expect(real).to_be_hidden()
    page.locator("#rollouts-steps").get_by_text("Both").click()
    expect(page.locator("#rollouts .real-note")).to_contain_text("by the clinical weights")
    page.locator("#preset").get_by_text("Visual").click()
    expect(page.locator("#rollouts .real-note")).to_contain_text("by the visual weights")


def test_two_users__each_see_their_own(tab: Watched, second_tab: Watched, lesion: Path, other_lesion: Path) -> None:
    tab.open()
    second_tab.open()
    tab.upload(lesion)
    second_tab.upload(other_lesion)
    tab.page.locator(".facet input[value=mel]").check()
    expect(tab.page.locator(".chip")).to_have_count(1)
    expect(second_tab.page.locator(".chip")).to_have_count(0)
    expect(tab.page.locator("#query-name")).to_contain_text(lesion.name)
    expect(second_tab.page.locator("#query-name")).to_contain_text(other_lesion.name)


def test_filters__that_nothing_passes_are_named_and_can_be_cleared(tab: Watched, lesion: Path) -> None:
    page = tab.open()
    tab.upload(lesion)
    page.locator("#facets").get_by_role("button", name="Evidence").click()
    page.locator(".facet input[value=consensus]").check()
    page.locator(".facet input[value=mel]").check()  # melanomas are confirmed by histopathology
    empty = page.locator("#matches .empty")
    expect(empty).to_contain_text("No case passes these filters")
    expect(empty).to_contain_text("Diagnosis: Melanoma")
    empty.get_by_role("button", name="Clear all filters").click()
    expect(page.locator("button.match-card")).to_have_count(12)
