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
        # With a transition the focus is sent into the dialog before that is displayed, and stays outside.
        transitionProps={"duration": 0},
        keepMounted=True,
    )
    return dialog


def name_history(history: NameHistory, vocabulary: Vocabulary, evidence: str = "") -> Component:
    """All changes, the last first, after the `evidence` for the model's own name."""
    known = [html.P(evidence, className="muted")] if evidence else []
    if not history.changes:
        own = f"The model's own name, {vocabulary.dimension(history.default)}, has not been changed."
        return html.Div([html.P(own, className="muted"), *known])
    changes = [_change(change, vocabulary) for change in history.changes]
    return html.Div([*known, html.Ol(changes, className="name-history", **aria(label="Changes"))])


def _change(change: NameChange, vocabulary: Vocabulary) -> Component:
    before, name = vocabulary.dimension(change.before), vocabulary.dimension(change.name)
    text = f"undid {before}, back to {name}" if change.undo else f"renamed {before} to {name}"
    when = html.Time(change.at.strftime("%Y-%m-%d %H:%M UTC"), dateTime=change.at.isoformat())
    return html.Li([html.Strong(change.by), f" {text}, ", when])
