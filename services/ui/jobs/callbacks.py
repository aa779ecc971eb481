"""The list of jobs: read while its tab is open; a job is cancelled, a parked one let go."""

from typing import Any

from dash import ALL, Dash, Input, Output, ctx
from dash.exceptions import PreventUpdate

from casekin.contracts.projector import JobState
from casekin.errors import CasekinError
from services.ui.dash_support.threads import in_thread
from services.ui.jobs.layout import SHOWN, job_list
from services.ui.presentation import texts
from services.ui.presentation.components import fault
from services.ui.session.service_cache import Catalog


def register(app: Dash, catalog: Catalog) -> None:
    """Tie the list to the projector's jobs."""

    @app.callback(
        output={
            "jobs": Output("jobs", "children"),
            "idle": Output("jobs-poll", "disabled"),
            "error": Output("jobs-error", "children"),
        },
        inputs={
            "tab": Input("tabs", "value"),
            "_poll": Input("jobs-poll", "n_intervals"),
            "_cancel": Input({"type": "job-cancel", "id": ALL}, "n_clicks"),
        },
        prevent_initial_call=True,
    )
    @in_thread
    def show(tab: str, _poll: int | None, _cancel: list[int | None]) -> dict[str, Any]:
        if tab != "jobs":
            return {"jobs": None, "idle": True, "error": None}
        projector, cause = catalog.services.projector, ctx.triggered_id
        try:
            if isinstance(cause, dict):
                if not any(entry["value"] for entry in ctx.triggered):
                    raise PreventUpdate
                projector.cancel(cause["id"])
            parked = projector.recent(SHOWN, JobState.PARKED)
            seen = {job.id for job in parked}
            jobs = parked + [job for job in projector.recent(SHOWN) if job.id not in seen]
        except CasekinError as error:
            return {"jobs": None, "idle": False, "error": fault(error, doing=texts.LISTING_JOBS)}
        return {"jobs": job_list(jobs), "idle": False, "error": None}
