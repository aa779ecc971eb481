"""Small pieces that several parts of the page use."""

from typing import Any

from dash import html
from dash.development.base_component import Component

from casekin.errors import CasekinError, Unavailable
from services.ui.presentation import texts

HIDDEN: dict[str, Any] = {"aria-hidden": "true"}
"""Says nothing to a screen reader."""


def aria(**named: str) -> dict[str, Any]:
    """Attributes ``aria-*``."""
    return {f"aria-{name}": value for name, value in named.items()}


def data(**named: str | int) -> dict[str, Any]:
    """Attributes ``data-*``, by which tests and style sheets find things."""
    return {f"data-{name}": value for name, value in named.items()}


def icon(name: str) -> Component:
    """A drawing of the style sheet; says nothing to a screen reader."""
    return html.Span(className=f"glyph glyph-{name}", **HIDDEN)


def dot(colour: str) -> Component:
    """The colour of a diagnosis; its name always stands beside it."""
    return html.Span(className="dot", style={"backgroundColor": colour}, **HIDDEN)


def bar(share: float, *, colour: str | None = None, class_name: str = "bar") -> Component:
    """A horizontal bar that fills `share` of its track."""
    fill = {"width": f"{min(max(share, 0.0), 1.0) * 100:.1f}%"} | ({"backgroundColor": colour} if colour else {})
    return html.Span(html.Span(className="bar-fill", style=fill), className=class_name, **HIDDEN)


def fault(error: CasekinError, *, doing: str, retry: str | None = None) -> Component:
    """An error in place: what was being done, what went wrong, and what to do."""
    lines: list[Component] = [html.Strong(f"{doing}. {error.title}."), html.P(texts.sentence(error.detail))]
    if retry is not None and isinstance(error, Unavailable):
        lines.append(html.Button("Try again", id={"type": "retry", "what": retry}, className="button small"))
    return html.Div(lines, className="fault", role="alert", **data(code=error.code))


def empty(title: str, *body: Any, class_name: str = "empty") -> Component:
    """An empty state: a title and what to do about it."""
    return html.Div([html.H2(title), *body], className=class_name)


def facts(entries: list[tuple[str, Any]]) -> Component:
    """Names and values in two columns."""
    rows = [html.Div([html.Dt(name), html.Dd(value)]) for name, value in entries]
    return html.Dl(rows, className="facts")
