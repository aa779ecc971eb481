"""The figure of the map: cases as points by diagnosis, matches ringed, the query as a star."""

from collections import defaultdict
from math import cos, pi, sin
from textwrap import shorten
from typing import Any

import plotly.graph_objects as go

from casekin.contracts.maps import Placement
from casekin.contracts.search import SearchResponse
from services.ui.presentation.colours import visible_on
from services.ui.presentation.vocabulary import Vocabulary
from services.ui.session.service_cache import PlacedMap
from services.ui.session.stores import MapLook, MapPath

SYMBOLS = ("circle", "diamond", "square", "triangle-up", "cross", "triangle-down", "x", "pentagon", "star-triangle-up")
"""A shape for each diagnosis, so that colour is not the only distinction."""
INK = {"light": "#101820", "dark": "#ffffff"}
PAPER = {"light": "#ffffff", "dark": "#15191e"}
SOFT = {"light": "#55636f", "dark": "#9aa8b5"}
LEGEND_WIDTH = 26
"""Characters: the longest name sets the width of every column of the legend."""
STAR = "#ffb703"
RING_POINTS = 64


Trace = dict[str, Any]
"""A trace as plotly's schema has it, which also patches a drawn figure."""


def map_figure(placed: PlacedMap, vocabulary: Vocabulary, look: MapLook) -> go.Figure:
    """All cases of the map, one trace a diagnosis; overlays come after them."""
    rows: defaultdict[str | None, list[int]] = defaultdict(list)
    for row, diagnosis in enumerate(placed.document.diagnoses):
        rows[diagnosis].append(row)
    ordered = sorted(rows, key=lambda code: (vocabulary.place(code), code or ""))
    figure = go.Figure([_cases(placed, code, rows[code], vocabulary, look) for code in ordered])
    figure.update_layout(**_layout(placed.document.version.id, look))
    return figure


def overlays(
    placed: PlacedMap, response: SearchResponse | None, placement: Placement | None, path: MapPath | None, look: MapLook
) -> list[Trace]:
    """Four traces: matches, a path, the region in which the query may lie, and its place."""
    here = placement if placement is not None and placement.map_id == placed.document.version.id else None
    return [_matches(placed, response, look), _path(placed, path, look), _ring(placed, here, look), _query(here, look)]


def _cases(placed: PlacedMap, code: str | None, rows: list[int], vocabulary: Vocabulary, look: MapLook) -> Trace:
    document = placed.document
    symbol = SYMBOLS[vocabulary.place(code) % len(SYMBOLS)] if code is not None else "circle-open"
    colour = visible_on(vocabulary.colour(code), PAPER[look.scheme])
    return {
        "type": look.engine,
        "x": [round(document.x[row], 4) for row in rows],
        "y": [round(document.y[row], 4) for row in rows],
        "customdata": [document.cases[row] for row in rows],
        "name": f"{shorten(vocabulary.diagnosis(code), LEGEND_WIDTH, placeholder='…')} ({len(rows):,})",
        "meta": vocabulary.diagnosis(code),
        "mode": "markers",
        "marker": {"size": 6, "opacity": 0.8, "color": colour, "symbol": symbol},
        "hoverinfo": "none",
    }


def _matches(placed: PlacedMap, response: SearchResponse | None, look: MapLook) -> Trace:
    ranked = enumerate(response.matches if response else [], start=1)
    found = [(rank, match, placed.position(match.case.id)) for rank, match in ranked]
    on_map = [(rank, match, position) for rank, match, position in found if position is not None]
    return {
        "type": look.engine,
        "x": [position[0] for _, _, position in on_map],
        "y": [position[1] for _, _, position in on_map],
        "customdata": [match.case.id for _, match, _ in on_map],
        "text": [str(rank) for rank, _, _ in on_map],
        "name": "Matches",
        "meta": "Match",
        "mode": "markers+text",
        "textposition": "top center",
        "textfont": {"size": 11, "color": INK[look.scheme]},
        "marker": {"size": 13, "symbol": "circle-open", "color": INK[look.scheme], "line": {"width": 2}},
        "hoverinfo": "none",
        "showlegend": bool(on_map),
    }


def _path(placed: PlacedMap, path: MapPath | None, look: MapLook) -> Trace:
    here = path if path is not None and path.map_id == placed.document.version.id else None
    return {
        "type": look.engine,
        "x": here.x if here else [],
        "y": here.y if here else [],
        "name": shorten(here.name, LEGEND_WIDTH, placeholder="…") if here else "",
        "meta": here.name if here else "",
        "mode": "lines+markers",
        "line": {"color": INK[look.scheme], "width": 2},
        "marker": {"size": 7, "symbol": "circle", "color": STAR, "line": {"width": 1.5, "color": INK[look.scheme]}},
        "hoverinfo": "none",
        "showlegend": here is not None,
    }


def _ring(placed: PlacedMap, placement: Placement | None, look: MapLook) -> Trace:
    """Nine in ten cases whose neighbours were as far apart lay within it, when they were placed the same way."""
    x: list[float] = []
    y: list[float] = []
    if placement is not None and placement.error is not None:
        radius = placement.error.p90 * placed.width
        angles = [2 * pi * step / RING_POINTS for step in range(RING_POINTS + 1)]
        x = [round(placement.x + radius * cos(angle), 4) for angle in angles]
        y = [round(placement.y + radius * sin(angle), 4) for angle in angles]
    return {
        "type": look.engine,
        "x": x,
        "y": y,
        "name": "Where it may lie",
        "meta": "Nine in ten lie within",
        "mode": "lines",
        "line": {"color": STAR, "width": 2, "dash": "dash"},
        "hoverinfo": "none",
        "showlegend": bool(x),
    }


def _query(placement: Placement | None, look: MapLook) -> Trace:
    return {
        "type": look.engine,
        "x": [placement.x] if placement else [],
        "y": [placement.y] if placement else [],
        "name": "Your image",
        "meta": "Your image",
        "mode": "markers",
        "marker": {"size": 20, "symbol": "star", "color": STAR, "line": {"width": 1.5, "color": INK[look.scheme]}},
        "hoverinfo": "none",
        "showlegend": placement is not None,
    }


def _layout(map_id: str, look: MapLook) -> Trace:
    axis = {"visible": False, "showgrid": False, "zeroline": False}
    return {
        "template": None,
        "margin": {"l": 0, "r": 0, "t": 0, "b": 0},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"color": INK[look.scheme], "size": 12},
        "xaxis": axis,
        "yaxis": {**axis, "scaleanchor": "x"},
        "modebar": {"bgcolor": "rgba(0,0,0,0)", "color": SOFT[look.scheme], "activecolor": INK[look.scheme]},
        "dragmode": "pan",
        "hovermode": "closest",
        "uirevision": map_id,
        "legend": {
            "orientation": "h",
            "y": 0,
            "yanchor": "top",
            "x": 0,
            "itemsizing": "constant",
            "font": {"size": 12},
        },
    }
