"""The list of jobs before a real projector."""

from casekin.contracts.maps import MapFit
from casekin.contracts.projector import JobState
from tests.unit.ui.conftest import Browser, Jobs, text_of


async def test_list__is_read_only_while_its_tab_is_open(browser_with_jobs: Browser, jobs: Jobs) -> None:
    jobs.client.submit(MapFit())
    shown = await browser_with_jobs.call("jobs.children", "tabs", tabs="jobs")
    assert "Map of the collection" in text_of(shown["jobs"]["children"])
    left = await browser_with_jobs.call("jobs.children", "tabs", tabs="matches")
    assert left["jobs"]["children"] is None


async def test_poll__is_stopped_by_the_browser_without_waiting_for_the_server(browser_with_jobs: Browser) -> None:
    specs = (await browser_with_jobs.http.get("/_dash-dependencies")).json()
    [spec] = [one for one in specs if "jobs-poll.disabled" in one["output"]]
    assert spec["clientside_function"] == {"namespace": "casekin", "function_name": "stopJobsPoll"}
    assert [one["id"] for one in spec["inputs"]] == ["tabs"]


async def test_cancel__ends_the_job_of_that_row(browser_with_jobs: Browser, jobs: Jobs) -> None:
    kept, gone = jobs.client.submit(MapFit()), jobs.client.submit(MapFit(preset="visual"))
    button = {"type": "job-cancel", "id": gone.id}
    await browser_with_jobs.call("jobs.children", button, tabs="jobs")
    assert jobs.client.job(gone.id).state is JobState.CANCELLED
    assert jobs.client.job(kept.id).state is JobState.QUEUED
