"""Wait for a job: until it is final, or for each of its changes."""

import time
from collections.abc import AsyncIterator, Callable

from anyio import sleep, to_thread

from casekin.contracts.projector import Job
from casekin.errors import CasekinError

_SHORTEST_S, _LONGEST_S = 0.01, 0.25
"""Pauses between two looks: a twentieth of the time waited so far, within these limits."""


async def job_changes(job: Job, look: Callable[[], Job]) -> AsyncIterator[Job]:
    """`job` and then what `look` returns at each change, until it is final or cannot be read."""
    began = time.monotonic()
    yield job
    while not job.state.final:
        await sleep(_pause(began))
        try:
            now = await to_thread.run_sync(look)
        except CasekinError:  # the stream ends, and the client asks again
            return
        if now != job:
            job = now
            yield job


async def final_or_late(look: Callable[[], Job], wait_s: float) -> Job:
    """The job once it is final, or as it is after `wait_s` seconds; raises what `look` does."""
    began = time.monotonic()
    while not (job := await to_thread.run_sync(look)).state.final and time.monotonic() < began + wait_s:
        await sleep(min(_pause(began), began + wait_s - time.monotonic()))
    return job


def _pause(began: float) -> float:
    return min(max(_SHORTEST_S, (time.monotonic() - began) / 20), _LONGEST_S)
