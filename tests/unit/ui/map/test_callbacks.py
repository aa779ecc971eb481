"""The map's callbacks before a real projector with a real job store: fit, cancel, poll, draw, mark, place."""

from typing import Any

import pytest

from casekin.contracts.maps import CaseMap, MapFit
from casekin.contracts.projector import JobState
from services.projector.projection.map_store import MapStore
from tests.laid import map_id, version
from tests.unit.ui.conftest import CASES, Browser, Jobs, collection, matched, query, steering, text_of

LOOK = {"scheme": "light", "engine": "scattergl"}
FIT = "map-job.data"


def keep_map(jobs: Jobs, number: int = 1) -> str:
    """Make a map with the cases on a diagonal the current one; returns its id."""
    diagnoses = [("nv", "mel", "bkl")[row % 3] for row in range(CASES)]
    fitted = CaseMap(
        version=version(CASES, number=number, preset="clinical", weights=(1.0, 1.0, 1.0, 1.0)),
        cases=[f"CASE_{row:03d}" for row in range(CASES)],
        diagnoses=diagnoses,
        x=[float(row) for row in range(CASES)],
        y=[float(number * row) for row in range(CASES)],
    )
    store = MapStore(jobs.settings.folder, jobs.settings.maps_kept)
    store.add(fitted)
    store.make_current(fitted.version.id)
    return fitted.version.id


def figure_of(map_id: str) -> dict[str, Any]:
    """The store of a drawn map."""
    return {**LOOK, "id": map_id, "traces": 3}


async def drawn_map(browser: Browser) -> dict[str, Any]:
    answer = await browser.call("map.figure", "tabs", tabs="map", map_look=LOOK, **await collection(browser))
    assert answer["map-frame"]["hidden"] is False
    return dict(answer["map-drawn"]["data"])


@pytest.mark.parametrize(
    ("preset", "supervised"), [("clinical", False), ("visual", False), ("visual", True), ("clinical", True)]
)
async def test_fit__is_of_the_preset_and_the_switch_that_are_chosen(
    browser_with_jobs: Browser, jobs: Jobs, preset: Any, supervised: bool
) -> None:
    values = {"steering": {**steering(), "preset": preset}, "map_supervised": supervised}
    answer = await browser_with_jobs.call(FIT, "map-draw", **values)
    wanted = jobs.client.submit(MapFit(preset=preset, supervised=supervised))
    assert answer["map-job"]["data"] == wanted.id, "jobs are named by their content"
    assert answer["map-poll"]["disabled"] is False
    assert answer["map-draw"]["hidden"] is True


async def test_fit__under_own_weights_is_said_in_words(browser_with_jobs: Browser) -> None:
    own = {**steering(), "preset": "custom", "weights": [1.0] * 4}
    answer = await browser_with_jobs.call(FIT, "map-draw", steering=own)
    assert answer["map-job-error"]["children"]["props"]["data-code"] == "bad-input"
    assert "Clinical or Visual" in text_of(answer["map-job-error"]["children"])
    assert answer["map-poll"]["disabled"] is True


async def test_cancel__ends_the_job_and_the_polling(browser_with_jobs: Browser, jobs: Jobs) -> None:
    begun = await browser_with_jobs.call(FIT, "map-draw", steering=steering())
    job_id = begun["map-job"]["data"]
    answer = await browser_with_jobs.call(FIT, "map-cancel", map_job=job_id, map_fitted="before")
    assert jobs.client.job(job_id).state is JobState.CANCELLED
    assert answer["map-poll"]["disabled"] is True
    assert answer["map-job-line"]["hidden"] is True
    assert answer["map-draw"]["hidden"] is False
    assert (answer["map-job"]["data"], answer["map-fitted"]["data"]) == (None, "before")


async def test_poll__goes_on_while_the_job_waits_and_stops_when_it_has_ended(
    browser_with_jobs: Browser, jobs: Jobs
) -> None:
    begun = await browser_with_jobs.call(FIT, "map-draw", steering=steering())
    values = {"map_job": begun["map-job"]["data"], "map_fitted": "before"}
    waiting = await browser_with_jobs.call(FIT, "map-poll", **values)
    assert waiting["map-poll"]["disabled"] is False
    assert waiting["map-job"]["data"] == values["map_job"]
    assert waiting["map-progress-text"]["children"]
    jobs.client.cancel(values["map_job"])
    ended = await browser_with_jobs.call(FIT, "map-poll", **values)
    assert ended["map-poll"]["disabled"] is True
    assert ended["map-job"]["data"] is None


