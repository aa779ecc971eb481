"""Callbacks that run in the browser, in ``assets/casekin.js``."""

from dash import ClientsideFunction, Dash, Input, Output, State


def in_browser(app: Dash, function: str, *dependencies: Output | Input | State, at_start: bool = False) -> None:
    """Register `function` of the script; `at_start` also calls it when the page opens."""
    where = ClientsideFunction("casekin", function)
    app.clientside_callback(where, *dependencies, prevent_initial_call=not at_start)  # type: ignore[no-untyped-call]
