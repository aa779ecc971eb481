"""Weights of the user's own: rows from the model, everything else in the browser (``assets/weights.js``)."""

from typing import Any

from dash import ALL, Dash, Input, Output, State
from dash.exceptions import PreventUpdate

from services.ui.dash_support.clientside import in_browser
from services.ui.search.match_cards import dimension_name
from services.ui.weights.layout import weight_rows

Held = dict[str, Any] | None
BUTTONS = ("weights-clinical", "weights-visual", "weights-reset", "weights-undo")


def register(app: Dash) -> None:
    """Tie sliders and buttons to the weights that the tab holds."""
    _register_weighing(app)
    _register_finding(app)

    @app.callback(
        Output("weight-rows", "children"),
        Input("model", "data"),
        State("weights", "data"),
        prevent_initial_call=True,
    )
    async def draw(model: Held, held: Held) -> list[Any]:
        if model is None:
            raise PreventUpdate
        clinical: list[float] = model["clinical"]
        names = [dimension_name(index, model["dimensions"]) for index in range(len(clinical))]
        known = held is not None and held["version"] == model["version"]
        return weight_rows(model["version"], names, clinical, held["values"] if held and known else clinical)


def _register_weighing(app: Dash) -> None:
    sliders = {"type": "weight", "dimension": ALL}
    in_browser(
        app,
        "weigh",
        Output("weights", "data"),
        Output(sliders, "value"),
        Output({"type": "weight-told", "dimension": ALL}, "children"),
        Output("weights-undo", "disabled"),
        Output("weights-reset", "disabled"),
        Output("weights-zero", "hidden"),
        Output("weights-panel", "hidden"),
        Input(sliders, "value"),
        Input({"type": "weight-only", "dimension": ALL}, "n_clicks"),
        *[Input(button, "n_clicks") for button in BUTTONS],
        Input("preset", "value"),
        Input("model", "data"),
        State("weights", "data"),
        State("steering", "data"),
    )


def _register_finding(app: Dash) -> None:
    rows = {"type": "weight-row", "dimension": ALL}
    in_browser(
        app,
        "findWeights",
        Output(rows, "hidden"),
        Output("weights-none", "hidden"),
        Input("weights-find", "value"),
        Input(rows, "id"),
        State("model", "data"),
    )
