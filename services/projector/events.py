"""A job's changes as server-sent events (WHATWG HTML, section 9.2)."""

import time
from collections.abc import AsyncIterator, Callable
from typing import Any

from anyio import sleep, to_thread

from casekin.contracts.projector import Job
from casekin.errors import CasekinError

EVENTS: dict[int | str, dict[str, Any]] = {
    200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}, "description": "``data`` is a `Job`"}
}
_LOOK_S = 0.2
_SILENCE_S = 15.0
"""After that a comment is sent, so that nobody between takes the connection for dead."""


async def job_events(first: Job, look: Callable[[], Job]) -> AsyncIterator[str]:
    """The job now and at each change, until it is final or cannot be read; who listens then asks again."""
    job, told, spoken = first, "", time.monotonic()
    while True:
        if (content := job.model_dump_json()) != told:
            told, spoken = content, time.monotonic()
            yield f"event: job\ndata: {content}\n\n"
        elif time.monotonic() - spoken > _SILENCE_S:
            spoken = time.monotonic()
            yield ": still here\n\n"
        if job.state.final:
            return
        await sleep(_LOOK_S)
        try:
            job = await to_thread.run_sync(look)
        except CasekinError:
            return
