"""Polls that a slow answer does not starve."""

from dash import Output


def paused_while_awaited(poll: str, *, resumes: bool = False) -> list[tuple[Output, bool, bool]]:
    """For a callback's ``running``: no tick of `poll` while an answer is awaited.

    Dash drops an answer once the same callback is called again, so that ticks before a slow answer would lose them all.
    Without `resumes` the answer itself says whether there is another tick.
    """
    return [(Output(poll, "disabled"), True, not resumes)]
