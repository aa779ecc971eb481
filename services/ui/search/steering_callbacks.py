"""Steering by cases: examples, a case to start from, the own lesion, pages; all of it in the browser."""

from dash import ALL, Dash, Input, Output, State
from dash.development.base_component import Component

from casekin.contracts.search import Example
from services.ui.dash_support.clientside import in_browser
from services.ui.search.steering_chips import steering_chips
from services.ui.session.stores import JsonList


def register(app: Dash) -> None:
    """Register the buttons on cards and in the dialog, and the pages."""
    in_browser(
        app,
        "markExample",
        Output("examples", "data"),
        Input({"type": "example", "case": ALL, "weight": ALL}, "n_clicks"),
        Input({"type": "example-step", "case": ALL, "step": ALL}, "n_clicks"),
        Input("staged", "data"),
        State("examples", "data"),
    )
    in_browser(
        app,
        "startFrom",
        Output("start-case", "data"),
        Output("case-modal", "opened", allow_duplicate=True),
        Input("case-start", "n_clicks"),
        Input({"type": "leave-case", "case": ALL}, "n_clicks"),
        Input("staged", "data"),
        State("open-case", "data"),
    )
    in_browser(
        app,
        "setOwnLesion",
        Output("own-lesion", "data"),
        Output("case-modal", "opened", allow_duplicate=True),
        Input("case-own", "n_clicks"),
        Input({"type": "leave-lesion", "lesion": ALL}, "n_clicks"),
        Input("staged", "data"),
        State("case-lesion", "data"),
    )
    in_browser(
        app,
        "turnPage",
        Input("page-previous", "n_clicks"),
        Input("page-next", "n_clicks"),
        Input("query", "data"),
        Input("start-case", "data"),
        Input("own-lesion", "data"),
        Input("examples", "data"),
        State("steering", "data"),
    )

    @app.callback(
        Output("steering-chips", "children"),
        Input("start-case", "data"),
        Input("own-lesion", "data"),
        Input("examples", "data"),
        prevent_initial_call=True,
    )
    async def draw(case: str | None, lesion: str | None, examples: JsonList) -> list[Component]:
        return steering_chips(case, lesion, [Example.model_validate(example) for example in examples or []])
