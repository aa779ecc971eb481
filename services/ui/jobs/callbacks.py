"""The list of jobs: polled while its tab is open; jobs can be cancelled, parked ones released."""

from dataclasses import dataclass

from dash import ALL, Dash, Input, NoUpdate, Output, ctx, no_update
from dash.development.base_component import Component

from casekin.contracts.projector import JobState
from casekin.errors import CasekinError
from services.ui.dash_support.outputs import Outputs
from services.ui.dash_support.polling import paused_while_awaited
from services.ui.dash_support.threads import in_thread
from services.ui.jobs.layout import SHOWN, job_list
from services.ui.presentation import texts
from services.ui.presentation.components import error_box
from services.ui.session.service_cache import Catalog


@dataclass(frozen=True)
class JobsOutputs(Outputs):
    """The list; by default it is empty and not polled."""

    jobs: Component | NoUpdate | None = None
    poll_disabled: bool = True
    error: Component | NoUpdate | None = None


def register(app: Dash, catalog: Catalog) -> None:
    """Register the list and its buttons."""

    @app.callback(
        output={
            "jobs": Output("jobs", "children"),
            "poll_disabled": Output("jobs-poll", "disabled"),
            "error": Output("jobs-error", "children"),
        },
        inputs={
            "tab": Input("tabs", "value"),
            "_poll": Input("jobs-poll", "n_intervals"),
            "_cancel": Input({"type": "job-cancel", "id": ALL}, "n_clicks"),
        },
        running=paused_while_awaited("jobs-poll"),
        prevent_initial_call=True,
    )
    @in_thread
    def show(tab: str, _poll: int | None, _cancel: list[int | None]) -> JobsOutputs:
        if tab != "jobs":
            return JobsOutputs()
        projector, cause = catalog.services.projector, ctx.triggered_id
        try:
            if isinstance(cause, dict):
                if not any(entry["value"] for entry in ctx.triggered):  # the buttons of a list that was just drawn
                    return JobsOutputs(jobs=no_update, poll_disabled=False, error=no_update)
                projector.cancel(cause["id"])
            parked = projector.recent(SHOWN, JobState.PARKED)
            seen = {job.id for job in parked}
            jobs = parked + [job for job in projector.recent(SHOWN) if job.id not in seen]
        except CasekinError as error:
            return JobsOutputs(error=error_box(error, doing=texts.LISTING_JOBS), poll_disabled=False)
        return JobsOutputs(job_list(jobs), poll_disabled=False)
