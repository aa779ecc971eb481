"""Callbacks that run in the browser, in ``assets/casekin.js``."""

from typing import Any

from dash import ClientsideFunction, Dash


def in_browser(app: Dash, function: str, *dependencies: Any, at_start: bool = False) -> None:
    """Tie `function` of the script to outputs, inputs and states; `at_start` also calls it when the page opens."""
    where = ClientsideFunction("casekin", function)
    app.clientside_callback(where, *dependencies, prevent_initial_call=not at_start)  # type: ignore[no-untyped-call]
