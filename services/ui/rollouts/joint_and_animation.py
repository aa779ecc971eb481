"""Two dimensions together, and one as a moving picture: made when asked for, within a second."""

import base64
from typing import Any

from dash import MATCH, Dash, Input, Output, State, ctx
from dash.exceptions import PreventUpdate

from casekin.contracts.rollouts import Animation, AnimationResult, JointResult, JointRollout
from casekin.errors import CasekinError
from services.ui.dash_support.threads import in_thread
from services.ui.page.collection import dimension_names
from services.ui.presentation import texts
from services.ui.presentation.components import fault
from services.ui.rollouts.layout import joint_grid, moving_picture
from services.ui.search.match_cards import dimension_name
from services.ui.session.collection_vocabulary import vocabulary_of
from services.ui.session.service_cache import Catalog
from services.ui.session.subject import subject_of

Held = dict[str, Any] | None
TIMEOUT_S = 30.0


def register(app: Dash, catalog: Catalog) -> None:
    """Tie grid and moving pictures to the projector."""
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
        inputs={"model": Input("model", "data"), "asked": Input("query", "data"), "case": Input("start-case", "data")},
        prevent_initial_call=True,
    )
    def choices(model: Held, asked: Held, case: str | None) -> dict[str, Any]:
        names = dimension_names(model)
        if (asked is None and case is None) or len(names) < 2:
            return {"across": [], "down": [], "first": None, "second": None, "hidden": True, "grid": None}
        offered = [{"value": str(index), "label": dimension_name(index, names)} for index in range(len(names))]
        return {"across": offered, "down": offered, "first": "0", "second": "1", "hidden": False, "grid": None}


def _register_grid(app: Dash, catalog: Catalog) -> None:
    @app.callback(
        output={"grid": Output("joint", "children"), "error": Output("joint-error", "children")},
        inputs={
            "_make": Input("joint-make", "n_clicks"),
            "across": State("joint-across", "value"),
            "down": State("joint-down", "value"),
            "asked": State("query", "data"),
            "case": State("start-case", "data"),
            "model": State("model", "data"),
            "collection": State("collection", "data"),
        },
        prevent_initial_call=True,
    )
    @in_thread
    def grid(
        _make: int | None,
        across: str | None,
        down: str | None,
        asked: Held,
        case: str | None,
        model: Held,
        collection: Held,
    ) -> dict[str, Any]:
        subject = subject_of(asked, case, collection)
        if subject is None or across is None or down is None:
            raise PreventUpdate
        payload = JointRollout(**subject.start, dimensions=(int(across), int(down)))
        projector = catalog.services.projector
        try:
            result = projector.wait(projector.submit(payload), JointResult, timeout_s=TIMEOUT_S)
        except CasekinError as error:
            return {"grid": None, "error": fault(error, doing=texts.TOGETHER)}
        return {"grid": joint_grid(result, dimension_names(model), vocabulary_of(collection)), "error": None}


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
    def play(clicks: int | None, asked: Held, case: str | None, collection: Held, model: Held) -> Any:
        subject, dimension = subject_of(asked, case, collection), ctx.triggered_id["dimension"]
        if not clicks or subject is None:
            raise PreventUpdate
        payload = Animation(**subject.start, dimension=dimension)
        projector = catalog.services.projector
        try:
            job = projector.submit(payload)
            projector.wait(job, AnimationResult, timeout_s=TIMEOUT_S)
            content, kind = projector.file(job.id)
        except CasekinError as error:
            return fault(error, doing=texts.MOVING)
        source = f"data:{kind};base64,{base64.b64encode(content).decode()}"
        return moving_picture(source, dimension_name(dimension, dimension_names(model)))
