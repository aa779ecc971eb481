"""Ways on the map: a dimension's rollout, or from the query to a case; the page shows one at a time."""

from typing import Any

from dash import ALL, Dash, Input, Output, State
from dash.exceptions import PreventUpdate

from casekin.contracts.rollouts import Trajectory, TrajectoryResult
from casekin.errors import CasekinError
from services.ui.case.layout import way_to_case
from services.ui.dash_support.clientside import in_browser
from services.ui.dash_support.threads import in_thread
from services.ui.presentation import texts
from services.ui.presentation.components import fault
from services.ui.session.collection_vocabulary import vocabulary_of
from services.ui.session.service_cache import Catalog
from services.ui.session.state import way_to
from services.ui.session.subject import subject_of

Held = dict[str, Any] | None
TIMEOUT_S = 30.0


def register(app: Dash, catalog: Catalog) -> None:
    """Tie the buttons of rollouts and of the case dialog to the map."""
    in_browser(
        app,
        "showWay",
        Output("way", "data"),
        Output("tabs", "value"),
        Output("case-modal", "opened", allow_duplicate=True),
        Input({"type": "on-map", "dimension": ALL}, "n_clicks"),
        Input("case-way-map", "n_clicks"),
        Input("query", "data"),
        Input("start-case", "data"),
        State("rollouts-ways", "data"),
        State("case-way-held", "data"),
    )

    @app.callback(
        output={
            "steps": Output("case-way", "children"),
            "held": Output("case-way-held", "data"),
            "no_map": Output("case-way-map", "hidden"),
            "make": Output("case-way-make", "hidden"),
        },
        inputs={
            "_make": Input("case-way-make", "n_clicks"),
            "opening": State("open-case", "data"),
            "asked": State("query", "data"),
            "case": State("start-case", "data"),
            "collection": State("collection", "data"),
        },
        prevent_initial_call=True,
    )
    @in_thread
    def go(_make: int | None, opening: Held, asked: Held, case: str | None, collection: Held) -> dict[str, Any]:
        subject = subject_of(asked, case, collection)
        if subject is None or opening is None:
            raise PreventUpdate
        payload = Trajectory(**subject.start, to=opening["id"])
        projector = catalog.services.projector
        try:
            result = projector.wait(projector.submit(payload), TrajectoryResult, timeout_s=TIMEOUT_S)
        except CasekinError as error:
            return {"steps": fault(error, doing=texts.GOING), "held": None, "no_map": True, "make": False}
        steps, held = way_to_case(result, vocabulary_of(collection), subject.name), way_to(result)
        return {"steps": steps, "held": held, "no_map": held is None, "make": True}
