"""Fitting the map as a job: submit, progress, cancel; polled only while it runs."""

from dataclasses import dataclass

from dash import Dash, Input, Output, State, ctx
from dash.development.base_component import Component
from dash.exceptions import PreventUpdate

from casekin.contracts.maps import MapFit
from casekin.contracts.projector import Job, JobState
from casekin.errors import BadInput, CasekinError, Unexpected
from services.ui.dash_support.polling import paused_while_awaited
from services.ui.dash_support.threads import in_thread
from services.ui.jobs.job_line import JobLine, line_of, line_outputs
from services.ui.presentation import texts
from services.ui.presentation.components import error_box
from services.ui.session.search_request import steering_in
from services.ui.session.service_cache import Catalog
from services.ui.session.stores import Json


@dataclass(frozen=True, kw_only=True)
class FitOutputs(JobLine):
    """The state of the job, and the map that it fitted; by default none runs."""

    fitted: str | None
    job: str | None = None
    button_hidden: bool = False
    error: Component | None = None


def register(app: Dash, catalog: Catalog) -> None:
    """Register the button, the progress bar and cancel."""

    @app.callback(
        output={
            "job": Output("map-job", "data"),
            "fitted": Output("map-fitted", "data"),
            "button_hidden": Output("map-draw", "hidden"),
            "error": Output("map-job-error", "children"),
            **line_outputs("map"),
        },
        inputs={
            "_draw": Input("map-draw", "n_clicks"),
            "_cancel": Input("map-cancel", "n_clicks"),
            "_poll": Input("map-poll", "n_intervals"),
            "job_id": State("map-job", "data"),
            "fitted": State("map-fitted", "data"),
            "steering": State("steering", "data"),
            "supervised": State("map-supervised", "checked"),
        },
        running=paused_while_awaited("map-poll"),
        prevent_initial_call=True,
    )
    @in_thread
    def fit(
        _draw: int | None,
        _cancel: int | None,
        _poll: int | None,
        job_id: str | None,
        fitted: str | None,
        steering: Json,
        supervised: bool | None,
    ) -> FitOutputs:
        try:
            job = _job(catalog, job_id, steering, bool(supervised))
        except CasekinError as error:
            return FitOutputs(fitted=fitted, error=error_box(error, doing=texts.DRAWING_MAP))
        if not job.state.final:
            return FitOutputs(fitted=fitted, job=job.id, button_hidden=True, **line_of(job))
        if job.state is JobState.SUCCEEDED:
            catalog.forget_map()
            return FitOutputs(fitted=job.id)
        problem = Unexpected(job.problem.detail) if job.problem else None
        return FitOutputs(fitted=fitted, error=error_box(problem, doing=texts.DRAWING_MAP) if problem else None)


def _job(catalog: Catalog, job_id: str | None, steering: Json, supervised: bool) -> Job:
    """The job after what triggered the callback: a new one, or the one that runs; raises `CasekinError`."""
    projector = catalog.services.projector
    if ctx.triggered_id == "map-draw":
        preset = steering_in(steering).preset
        if preset == "custom":
            raise BadInput(texts.NO_MAP_OF_OWN_WEIGHTS)
        return projector.submit(MapFit(preset=preset, supervised=supervised))
    if job_id is None:
        raise PreventUpdate
    return projector.cancel(job_id) if ctx.triggered_id == "map-cancel" else projector.job(job_id)
