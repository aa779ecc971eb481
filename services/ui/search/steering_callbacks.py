"""Steering by cases: examples marked on the cards, a case to start from, pages; all of it in the browser."""

from typing import Any

from dash import ALL, Dash, Input, Output, State
from dash.development.base_component import Component

from casekin.contracts.search import Example
from services.ui.dash_support.clientside import in_browser
from services.ui.search.steering_chips import steered


def register(app: Dash) -> None:
    """Tie the marks on cards, the dialog's button and the pages to what the search is asked."""
    in_browser(
        app,
        "mark",
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
        "setApart",
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
        Output("steered", "children"),
        Input("start-case", "data"),
        Input("own-lesion", "data"),
        Input("examples", "data"),
        prevent_initial_call=True,
    )
    async def draw(case: str | None, lesion: str | None, examples: list[dict[str, Any]] | None) -> list[Component]:
        return steered(case, lesion, [Example.model_validate(example) for example in examples or []])
