"""The line of one job that a feature follows, the map's or the rollouts': progress, text, and the poll behind them."""

from dataclasses import dataclass
from typing import TypedDict

import dash_mantine_components as dmc
from dash import Output, dcc, html
from dash.development.base_component import Component

from casekin.contracts.projector import Job
from services.ui.dash_support.outputs import Outputs
from services.ui.jobs.layout import job_text
from services.ui.presentation.components import aria


def job_line(feature: str, label: str, *buttons: Component) -> Component:
    """The line before any job, hidden, with `buttons` behind its text; `label` names the progress bar to readers."""
    return html.Div(
        [
            dmc.Progress(id=f"{feature}-progress", value=0, size=6, **aria(label=label)),
            html.Span(id=f"{feature}-progress-text", className="muted", role="status"),
            *buttons,
        ],
        id=f"{feature}-job-line",
        className="job-line",
        hidden=True,
    )


def job_poll(feature: str, interval_ms: int) -> Component:
    """The poll; it ticks once per answer that sets `JobLine.poll_disabled` to False."""
    return dcc.Interval(id=f"{feature}-poll", interval=interval_ms, disabled=True)


@dataclass(frozen=True, kw_only=True)
class JobLine(Outputs):
    """Outputs of a callback that follows a job; by default none runs and nothing is polled."""

    poll_disabled: bool = True
    line_hidden: bool = True
    progress: float = 0
    text: str | None = None


class LineOfJob(TypedDict):
    """The fields of `JobLine` while a job runs."""

    poll_disabled: bool
    line_hidden: bool
    progress: float
    text: str


def line_of(job: Job) -> LineOfJob:
    """The line of a job that is not final yet."""
    return LineOfJob(poll_disabled=False, line_hidden=False, progress=100 * job.progress.fraction, text=job_text(job))


def line_outputs(feature: str) -> dict[str, Output]:
    """Where `JobLine` is shown."""
    return {
        "poll_disabled": Output(f"{feature}-poll", "disabled"),
        "line_hidden": Output(f"{feature}-job-line", "hidden"),
        "progress": Output(f"{feature}-progress", "value"),
        "text": Output(f"{feature}-progress-text", "children"),
    }
