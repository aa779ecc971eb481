"""Fitting the map: submit, progress, cancel; polled only while it runs."""

from typing import Any

from dash import Dash, Input, Output, State, ctx
from dash.exceptions import PreventUpdate

from casekin.contracts.maps import MapFit
from casekin.contracts.projector import Job, JobState
from casekin.errors import BadInput, CasekinError, Unexpected
from services.ui.dash_support.threads import in_thread
from services.ui.jobs.layout import job_text
from services.ui.presentation import texts
from services.ui.presentation.components import fault
from services.ui.session.service_cache import Catalog
from services.ui.session.state import steering_of

Held = dict[str, Any] | None


def register(app: Dash, catalog: Catalog) -> None:
    """Tie the button, the progress bar and cancel to the projector's job."""

    @app.callback(
        output={
            "job": Output("map-job", "data"),
            "fitted": Output("map-fitted", "data"),
            "idle": Output("map-poll", "disabled"),
            "hidden": Output("map-job-line", "hidden"),
            "button": Output("map-draw", "hidden"),
            "progress": Output("map-progress", "value"),
            "text": Output("map-progress-text", "children"),
            "error": Output("map-job-error", "children"),
        },
        inputs={
            "_draw": Input("map-draw", "n_clicks"),
            "_cancel": Input("map-cancel", "n_clicks"),
            "_poll": Input("map-poll", "n_intervals"),
            "job_id": State("map-job", "data"),
            "fitted": State("map-fitted", "data"),
            "steered": State("steering", "data"),
            "supervised": State("map-supervised", "checked"),
        },
        prevent_initial_call=True,
    )
    @in_thread
    def fit(
        _draw: int | None,
        _cancel: int | None,
        _poll: int | None,
        job_id: str | None,
        fitted: str | None,
        steered: Held,
        supervised: bool | None,
    ) -> dict[str, Any]:
        try:
            job = _asked(catalog, job_id, steered, bool(supervised))
        except CasekinError as error:
            return {**_idle(fitted), "error": fault(error, doing=texts.DRAWING_MAP)}
        if not job.state.final:
            return {**_running(job), "fitted": fitted}
        if job.state is JobState.SUCCEEDED:
            catalog.forget_map()
            return _idle(job.id)
        return {**_idle(fitted), "error": _why(job)}


def _asked(catalog: Catalog, job_id: str | None, steered: Held, supervised: bool) -> Job:
    projector = catalog.services.projector
    if ctx.triggered_id == "map-draw":
        preset = steering_of(steered).preset
        if preset == "custom":
            raise BadInput(texts.NO_MAP_OF_OWN_WEIGHTS)
        return projector.submit(MapFit(preset=preset, supervised=supervised))
    if job_id is None:
        raise PreventUpdate
    return projector.cancel(job_id) if ctx.triggered_id == "map-cancel" else projector.job(job_id)


def _running(job: Job) -> dict[str, Any]:
    progress = {"progress": 100 * job.progress.fraction, "text": job_text(job)}
    return {"job": job.id, "idle": False, "hidden": False, "button": True, "error": None, **progress}


def _idle(fitted: str | None) -> dict[str, Any]:
    bare = {"progress": 0, "text": None, "error": None}
    return {"job": None, "fitted": fitted, "idle": True, "hidden": True, "button": False, **bare}


def _why(job: Job) -> Any:
    if job.problem is None:
        return None
    error = Unexpected(job.problem.detail)
    return fault(error, doing=texts.DRAWING_MAP)