async def test_poll__without_a_job_asks_nothing(browser_with_jobs: Browser) -> None:
    assert await browser_with_jobs.call(FIT, "map-poll") == {}


async def test_draw__shows_the_current_map_once(browser_with_jobs: Browser, jobs: Jobs) -> None:
    first = keep_map(jobs)
    drawn = await drawn_map(browser_with_jobs)
    assert drawn["id"] == first
    values = {"tabs": "map", "map_look": LOOK, "map_drawn": drawn, **await collection(browser_with_jobs)}
    assert await browser_with_jobs.call("map.figure", "tabs", **values) == {}, "it is drawn already"
    assert await browser_with_jobs.call("map.figure", "collection", **values) == {}
    dark = {**values, "map_look": {**LOOK, "scheme": "dark"}}
    assert "figure" in (await browser_with_jobs.call("map.figure", "map-look", **dark))["map"]


async def test_draw__shows_another_map_that_was_chosen(browser_with_jobs: Browser, jobs: Jobs) -> None:
    first, second = keep_map(jobs, 1), keep_map(jobs, 2)
    drawn = await drawn_map(browser_with_jobs)
    assert drawn["id"] == second
    chosen = await browser_with_jobs.call("map-fitted.data", "map-version", map_version=first, map_drawn=drawn)
    assert chosen["map-fitted"]["data"] == first
    values = {"tabs": "map", "map_look": LOOK, "map_drawn": drawn, "map_fitted": first}
    answer = await browser_with_jobs.call("map.figure", "map-fitted", **values)
    assert answer["map-drawn"]["data"]["id"] == first
    again = await browser_with_jobs.call(
        "map-fitted.data", "map-version", map_version=first, map_drawn=figure_of(first)
    )
    assert again == {}


async def test_draw__nothing_while_another_tab_is_open(browser_with_jobs: Browser, jobs: Jobs) -> None:
    keep_map(jobs)
    assert await browser_with_jobs.call("map.figure", "tabs", tabs="matches", map_look=LOOK) == {}


async def test_mark__rings_the_matches_on_the_map_that_is_drawn_and_on_no_other(
    browser_with_jobs: Browser, jobs: Jobs
) -> None:
    keep_map(jobs)
    known = await collection(browser_with_jobs)
    asked = {"query": await query(browser_with_jobs), "steering": steering(), **known}
    found = await browser_with_jobs.call("results.data", "query", **asked)
    drawn = await drawn_map(browser_with_jobs)
    values = {"results": found["results"]["data"], **known}
    marked = await browser_with_jobs.call("map-note.children", "results", map_drawn=drawn, **values)
    operations = marked["map"]["figure"]["operations"]
    assert [operation["location"][:2] for operation in operations] == [["data", drawn["traces"] + n] for n in range(4)]
    rings = operations[0]["params"]["value"]
    assert rings["customdata"] == [case["id"] for case in matched(found)]
    rows = [int(case["id"].removeprefix("CASE_")) for case in matched(found)]
    assert (rings["x"], rings["y"]) == ([float(row) for row in rows], [float(row) for row in rows])
    other = {**drawn, "id": map_id(9)}
    assert await browser_with_jobs.call("map-note.children", "results", map_drawn=other, **values) == {}


async def test_place__asks_for_the_place_of_the_image_on_the_map(
    browser_with_worker: Browser, worked_jobs: Jobs
) -> None:
    current = keep_map(worked_jobs)
    image = await query(browser_with_worker, 7)
    values = {"query": image, "map_drawn": figure_of(current)}
    answer = await browser_with_worker.call("placement.data", "query", **values)
    placement = answer["placement"]["data"]
    assert (placement["map_id"], placement["neighbours"][0]) == (current, "CASE_007")
    assert "placement" not in await browser_with_worker.call("placement.data", "query", **values, placement=placement)
    forgotten = await browser_with_worker.call(
        "placement.data", "query", map_drawn=figure_of(current), placement=placement
    )
    assert forgotten["placement"]["data"] is None


async def test_versions__offer_the_kept_maps_once_there_are_two(browser_with_jobs: Browser, jobs: Jobs) -> None:
    keep_map(jobs, 1)
    current = keep_map(jobs, 2)
    answer = await browser_with_jobs.call("map-version.data", "map-drawn", map_drawn=figure_of(current))
    assert answer["map-version-frame"]["hidden"] is False
    assert answer["map-version"]["value"] == current
    assert [choice["value"] for choice in answer["map-version"]["data"]][:2] == [map_id(2), map_id(1)]
    undrawn = await browser_with_jobs.call("map-version.data", "map-drawn")
    assert undrawn["map-version-frame"]["hidden"] is True
