"""Rollouts: asked for when their tab is open and there is something to vary; polled only while the job runs."""

from typing import Any

from dash import Dash, Input, Output, State, ctx, no_update
from dash.exceptions import PreventUpdate

from casekin.contracts.projector import Job, JobState
from casekin.contracts.rollouts import Rollout, RolloutResult
from casekin.errors import CasekinError
from services.ui.dash_support.threads import in_thread
from services.ui.jobs.layout import job_text
from services.ui.page.collection import dimension_names
from services.ui.presentation import texts
from services.ui.presentation.components import fault
from services.ui.rollouts.layout import FIRST, rollout_rows, rollouts_empty
from services.ui.session.collection_vocabulary import vocabulary_of
from services.ui.session.service_cache import Catalog
from services.ui.session.state import ways_of
from services.ui.session.subject import Subject, subject_of

Held = dict[str, Any] | None


def register(app: Dash, catalog: Catalog) -> None:
    """Tie the rollouts to the projector's jobs."""

    @app.callback(
        output={
            "job": Output("rollouts-job", "data"),
            "rows": Output("rollouts", "children"),
            "ways": Output("rollouts-ways", "data"),
            "more": Output("rollouts-all", "hidden"),
            "idle": Output("rollouts-poll", "disabled"),
            "hidden": Output("rollouts-job-line", "hidden"),
            "progress": Output("rollouts-progress", "value"),
            "text": Output("rollouts-progress-text", "children"),
            "error": Output("rollouts-error", "children"),
        },
        inputs={
            "tab": Input("tabs", "value"),
            "asked": Input("query", "data"),
            "case": Input("start-case", "data"),
            "_all": Input("rollouts-all", "n_clicks"),
            "_poll": Input("rollouts-poll", "n_intervals"),
            "model": Input("model", "data"),
            "held": State("rollouts-job", "data"),
            "collection": State("collection", "data"),
        },
        prevent_initial_call=True,
    )
    @in_thread
    def roll(
        tab: str,
        asked: Held,
        case: str | None,
        _all: int | None,
        _poll: int | None,
        model: Held,
        held: Held,
        collection: Held,
    ) -> dict[str, Any]:
        subject = subject_of(asked, case, collection)
        if subject is None:
            return {**_idle(None), "rows": rollouts_empty(), "ways": None, "more": True}
        try:
            if ctx.triggered_id in ("rollouts-poll", "model"):
                return _polled(catalog, held, model, collection)
            return _started(catalog, subject, tab, held, len(dimension_names(model)))
        except CasekinError as error:
            told = fault(error, doing=texts.ROLLING_OUT)
            return {**_idle(None), "rows": None, "ways": None, "more": True, "error": told}


def _started(catalog: Catalog, subject: Subject, tab: str, held: Held, known: int) -> dict[str, Any]:
    everything = ctx.triggered_id == "rollouts-all"
    same = held is not None and held["subject"] == subject.model_dump()
    if tab != "rollouts" or (same and not everything):
        raise PreventUpdate
    size = known or len(subject.latent or ())
    dimensions = None if everything or not size else list(range(min(FIRST, size)))
    job = catalog.services.projector.submit(Rollout(**subject.start, dimensions=dimensions))
    held = {"id": job.id, "subject": subject.model_dump()}
    nothing = {"rows": no_update if same else None, "ways": no_update if same else None, "more": True}
    return {**_running(job), "job": held, **nothing}


def _polled(catalog: Catalog, held: Held, model: Held, collection: Held) -> dict[str, Any]:
    if held is None:
        raise PreventUpdate
    projector = catalog.services.projector
    job = projector.job(held["id"])
    if not job.state.final:
        return {**_running(job), "job": held, "rows": no_update, "ways": no_update, "more": True}
    if job.state is JobState.SUCCEEDED:
        result = projector.result(job.id, RolloutResult)
        names = dimension_names(model)
        rows = rollout_rows(result, names, vocabulary_of(collection), Subject.model_validate(held["subject"]).name)
        return {**_idle(held), "rows": rows, "ways": ways_of(result, names), "more": len(result.rows) >= len(names)}
    # a job that is final already answers at once: this raises what failed it
    projector.wait(job, RolloutResult, timeout_s=0)
    raise PreventUpdate


def _running(job: Job) -> dict[str, Any]:
    progress = {"progress": 100 * job.progress.fraction, "text": job_text(job)}
    return {"idle": False, "hidden": False, "error": None, **progress}


def _idle(held: Held) -> dict[str, Any]:
    return {"job": held, "idle": True, "hidden": True, "progress": 0, "text": None, "error": None}
