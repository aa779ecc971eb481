"""Paths on the map: a dimension's rollout, or from the query to a case; the map shows one at a time."""

from dataclasses import dataclass

from dash import ALL, Dash, Input, Output, State
from dash.development.base_component import Component
from dash.exceptions import PreventUpdate

from casekin.contracts.rollouts import Trajectory, TrajectoryResult
from casekin.errors import CasekinError
from services.ui.case.layout import path_figure
from services.ui.dash_support.clientside import in_browser
from services.ui.dash_support.outputs import Outputs
from services.ui.dash_support.threads import in_thread
from services.ui.map.paths import path_to_case
from services.ui.presentation import texts
from services.ui.presentation.components import error_box
from services.ui.session.collection_vocabulary import vocabulary_of
from services.ui.session.service_cache import Catalog
from services.ui.session.stores import Json, OpenCase, dumped
from services.ui.session.subject import nearness_in, subject_of

TIMEOUT_S = 30.0


@dataclass(frozen=True)
class PathOutputs(Outputs):
    """The path to the open case."""

    steps: Component
    path: Json = None
    map_hidden: bool = True
    make_hidden: bool = False


def register(app: Dash, catalog: Catalog) -> None:
    """Register the buttons that show a path."""
    in_browser(
        app,
        "showPath",
        Output("map-path", "data"),
        Output("tabs", "value"),
        Output("case-modal", "opened", allow_duplicate=True),
        Input({"type": "on-map", "dimension": ALL}, "n_clicks"),
        Input("case-path-map", "n_clicks"),
        Input("query", "data"),
        Input("start-case", "data"),
        State("rollout-paths", "data"),
        State("case-path-data", "data"),
    )

    @app.callback(
        output={
            "steps": Output("case-path", "children"),
            "path": Output("case-path-data", "data"),
            "map_hidden": Output("case-path-map", "hidden"),
            "make_hidden": Output("case-path-make", "hidden"),
        },
        inputs={
            "_make": Input("case-path-make", "n_clicks"),
            "opening": State("open-case", "data"),
            "query": State("query", "data"),
            "case": State("start-case", "data"),
            "collection": State("collection", "data"),
            "nearness": State("nearness", "data"),
        },
        prevent_initial_call=True,
    )
    @in_thread
    def make(
        _make: int | None, opening: Json, query: Json, case: str | None, collection: Json, nearness: Json
    ) -> PathOutputs:
        subject = subject_of(query, case, collection)
        if subject is None or opening is None:
            raise PreventUpdate
        payload = Trajectory(**subject.start, **nearness_in(nearness).fields, to=OpenCase.model_validate(opening).id)
        projector = catalog.services.projector
        try:
            result = projector.wait(projector.submit(payload), TrajectoryResult, timeout_s=TIMEOUT_S)
        except CasekinError as error:
            return PathOutputs(steps=error_box(error, doing=texts.PATH_FAILED))
        steps, path = path_figure(result, vocabulary_of(collection), subject.name), path_to_case(result)
        return PathOutputs(steps=steps, path=dumped(path), map_hidden=path is None, make_hidden=True)
