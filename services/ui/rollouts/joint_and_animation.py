"""Two dimensions as a grid, and one as an animation: computed on request, within a second."""

from dataclasses import dataclass, field
from typing import TypedDict

from dash import MATCH, Dash, Input, Output, State, ctx
from dash.development.base_component import Component
from dash.exceptions import PreventUpdate

from casekin.contracts.rollouts import Animation, AnimationResult, JointResult, JointRollout
from casekin.errors import CasekinError
from services.ui.dash_support.outputs import Outputs
from services.ui.dash_support.threads import in_thread
from services.ui.presentation import texts
from services.ui.presentation.components import error_box
from services.ui.rollouts.layout import animation_figure, joint_grid
from services.ui.session.collection_vocabulary import vocabulary_of
from services.ui.session.data_uri import data_uri
from services.ui.session.service_cache import Catalog
from services.ui.session.stores import Json, dimension_names
from services.ui.session.subject import nearness_in, subject_of

TIMEOUT_S = 30.0


class Choice(TypedDict):
    """An entry of a select."""

    value: str
    label: str


@dataclass(frozen=True)
class ChoicesOutputs(Outputs):
    """The dimensions to choose from; by default there is nothing to vary."""

    across: list[Choice] = field(default_factory=list)
    down: list[Choice] = field(default_factory=list)
    first: str | None = None
    second: str | None = None
    hidden: bool = True
    grid: None = None


@dataclass(frozen=True)
class GridOutputs(Outputs):
    """The grid, or why there is none."""

    grid: Component | None = None
    error: Component | None = None


def register(app: Dash, catalog: Catalog) -> None:
    """Register grid and animations."""
    _register_choices(app)
    _register_grid(app, catalog)
    _register_play(app, catalog)


def _register_choices(app: Dash) -> None:
    @app.callback(
        output={
            "across": Output("joint-across", "data"),
            "down": Output("joint-down", "data"),
            "first": Output("joint-across", "value"),
            "second": Output("joint-down", "value"),
            "hidden": Output("joint-panel", "hidden"),
            "grid": Output("joint", "children", allow_duplicate=True),
        },
        inputs={"model": Input("model", "data"), "query": Input("query", "data"), "case": Input("start-case", "data")},
        prevent_initial_call=True,
    )
    @in_thread
    def choices(model: Json, query: Json, case: str | None) -> ChoicesOutputs:
        names = dimension_names(model)
        if (query is None and case is None) or len(names) < 2:
            return ChoicesOutputs()
        offered = [Choice(value=str(index), label=name) for index, name in enumerate(names)]
        return ChoicesOutputs(offered, offered, first="0", second="1", hidden=False)


def _register_grid(app: Dash, catalog: Catalog) -> None:
    @app.callback(
        Output("joint", "children", allow_duplicate=True), Input("nearness", "data"), prevent_initial_call=True
    )
    async def clear(_nearness: Json) -> None:
        """Other cases are near the steps of the grid now."""

    @app.callback(
        output={"grid": Output("joint", "children"), "error": Output("joint-error", "children")},
        inputs={
            "_make": Input("joint-make", "n_clicks"),
            "across": State("joint-across", "value"),
            "down": State("joint-down", "value"),
            "query": State("query", "data"),
            "case": State("start-case", "data"),
            "model": State("model", "data"),
            "collection": State("collection", "data"),
            "nearness": State("nearness", "data"),
        },
        prevent_initial_call=True,
    )
    @in_thread
    def grid(
        _make: int | None,
        across: str | None,
        down: str | None,
        query: Json,
        case: str | None,
        model: Json,
        collection: Json,
        nearness: Json,
    ) -> GridOutputs:
        subject = subject_of(query, case, collection)
        if subject is None or across is None or down is None:
            raise PreventUpdate
        payload = JointRollout(**subject.start, **nearness_in(nearness).fields, dimensions=(int(across), int(down)))
        projector = catalog.services.projector
        try:
            result = projector.wait(projector.submit(payload), JointResult, timeout_s=TIMEOUT_S)
        except CasekinError as error:
            return GridOutputs(error=error_box(error, doing=texts.JOINT_FAILED))
        return GridOutputs(joint_grid(result, dimension_names(model), vocabulary_of(collection)))


def _register_play(app: Dash, catalog: Catalog) -> None:
    @app.callback(
        Output({"type": "playing", "dimension": MATCH}, "children"),
        Input({"type": "play", "dimension": MATCH}, "n_clicks"),
        State("query", "data"),
        State("start-case", "data"),
        State("collection", "data"),
        State("model", "data"),
        prevent_initial_call=True,
    )
    @in_thread
    def play(clicks: int | None, query: Json, case: str | None, collection: Json, model: Json) -> Component:
        subject, dimension = subject_of(query, case, collection), ctx.triggered_id["dimension"]
        if not clicks or subject is None:
            raise PreventUpdate
        payload = Animation(**subject.start, dimension=dimension)
        projector = catalog.services.projector
        try:
            job = projector.submit(payload)
            projector.wait(job, AnimationResult, timeout_s=TIMEOUT_S)
            content, media_type = projector.file(job.id)
        except CasekinError as error:
            return error_box(error, doing=texts.ANIMATION_FAILED)
        name = texts.dimension_name(dimension, dimension_names(model))
        return animation_figure(data_uri(content, media_type), name)
