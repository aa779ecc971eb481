"""The map: a toolbar with its age, progress and cancel; the figure; a thumbnail under the pointer."""

import dash_mantine_components as dmc
from dash import dcc, html
from dash.development.base_component import Component

from casekin.contracts.maps import Placement
from services.ui.jobs.job_line import job_line, job_poll
from services.ui.presentation import texts
from services.ui.presentation.components import empty
from services.ui.session.service_cache import PlacedMap

FAR = 0.1
"""Share of the map's width: a place is called rough where the 90th percentile of the error is larger."""
CONFIG: dcc.Graph.Config = {
    "displaylogo": False,
    "scrollZoom": True,
    "modeBarButtons": [["pan2d", "zoom2d", "zoomIn2d", "zoomOut2d", "resetScale2d"]],
    "topojsonURL": "/none/",
    "plotlyServerURL": "",
}
"""Nothing is fetched from or sent to other servers."""


def map_panel() -> Component:
    """The panel before the map is known; callbacks fill it."""
    cancel = html.Button("Cancel", id="map-cancel", className="button small", type="button")
    supervised = dmc.Switch(id="map-supervised", label=texts.SUPERVISED, checked=False, size="xs")
    draw = html.Button("Draw map", id="map-draw", className="button small", type="button")
    hover = dcc.Tooltip(
        id="map-hover",
        className="map-hover",
        direction="right",
        background_color="var(--raised)",
        border_color="var(--line-strong)",
    )
    versions = dmc.Select(id="map-version", label="Map", data=[], size="xs", w=420, maw="100%", allowDeselect=False)
    graph = dcc.Graph(id="map", config=CONFIG, className="map", responsive=True, clear_on_unhover=True)
    return html.Div(
        [
            html.Div(
                [
                    html.Div(id="map-note", className="map-note"),
                    html.Span([supervised, draw], id="map-draw-frame", className="draw-line", hidden=True),
                ],
                className="panel-line",
            ),
            job_line("map", "Progress of the map", cancel),
            html.Div(id="map-job-error"),
            html.Div(id="map-error"),
            html.Div(versions, id="map-version-frame", hidden=True),
            html.Div(id="map-quality"),
            html.Div(id="place-error"),
            html.Div(id="map-empty"),
            html.Div(graph, id="map-frame", className="map-frame", hidden=True),
            hover,
            job_poll("map", 700),
        ],
        className="panel",
    )


def map_empty() -> Component:
    """No map yet: what it would show; the button is above."""
    return empty(texts.NO_MAP_TITLE, html.P(texts.NO_MAP))


def map_note(placed: PlacedMap, revision: str, placement: Placement | None) -> list[Component]:
    """Size and age of the map, and how far the query's place can be trusted."""
    version = placed.document.version
    notes: list[Component] = [html.Span(f"{texts.count(version.cases, 'case')} · {version.recipe.preset} weights")]
    if version.recipe.supervised:
        notes.append(html.Strong(texts.SUPERVISED_HINT, className="old"))
    if version.revision != revision:
        notes.append(html.Strong(texts.OLD_MAP, className="old"))
    if placement is not None and placement.map_id == version.id:
        notes.append(html.Span(_placed(placement)))
    return notes


def _placed(placement: Placement) -> str:
    among = f"Your image is placed among its {len(placement.neighbours)} nearest cases"
    if placement.error is None:
        return f"{among}, which lie {texts.percent(placement.spread)} of the map's width around it."
    median, most = texts.percent(placement.error.median), texts.percent(placement.error.p90)
    rough = "a rough place: " if placement.error.p90 > FAR else ""
    off = f"such cases were off by {median} of the map's width at median, nine in ten by less than {most}."
    return f"{among}; {rough}{off}"
