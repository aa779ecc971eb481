"""Rollouts: requested when their tab is open and there is something to vary; polled only while the job runs."""

from dataclasses import dataclass

from dash import Dash, Input, NoUpdate, Output, State, ctx, no_update
from dash.development.base_component import Component
from dash.exceptions import PreventUpdate

from casekin.contracts.projector import Job, JobState
from casekin.contracts.rollouts import Rollout, RolloutResult
from casekin.errors import CasekinError
from services.ui.dash_support.clientside import in_browser
from services.ui.dash_support.polling import paused_while_awaited
from services.ui.dash_support.threads import in_thread
from services.ui.jobs.job_line import JobLine, line_of, line_outputs
from services.ui.map.paths import paths_by_dimension
from services.ui.presentation import texts
from services.ui.presentation.components import error_box
from services.ui.rollouts.layout import FIRST, rollout_rows, rollouts_empty
from services.ui.session.collection_vocabulary import vocabulary_of
from services.ui.session.service_cache import Catalog
from services.ui.session.stores import Json, Stored, dimension_names, dumped, name_evidence
from services.ui.session.subject import Nearness, Subject, nearness_in, subject_of


class RolloutJob(Stored):
    """The store of the job: what it varies."""

    id: str
    subject: Subject
    nearness: Nearness
    whole: bool
    """Whether all dimensions were requested."""
    shown: bool = False
    """Whether its rows are on the page."""


@dataclass(frozen=True, kw_only=True)
class RolloutOutputs(JobLine):
    """The rows and the state of the job; by default nothing is shown and none runs."""

    job: Json = None
    rows: Component | NoUpdate | None = None
    paths: dict[str, Json] | NoUpdate | None = None
    all_hidden: bool = True
    error: Component | None = None


def register(app: Dash, catalog: Catalog) -> None:
    """Register rollouts and their job, and what steps show."""
    in_browser(
        app,
        "nearness",
        Output("nearness", "data"),
        Input("steering", "data"),
        Input("own-lesion", "data"),
        State("nearness", "data"),
        at_start=True,
    )
    in_browser(
        app,
        "showSteps",
        Input("rollouts-steps", "value"),
        Input("case-path-steps", "value"),
        Input("steps-shown", "data"),
    )

    @app.callback(
        output={
            "job": Output("rollouts-job", "data"),
            "rows": Output("rollouts", "children"),
            "paths": Output("rollout-paths", "data"),
            "all_hidden": Output("rollouts-all", "hidden"),
            "error": Output("rollouts-error", "children"),
            **line_outputs("rollouts"),
        },
        inputs={
            "tab": Input("tabs", "value"),
            "query": Input("query", "data"),
            "case": Input("start-case", "data"),
            "_all": Input("rollouts-all", "n_clicks"),
            "_poll": Input("rollouts-poll", "n_intervals"),
            "model": Input("model", "data"),
            "nearness": Input("nearness", "data"),
            "job": State("rollouts-job", "data"),
            "collection": State("collection", "data"),
        },
        running=paused_while_awaited("rollouts-poll"),
        prevent_initial_call=True,
    )
    @in_thread
    def roll_out(
        tab: str,
        query: Json,
        case: str | None,
        _all: int | None,
        _poll: int | None,
        model: Json,
        nearness: Json,
        job: Json,
        collection: Json,
    ) -> RolloutOutputs:
        subject = subject_of(query, case, collection)
        if subject is None:
            return RolloutOutputs(rows=rollouts_empty())
        near = nearness_in(nearness)
        current = None if job is None else RolloutJob.model_validate(job)
        try:
            if ctx.triggered_id in ("rollouts-poll", "model"):
                return _poll_job(catalog, current, model, collection)
            if tab != "rollouts":
                raise PreventUpdate
            stays = current is not None and current.subject == subject
            whole = ctx.triggered_id == "rollouts-all" or (current is not None and stays and current.whole)
            if current is None or (current.subject, current.nearness, current.whole) != (subject, near, whole):
                dimensions = len(dimension_names(model))
                return _start_job(catalog, subject, near, dimensions, whole=whole, keep=stays)
            if current.shown:
                raise PreventUpdate
            return _poll_job(catalog, current, model, collection)  # back on the tab: its polling ended with leaving
        except CasekinError as error:
            return RolloutOutputs(error=error_box(error, doing=texts.ROLLING_OUT))


def _start_job(
    catalog: Catalog, subject: Subject, near: Nearness, dimensions: int, *, whole: bool, keep: bool
) -> RolloutOutputs:
    """Submit all rows of a subject, or the first of so many dimensions, 0 if unknown."""
    size = dimensions or len(subject.latent or ())
    wanted = None if whole or not size else list(range(min(FIRST, size)))
    job = catalog.services.projector.submit(Rollout(**subject.start, **near.fields, dimensions=wanted))
    return _running(job, RolloutJob(id=job.id, subject=subject, nearness=near, whole=whole), keep=keep)


def _poll_job(catalog: Catalog, current: RolloutJob | None, model: Json, collection: Json) -> RolloutOutputs:
    if current is None:
        raise PreventUpdate
    projector = catalog.services.projector
    job = projector.job(current.id)
    if not job.state.final:
        return _running(job, current, keep=True)
    if job.state is JobState.SUCCEEDED:
        return _shown(projector.result(job.id, RolloutResult), current, model, collection)
    # a job that is final already answers at once: this raises what failed it
    projector.wait(job, RolloutResult, timeout_s=0)
    raise PreventUpdate


def _running(job: Job, current: RolloutJob, *, keep: bool) -> RolloutOutputs:
    """Progress; rows that are shown stay with `keep`."""
    return RolloutOutputs(
        job=dumped(current),
        rows=no_update if keep else None,
        paths=no_update if keep else None,
        **line_of(job),
    )


def _shown(result: RolloutResult, current: RolloutJob, model: Json, collection: Json) -> RolloutOutputs:
    names = dimension_names(model)
    paths = paths_by_dimension(result, names)
    return RolloutOutputs(
        job=dumped(current.model_copy(update={"shown": True})),
        rows=rollout_rows(result, names, vocabulary_of(collection), current.subject.name, name_evidence(model)),
        paths={index: dumped(path) for index, path in paths.items()} if paths is not None else None,
        all_hidden=len(result.rows) >= len(names),
    )
