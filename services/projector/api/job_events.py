"""Waiting for a job on behalf of who asked: until it is final, or for its changes as server-sent events.

The events are those of WHATWG HTML, section 9.2. A look costs a tenth of what a request for the job does.
"""

import time
from collections.abc import AsyncIterator, Callable
from typing import Any

from anyio import sleep, to_thread

from casekin.contracts.projector import Job
from casekin.errors import CasekinError

EVENTS: dict[int | str, dict[str, Any]] = {
    200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}, "description": "``data`` is a `Job`"}
}
_LOOK_S = (0.01, 0.25)
"""Shortest and longest pause between two looks: a twentieth of what was waited already."""
_SILENCE_S = 15.0
"""After that a comment is sent, so that nobody between takes the connection for dead."""


async def job_events(first: Job, look: Callable[[], Job]) -> AsyncIterator[str]:
    """The job now and at each change, until it is final or cannot be read; who listens then asks again."""
    job, told, began = first, "", time.monotonic()
    spoken = began
    while True:
        if (content := job.model_dump_json()) != told:
            told, spoken = content, time.monotonic()
            yield f"event: job\ndata: {content}\n\n"
        elif time.monotonic() - spoken > _SILENCE_S:
            spoken = time.monotonic()
            yield ": still here\n\n"
        if job.state.final:
            return
        await sleep(_pause(began))
        try:
            job = await to_thread.run_sync(look)
        except CasekinError:
            return


async def final_or_late(look: Callable[[], Job], wait_s: float) -> Job:
    """The job once it is final, or as it is after `wait_s` seconds; raises what `look` does."""
    began = time.monotonic()
    while not (job := await to_thread.run_sync(look)).state.final and time.monotonic() < began + wait_s:
        await sleep(min(_pause(began), began + wait_s - time.monotonic()))
    return job


def _pause(began: float) -> float:
    shortest, longest = _LOOK_S
    return min(max(shortest, (time.monotonic() - began) / 20), longest)
