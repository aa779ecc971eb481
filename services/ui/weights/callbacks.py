"""The user's own weights: rows from the model, everything else in the browser (``assets/weights.js``)."""

from dash import ALL, Dash, Input, Output, State
from dash.development.base_component import Component
from dash.exceptions import PreventUpdate

from services.ui.dash_support.clientside import in_browser
from services.ui.session.stores import Json, OwnWeights, model_in
from services.ui.weights.layout import weight_rows

BUTTONS = ("weights-clinical", "weights-visual", "weights-reset", "weights-undo")


def register(app: Dash) -> None:
    """Register sliders and buttons."""
    _register_weighing(app)
    _register_finding(app)

    @app.callback(
        Output("weight-rows", "children"),
        Input("model", "data"),
        State("weights", "data"),
        prevent_initial_call=True,
    )
    async def draw(model: Json, weights: Json) -> list[Component]:
        known = model_in(model)
        if known is None:
            raise PreventUpdate
        own = None if weights is None else OwnWeights.model_validate(weights)
        values = own.values if own and own.version == known.version else known.clinical
        return weight_rows(known.version, known.dimensions, known.clinical, values, known.evidence)


def _register_weighing(app: Dash) -> None:
    sliders = {"type": "weight", "dimension": ALL}
    in_browser(
        app,
        "weigh",
        Output("weights", "data"),
        Output(sliders, "value"),
        Output({"type": "weight-value", "dimension": ALL}, "children"),
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
