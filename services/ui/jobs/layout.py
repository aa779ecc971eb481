"""The list of jobs with their state, progress and errors."""

import dash_mantine_components as dmc
from dash import dcc, html
from dash.development.base_component import Component

from casekin.contracts.projector import Job, JobState
from services.ui.presentation import texts
from services.ui.presentation.components import aria, data, empty

KINDS = {
    "map.fit": "Map of the collection",
    "map.place": "Place on the map",
    "rollout": "Rollouts",
    "rollout.joint": "Two dimensions together",
    "rollout.animation": "Animation",
    "trajectory": "Path to a case",
    "ingest": "Part of a collection",
    "export": "Collection as a table",
    "reindex": "Collection by another model",
}
STATES = {
    JobState.QUEUED: "waiting",
    JobState.RUNNING: "running",
    JobState.SUCCEEDED: "done",
    JobState.FAILED: "failed",
    JobState.CANCELLED: "cancelled",
    JobState.PARKED: "parked",
}
SHOWN = 40


def jobs_panel() -> Component:
    """The panel before any job is known; callbacks fill it."""
    return html.Div(
        [
            html.P(texts.JOBS, className="muted explain"),
            html.Div(id="jobs-error"),
            html.Div(id="jobs"),
            dcc.Interval(id="jobs-poll", interval=1500, disabled=True),
        ],
        className="panel",
    )


def job_list(jobs: list[Job]) -> Component:
    """Parked jobs first, which need attention; then the others, newest first."""
    if not jobs:
        return empty("No jobs yet", html.P(texts.NO_JOBS))
    ordered = sorted(jobs, key=lambda job: job.state is not JobState.PARKED)
    heads = html.Tr([html.Th(name, scope="col") for name in ("Job", "State", "Progress", "Submitted", "")])
    return html.Table([html.Thead(heads), html.Tbody([_row(job) for job in ordered])], className="jobs")


def _row(job: Job) -> Component:
    name = KINDS.get(job.kind, job.kind)
    submitted = html.Time(job.created.strftime("%Y-%m-%d %H:%M:%S UTC"), dateTime=job.created.isoformat())
    cells = [
        html.Th(name, scope="row"),
        html.Td(html.Span(STATES[job.state], className=f"state state-{job.state.value}")),
        html.Td(_progress(job, name)),
        html.Td(submitted, className="muted figure"),
        html.Td(_button(job, name)),
    ]
    return html.Tr(cells, **data(job=job.id, state=job.state.value))


def _progress(job: Job, name: str) -> Component:
    if job.problem is not None:
        return html.Span(texts.sentence(job.problem.detail))
    if job.state is JobState.RUNNING:
        bar = dmc.Progress(value=100 * job.progress.fraction, size=6, **aria(label=f"Progress: {name}"))
        return html.Div([bar, html.Span(job_text(job), className="muted")])
    return html.Span("" if job.state is JobState.SUCCEEDED else job.progress.message, className="muted")


def _button(job: Job, name: str) -> Component | None:
    if job.state.final and job.state is not JobState.PARKED:
        return None
    word = "Release" if job.state is JobState.PARKED else "Cancel"
    identity = {"type": "job-cancel", "id": job.id}
    return html.Button(word, id=identity, className="button small", type="button", **aria(label=f"{word}: {name}"))


def job_text(job: Job) -> str:
    """``epoch 80 of 200 · about 12 s left``."""
    message = "waiting for a worker" if job.state == "queued" else job.progress.message
    return " · ".join(filter(None, (message, texts.remaining(job.progress.remaining_s))))
