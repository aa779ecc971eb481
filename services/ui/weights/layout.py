"""The user's own weights: a slider for each latent dimension, in the order of the bundle."""

import math
from collections.abc import Sequence

import dash_mantine_components as dmc
from dash import html
from dash.development.base_component import Component

from services.ui.presentation import texts
from services.ui.presentation.components import aria

STEP = 0.1
LARGEST = 2.0
"""A slider reaches at least this far: twice the weight that makes a dimension count like all others."""


def weights_panel() -> Component:
    """The panel before the model is known and while a preset is chosen; callbacks fill and show it."""
    return html.Section(
        [
            *_head(),
            html.Ul(id="weight-rows", className="weights", **aria(label="Weights of the dimensions")),
            html.P(texts.NO_SUCH_DIMENSION, id="weights-none", className="muted", hidden=True),
            html.P(texts.ENDS, id="weights-ends", className="hint muted"),
            html.Div(texts.ALL_ZERO, id="weights-zero", className="warnings", role="alert", hidden=True),
        ],
        id="weights-panel",
        className="weights-panel",
        hidden=True,
        **aria(label="Custom weights"),
    )


def _head() -> list[Component]:
    starts = [
        html.Button(label, id=f"weights-{preset}", className="button small", type="button")
        for preset, label in texts.PRESETS.items()
    ]
    undo = html.Button("Undo", id="weights-undo", className="button small", type="button", disabled=True)
    reset = html.Button("Reset", id="weights-reset", className="button small", type="button", disabled=True)
    find = dmc.TextInput(id="weights-find", placeholder="Find", value="", size="xs", **aria(label="Find a dimension"))
    return [
        html.Div([html.Span("Start from", className="control-name"), *starts], className="weights-head"),
        html.Div([find, undo, reset], className="weights-head"),
    ]


def weight_rows(
    version: str,
    names: Sequence[str],
    clinical: Sequence[float],
    weights: Sequence[float],
    evidence: Sequence[str] = (),
) -> list[Component]:
    """A slider for each dimension, between the average image with it low and with it high.

    The largest of `clinical` and `weights` sets the range; `weights` are the values. All are [D], and so is the
    `evidence` for the names, where there is any.
    """
    largest = max(LARGEST, math.ceil(max([*clinical, *weights])))
    return [
        _row(version, index, name, weight, largest, known)
        for index, (name, weight, known) in enumerate(zip(names, weights, evidence or [""] * len(names), strict=True))
    ]


def _row(version: str, index: int, name: str, weight: float, largest: float, evidence: str) -> Component:
    slider = dmc.Slider(
        id={"type": "weight", "dimension": index},
        min=0,
        max=largest,
        step=STEP,
        precision=2,
        value=round(weight, 2),
        size=4,
        thumbSize=14,
        thumbLabel=f"Weight of {name}",
    )
    value = html.Span(texts.weight(weight), id={"type": "weight-value", "dimension": index}, className="figure")
    only = html.Button(
        "Only",
        id={"type": "weight-only", "dimension": index},
        className="button quiet small",
        type="button",
        title="Only this dimension: all others at 0",
        **aria(label=f"Only {name}"),
    )
    about = ". ".join(filter(None, (name, evidence)))
    head = html.Div([html.Span(name, className="weight-name", title=about), value, only], className="weight-head")
    row = [head, _end(version, index, name, "low"), slider, _end(version, index, name, "high")]
    return html.Li(row, id={"type": "weight-row", "dimension": index}, className="weight")


def _end(version: str, index: int, name: str, end: str) -> Component:
    # a background is fetched when it is first visible: a page without own weights fetches none
    picture = {"backgroundImage": f"url(/dimensions/{version}/{index}/{end})"}
    text = f"{name} {end}"
    return html.Span(className=f"weight-end {end}", style=picture, title=text, role="img", **aria(label=text))
