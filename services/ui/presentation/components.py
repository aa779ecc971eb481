"""Small pieces that several parts of the page use."""

from typing import Any

from dash import html
from dash.development.base_component import Component

from casekin.errors import CasekinError, Unavailable
from services.ui.presentation import texts

Attributes = dict[str, Any]
"""Keyword arguments of Dash's components, which take any."""
HIDDEN: Attributes = {"aria-hidden": "true"}
"""Hides from screen readers."""


def aria(**named: str) -> Attributes:
    """Attributes ``aria-*``."""
    return {f"aria-{name}": value for name, value in named.items()}


def data(**named: str | int) -> Attributes:
    """Attributes ``data-*``, by which tests and style sheets find things."""
    return {f"data-{name}": value for name, value in named.items()}


def icon(name: str) -> Component:
    """An icon of the style sheet, hidden from screen readers."""
    return html.Span(className=f"glyph glyph-{name}", **HIDDEN)


def dot(colour: str) -> Component:
    """The colour of a diagnosis; its name always stands beside it."""
    return html.Span(className="dot", style={"backgroundColor": colour}, **HIDDEN)


def bar(share: float, *, colour: str | None = None, class_name: str = "bar") -> Component:
    """A horizontal bar that fills `share` of its track."""
    fill = {"width": f"{min(max(share, 0.0), 1.0) * 100:.1f}%"} | ({"backgroundColor": colour} if colour else {})
    return html.Span(html.Span(className="bar-fill", style=fill), className=class_name, **HIDDEN)


def error_box(error: CasekinError, *, doing: str, retry: str | None = None, always: bool = False) -> Component:
    """An error where it happened: what was being done, what went wrong, and what to do.

    A button repeats `retry` where a service was unavailable, or `always`.
    """
    lines: list[Component] = [html.Strong(f"{doing}. {error.title}."), html.P(texts.sentence(error.detail))]
    if retry is not None and (always or isinstance(error, Unavailable)):
        lines.append(html.Button("Try again", id={"type": "retry", "what": retry}, className="button small"))
    return html.Div(lines, className="error-box", role="alert", **data(code=error.code))


def empty(title: str, *body: Component | None, class_name: str = "empty") -> Component:
    """An empty state: a title and what to do about it."""
    return html.Div([html.H2(title), *body], className=class_name)


def facts(entries: list[tuple[str, str]]) -> Component:
    """Names and values in two columns."""
    rows = [html.Div([html.Dt(name), html.Dd(value)]) for name, value in entries]
    return html.Dl(rows, className="facts")
