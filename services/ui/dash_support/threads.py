"""Callbacks that call services must not hold the event loop."""

from collections.abc import Awaitable, Callable
from functools import partial, wraps
from typing import ParamSpec

from anyio import to_thread

from services.ui.dash_support.outputs import Outputs

P = ParamSpec("P")


def in_thread(function: Callable[P, object]) -> Callable[P, Awaitable[object]]:
    """Run `function` in the thread pool: Dash's FastAPI backend runs a plain callback on the event loop itself.

    `Outputs` are handed to Dash as a dictionary.
    """

    @wraps(function)
    async def call(*args: P.args, **kwargs: P.kwargs) -> object:
        answer = await to_thread.run_sync(partial(function, *args, **kwargs))
        return answer.by_name() if isinstance(answer, Outputs) else answer

    return call
