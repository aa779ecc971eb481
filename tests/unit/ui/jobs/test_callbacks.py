"""The list of jobs before a real projector."""

from casekin.contracts.maps import MapFit
from casekin.contracts.projector import JobState
from tests.unit.ui.conftest import Browser, Jobs, text_of


async def test_list__is_read_only_while_its_tab_is_open(browser_with_jobs: Browser, jobs: Jobs) -> None:
    jobs.client.submit(MapFit())
    shown = await browser_with_jobs.call("jobs.children", "tabs", tabs="jobs")
    assert "Map of the collection" in text_of(shown["jobs"]["children"])
    assert shown["jobs-poll"]["disabled"] is False
    left = await browser_with_jobs.call("jobs.children", "tabs", tabs="matches")
    assert left["jobs"]["children"] is None
    assert left["jobs-poll"]["disabled"] is True


async def test_poll__goes_on_after_the_buttons_of_a_new_list_called(browser_with_jobs: Browser, jobs: Jobs) -> None:
    job = jobs.client.submit(MapFit())
    drawn = await browser_with_jobs.call(
        "jobs.children", {"type": "job-cancel", "id": job.id}, tabs="jobs", clicks=None
    )
    assert drawn == {"jobs-poll": {"disabled": False}}
    assert jobs.client.job(job.id).state is JobState.QUEUED


async def test_cancel__ends_the_job_of_that_row(browser_with_jobs: Browser, jobs: Jobs) -> None:
    kept, gone = jobs.client.submit(MapFit()), jobs.client.submit(MapFit(preset="visual"))
    button = {"type": "job-cancel", "id": gone.id}
    await browser_with_jobs.call("jobs.children", button, tabs="jobs")
    assert jobs.client.job(gone.id).state is JobState.CANCELLED
    assert jobs.client.job(kept.id).state is JobState.QUEUED
