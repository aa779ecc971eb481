"""The list of jobs, as the page shows it."""

from datetime import UTC, datetime

import pytest

from casekin.contracts.problem import Problem
from casekin.contracts.projector import Job, JobState, Progress
from casekin.errors import Unexpected
from casekin.service.problems import describe
from services.ui.jobs.layout import STATES, job_list
from tests.unit.ui.conftest import every, sent, text_of

ASKED = datetime(2026, 11, 22, 12, tzinfo=UTC)


def job(name: str, state: JobState, problem: Problem | None = None, kind: str = "map.fit") -> Job:
    progress = Progress(fraction=0.4, message="epoch 80 of 200", remaining_s=12.5)
    return Job(id=name, kind=kind, state=state, progress=progress, created=ASKED, problem=problem)


def test_jobs__parked_ones_stand_first_and_say_why() -> None:
    why = describe(Unexpected("the job lost its worker 3 times and is parked"))
    drawn = sent(job_list([job("a", JobState.SUCCEEDED), job("b", JobState.RUNNING), job("c", JobState.PARKED, why)]))
    rows = [row for row in every(drawn, "Tr") if "data-job" in row]
    assert [(row["data-job"], row["data-state"]) for row in rows] == [
        ("c", "parked"),
        ("a", "succeeded"),
        ("b", "running"),
    ]
    assert "The job lost its worker 3 times and is parked." in text_of({"props": rows[0]})
    assert "epoch 80 of 200 · about 12 s left" in text_of({"props": rows[2]})


@pytest.mark.parametrize(
    ("state", "word"),
    [
        (JobState.QUEUED, "Cancel"),
        (JobState.RUNNING, "Cancel"),
        (JobState.PARKED, "Release"),
        (JobState.SUCCEEDED, None),
        (JobState.FAILED, None),
        (JobState.CANCELLED, None),
    ],
)
def test_jobs__can_be_stopped_while_there_is_something_to_stop(state: JobState, word: str | None) -> None:
    drawn = sent(job_list([job("a", state, kind="trajectory")]))
    buttons = [(text_of({"props": one}), one["aria-label"], one["id"]) for one in every(drawn, "Button")]
    told = f"{word}: Path to a case"
    assert buttons == ([] if word is None else [(word, told, {"type": "job-cancel", "id": "a"})])
    assert STATES[state] in text_of(drawn)


def test_jobs__none_is_said() -> None:
    assert "No jobs yet" in text_of(sent(job_list([])))
