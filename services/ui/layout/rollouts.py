"""Rollouts: a row of decoded images for each dimension."""

import dash_mantine_components as dmc
from dash import dcc, html
from dash.development.base_component import Component

from casekin.contracts.projector import RolloutResult, RolloutRow
from services.ui import words
from services.ui.layout.parts import aria, data, empty

FIRST = 8
"""Rows before all are asked for."""


def rollouts_panel() -> Component:
    """The panel before any rollout; callbacks fill it."""
    progress = html.Div(
        [
            dmc.Progress(id="rollouts-progress", value=0, size=6, **aria(label="Progress of the rollouts")),
            html.Span(id="rollouts-progress-text", className="muted", role="status"),
        ],
        id="rollouts-job-line",
        className="job-line",
        hidden=True,
    )
    return html.Div(
        [
            html.P(words.ROLLOUTS, className="muted explain"),
            progress,
            html.Div(id="rollouts-error"),
            html.Div(rollouts_empty(), id="rollouts"),
            html.Button("Show all dimensions", id="rollouts-all", className="button", type="button", hidden=True),
            dcc.Interval(id="rollouts-poll", interval=400, disabled=True),
        ],
        className="panel",
    )


def rollouts_empty() -> Component:
    """No query yet."""
    return empty("No image yet", html.P(words.NO_ROLLOUTS))


def rollout_rows(result: RolloutResult) -> Component:
    """One row a dimension, in the order of the manifest."""
    return html.Div([_row(row) for row in result.rows], className="rollouts")


def _row(row: RolloutRow) -> Component:
    nearest = min(range(len(row.values)), key=lambda step: abs(row.values[step] - row.origin))
    steps = [_step(row, step, origin=step == nearest) for step in range(len(row.values))]
    head = html.Div([html.Strong(row.name), html.Span(f"your image: {_signed(row.origin)}", className="muted figure")])
    return html.Section(
        [head, html.Div(steps, className="steps")], className="rollout", **data(dimension=row.dimension)
    )


def _step(row: RolloutRow, step: int, *, origin: bool) -> Component:
    value = _signed(row.values[step])
    picture = html.Img(src=row.images[step], alt=f"{row.name} at {value}{', nearest to your image' if origin else ''}")
    return html.Figure([picture, html.Figcaption(value)], className="step origin" if origin else "step")


def _signed(value: float) -> str:
    return f"{value:+.1f}".replace("-", "−") if round(value, 1) else "0.0"
