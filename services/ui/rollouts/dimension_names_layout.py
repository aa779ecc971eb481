"""The dialog that renames a dimension: the name, its history, and undo."""

import dash_mantine_components as dmc
from dash import html
from dash.development.base_component import Component

from casekin.contracts.names import NameChange, NameHistory
from services.ui.presentation.components import aria, data
from services.ui.presentation.vocabulary import Vocabulary


def name_modal() -> Component:
    """The dialog before a dimension is chosen; callbacks fill it."""
    buttons = [
        html.Button("Save", id="name-save", className="button primary small", type="button"),
        html.Button("Undo the last change", id="name-undo", className="button small", type="button", disabled=True),
    ]
    body = [
        dmc.TextInput(
            id="name-text", label="Name", value="", attributes={"input": {"maxLength": 60}}, **data(autofocus="true")
        ),
        html.Div(buttons, className="row-buttons"),
        html.Div(id="name-error"),
        html.Div(id="name-history"),
    ]
    dialog: Component = dmc.Modal(
        html.Div(body, className="name-body"),
        id="name-modal",
        opened=False,
        title="Name of the dimension",
        size="md",
        centered=True,
        closeButtonProps={"aria-label": "Close"},
        transitionProps={"duration": 120},
        keepMounted=True,
    )
    return dialog


def name_history(history: NameHistory, vocabulary: Vocabulary) -> Component:
    """All changes, the last first."""
    if not history.changes:
        return html.P(
            f"The model's own name, {vocabulary.dimension(history.default)}, has not been changed.", className="muted"
        )
    return html.Ol(
        [_change(change, vocabulary) for change in history.changes], className="name-history", **aria(label="Changes")
    )


def _change(change: NameChange, vocabulary: Vocabulary) -> Component:
    before, name = vocabulary.dimension(change.before), vocabulary.dimension(change.name)
    text = f"undid {before}, back to {name}" if change.undo else f"renamed {before} to {name}"
    when = html.Time(change.at.strftime("%Y-%m-%d %H:%M UTC"), dateTime=change.at.isoformat())
    return html.Li([html.Strong(change.by), f" {text}, ", when])
