"""Rollouts: a row of steps for each dimension, two dimensions as a grid."""

from collections.abc import Sequence

import dash_mantine_components as dmc
from dash import html
from dash.development.base_component import Component

from casekin.contracts.rollouts import JointResult, RolloutResult, RolloutRow
from services.ui.jobs.job_line import job_line, job_poll
from services.ui.presentation import texts
from services.ui.presentation.components import aria, data, empty
from services.ui.presentation.vocabulary import Vocabulary
from services.ui.rollouts.step_figure import real_cases_note, share_legend, step_figure, steps_switch

FIRST = 8
"""Dimensions that are shown before all are requested."""


def rollouts_panel() -> Component:
    """The panel before any rollout; callbacks fill it."""
    return html.Div(
        [
            html.Div(
                [
                    html.P(texts.ROLLOUTS, className="muted explain"),
                    html.Div(steps_switch("rollouts-steps"), className="steps-switch"),
                ],
                className="rollouts-head",
            ),
            job_line("rollouts", "Progress of the rollouts"),
            html.Div(id="rollouts-error"),
            html.Div(rollouts_empty(), id="rollouts"),
            html.Button("Show all dimensions", id="rollouts-all", className="button", type="button", hidden=True),
            _joint_panel(),
            job_poll("rollouts", 400),
        ],
        className="panel",
    )


def _joint_panel() -> Component:
    choices = [
        dmc.Select(id=f"joint-{name}", label=label, data=[], searchable=True, size="xs", w=220)
        for name, label in (("across", "To the right"), ("down", "Upwards"))
    ]
    make = html.Button("Show both together", id="joint-make", className="button small", type="button")
    return html.Section(
        [
            html.H2("Two dimensions together"),
            html.P(texts.JOINT, className="muted explain"),
            html.Div([*choices, make], className="joint-line"),
            html.Div(id="joint-error"),
            html.Div(id="joint"),
        ],
        id="joint-panel",
        className="joint-panel",
        hidden=True,
    )


def rollouts_empty() -> Component:
    """No query yet."""
    return empty("Nothing to vary yet", html.P(texts.NO_ROLLOUTS))


def rollout_rows(
    result: RolloutResult, names: list[str], vocabulary: Vocabulary, start: str, evidence: Sequence[str] = ()
) -> Component:
    """One row a dimension, in the order of the manifest; the latent of `start` is varied.

    `evidence` for the names is by dimension, where there is any.
    """
    legend = share_legend([step for row in result.rows for step in row.steps], vocabulary)
    on_map = result.map_id is not None
    rows = [
        _row(
            row,
            texts.dimension_name(row.dimension, names),
            vocabulary,
            start,
            on_map=on_map,
            evidence=evidence[row.dimension] if row.dimension < len(evidence) else "",
        )
        for row in result.rows
    ]
    return html.Div([legend, real_cases_note(result), *rows], className="rollouts")


def _row(row: RolloutRow, name: str, vocabulary: Vocabulary, start: str, *, on_map: bool, evidence: str) -> Component:
    nearest = min(range(len(row.values)), key=lambda step: abs(row.values[step] - row.origin))
    steps = []
    for number, step in enumerate(row.steps):
        at = texts.percent(row.quantiles[number])
        alt = f"{name} at {at} of the collection{f', nearest to {start}' if number == nearest else ''}"
        place = f"rollout-{row.dimension}-{number}"
        steps.append(step_figure(step, at, alt, vocabulary, place, outlined=number == nearest))
    parts = [_head(row, name, start, on_map=on_map, evidence=evidence), html.Div(steps, className="steps")]
    return html.Section(parts, className="rollout", **data(dimension=row.dimension))


def _head(row: RolloutRow, name: str, start: str, *, on_map: bool, evidence: str) -> Component:
    own = "" if row.origin_quantile is None else f"{start}: {texts.percent(row.origin_quantile)}"
    play = html.Button(
        "Play",
        id={"type": "play", "dimension": row.dimension},
        className="button small",
        type="button",
        **aria(label=f"Play {name}"),
    )
    show = html.Button(
        "Map",
        id={"type": "on-map", "dimension": row.dimension},
        className="button small",
        type="button",
        hidden=not on_map,
        **aria(label=f"Show {name} on the map"),
    )
    rename = html.Button(
        "Rename",
        id={"type": "rename", "dimension": row.dimension},
        className="button small",
        type="button",
        **aria(label=f"Rename {name}"),
    )
    title = f"{row.origin:+.2f} standard deviations".replace("-", "−")
    return html.Div(
        [
            html.Strong(name, title=evidence or None),
            html.Span(own, className="muted figure", title=title),
            html.Div([play, show, rename], className="row-buttons"),
            html.Div(id={"type": "playing", "dimension": row.dimension}, className="playing"),
        ]
    )


def animation_figure(source: str, name: str) -> Component:
    """One dimension through its range and back, with a link that saves it."""
    picture = html.Img(src=source, alt=f"{name} through its range in the collection and back")
    save = html.A("Save", href=source, download=f"{name}.webp", className="button small", **aria(label=f"Save {name}"))
    return html.Div([picture, save])


def joint_grid(result: JointResult, names: list[str], vocabulary: Vocabulary) -> Component:
    """The grid with a quantile before each row and below each column, the highest row on top as on an axis."""
    across, down = (texts.dimension_name(index, names) for index in result.dimensions)
    at = [texts.percent(quantile) for quantile in result.quantiles]
    lines: list[Component] = []
    for number in reversed(range(len(result.grid))):
        lines.append(html.Span(at[number], className="muted figure axis"))
        lines += [
            step_figure(
                step, "", f"{across} at {at[column]}, {down} at {at[number]}", vocabulary, f"joint-{number}-{column}"
            )
            for column, step in enumerate(result.grid[number])
        ]
    lines += [html.Span(), *(html.Span(label, className="muted figure axis") for label in at)]
    style = {"gridTemplateColumns": f"44px repeat({len(at)}, minmax(0, 1fr))"}
    legend = share_legend([step for row in result.grid for step in row], vocabulary)
    axes = html.P([html.Strong(across), " grows to the right, ", html.Strong(down), " upwards."], className="explain")
    grid = html.Div(lines, className="joint-grid", style=style)
    return html.Div([axes, legend, real_cases_note(result), grid])
