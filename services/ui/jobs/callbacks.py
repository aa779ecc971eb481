"""The list of jobs: polled while its tab is open; jobs can be cancelled, parked ones released."""

from dataclasses import dataclass

from dash import ALL, Dash, Input, Output, ctx
from dash.development.base_component import Component
from dash.exceptions import PreventUpdate

from casekin.contracts.projector import JobState
from casekin.errors import CasekinError
from services.ui.dash_support.clientside import in_browser
from services.ui.dash_support.outputs import Outputs
from services.ui.dash_support.threads import in_thread
from services.ui.jobs.layout import SHOWN, job_list
from services.ui.presentation import texts
from services.ui.presentation.components import error_box
from services.ui.session.service_cache import Catalog


@dataclass(frozen=True)
class JobsOutputs(Outputs):
    """The list; by default it is empty."""

    jobs: Component | None = None
    error: Component | None = None


def register(app: Dash, catalog: Catalog) -> None:
    """Register the list and its buttons."""
    # in the browser: a busy server would be polled on until it answers that the tab is left
    in_browser(app, "stopJobsPoll", Output("jobs-poll", "disabled"), Input("tabs", "value"))

    @app.callback(
        output={
            "jobs": Output("jobs", "children"),
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
    def show(tab: str, _poll: int | None, _cancel: list[int | None]) -> JobsOutputs:
        if tab != "jobs":
            return JobsOutputs()
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
            return JobsOutputs(error=error_box(error, doing=texts.LISTING_JOBS))
        return JobsOutputs(job_list(jobs))
