"""The map: drawn when its tab is opened, with the query and the matches of each search marked on it."""

from dataclasses import dataclass

import plotly.graph_objects as go
from dash import Dash, Input, NoUpdate, Output, Patch, State, no_update
from dash.development.base_component import Component
from dash.exceptions import PreventUpdate

from casekin.contracts.maps import MapPlace, Placement
from casekin.errors import CasekinError
from services.ui.dash_support.clientside import in_browser
from services.ui.dash_support.outputs import Outputs
from services.ui.dash_support.threads import in_thread
from services.ui.map.figure import map_figure, overlays
from services.ui.map.layout import map_empty, map_note
from services.ui.presentation import texts
from services.ui.presentation.components import error_box
from services.ui.presentation.vocabulary import Vocabulary
from services.ui.session.collection_vocabulary import vocabulary_of
from services.ui.session.service_cache import Catalog, PlacedMap
from services.ui.session.stores import (
    DrawnMap,
    Json,
    MapLook,
    collection_in,
    drawn_map_in,
    dumped,
    map_path_in,
    placement_in,
    query_in,
    results_in,
)

PLACE_TIMEOUT_S = 20.0


@dataclass(frozen=True)
class DrawOutputs(Outputs):
    """The figure of the map; by default none is shown and one can be drawn."""

    figure: go.Figure | NoUpdate = no_update
    drawn: Json = None
    hidden: bool = True
    empty: Component | None = None
    button: str = "Draw map"
    button_hidden: bool = False
    error: Component | None = None


@dataclass(frozen=True)
class PlaceOutputs(Outputs):
    """The place of the query on the map."""

    placement: Json | NoUpdate = None
    error: Component | None = None


@dataclass(frozen=True)
class MarkOutputs(Outputs):
    """What is marked on the drawn figure."""

    figure: Patch | NoUpdate = no_update
    note: list[Component] | Component | None = None


def register(app: Dash, catalog: Catalog) -> None:
    """Register drawing, placing and marking."""
    in_browser(
        app,
        "hover",
        Output("map-hover", "show"),
        Output("map-hover", "bbox"),
        Output("map-hover", "children"),
        Input("map", "hoverData"),
        State("map", "figure"),
    )
    in_browser(app, "mapLook", Input("scheme", "computedColorScheme"), at_start=True)
    _register_draw(app, catalog)
    _register_place(app, catalog)
    _register_mark(app, catalog)


def _register_draw(app: Dash, catalog: Catalog) -> None:
    @app.callback(
        output={
            "figure": Output("map", "figure"),
            "drawn": Output("map-drawn", "data"),
            "hidden": Output("map-frame", "hidden"),
            "empty": Output("map-empty", "children"),
            "button": Output("map-draw", "children"),
            "button_hidden": Output("map-draw-frame", "hidden"),
            "error": Output("map-error", "children"),
        },
        inputs={
            "tab": Input("tabs", "value"),
            "collection": Input("collection", "data"),
            "_fitted": Input("map-fitted", "data"),
            "look": Input("map-look", "data"),
            "drawn": State("map-drawn", "data"),
        },
        prevent_initial_call=True,
    )
    @in_thread
    def draw(tab: str, collection: Json, _fitted: str | None, look: Json, drawn: Json) -> DrawOutputs:
        if tab != "map" or look is None:
            raise PreventUpdate
        try:
            placed = catalog.map()
        except CasekinError as error:
            return DrawOutputs(button_hidden=True, error=error_box(error, doing=texts.READING_MAP))
        if placed is None:
            return DrawOutputs(empty=map_empty())
        wanted = MapLook.model_validate(look)
        if _is_drawn(drawn_map_in(drawn), placed, wanted):
            raise PreventUpdate
        return _drawn(placed, vocabulary_of(collection), wanted)


def _is_drawn(drawn: DrawnMap | None, placed: PlacedMap, look: MapLook) -> bool:
    current = (placed.document.version.id, look.scheme, look.engine)
    return drawn is not None and (drawn.id, drawn.scheme, drawn.engine) == current


def _drawn(placed: PlacedMap, vocabulary: Vocabulary, look: MapLook) -> DrawOutputs:
    figure = map_figure(placed, vocabulary, look)
    traces = len(figure.data)
    figure.add_traces(overlays(placed, None, None, None, look))
    drawn = DrawnMap(id=placed.document.version.id, traces=traces, scheme=look.scheme, engine=look.engine)
    return DrawOutputs(figure=figure, drawn=dumped(drawn), hidden=False, button="Redraw map")


def _register_place(app: Dash, catalog: Catalog) -> None:
    @app.callback(
        output={"placement": Output("placement", "data"), "error": Output("place-error", "children")},
        inputs={
            "query": Input("query", "data"),
            "drawn": Input("map-drawn", "data"),
            "placement": State("placement", "data"),
        },
        prevent_initial_call=True,
    )
    @in_thread
    def place(query: Json, drawn: Json, placement: Json) -> PlaceOutputs:
        image = query_in(query)
        if image is None or drawn is None:
            return PlaceOutputs()
        payload = MapPlace(bundle_version=image.encoded.bundle_version, latent=image.encoded.latent)
        projector = catalog.services.projector
        try:
            placed = dumped(projector.wait(projector.submit(payload), Placement, timeout_s=PLACE_TIMEOUT_S))
        except CasekinError as error:
            return PlaceOutputs(error=error_box(error, doing=texts.PLACING))
        return PlaceOutputs(placement=no_update if placed == placement else placed)


def _register_mark(app: Dash, catalog: Catalog) -> None:
    @app.callback(
        output={
            "figure": Output("map", "figure", allow_duplicate=True),
            "note": Output("map-note", "children"),
        },
        inputs={
            "drawn": Input("map-drawn", "data"),
            "results": Input("results", "data"),
            "placement": Input("placement", "data"),
            "path": Input("map-path", "data"),
            "collection": Input("collection", "data"),
        },
        prevent_initial_call=True,
    )
    @in_thread
    def mark(drawn: Json, results: Json, placement: Json, path: Json, collection: Json) -> MarkOutputs:
        figure = drawn_map_in(drawn)
        if figure is None:
            return MarkOutputs()
        try:
            placed = catalog.map()
        except CasekinError as error:
            return MarkOutputs(note=error_box(error, doing=texts.READING_MAP))
        if placed is None or placed.document.version.id != figure.id:
            raise PreventUpdate
        place = placement_in(placement)
        patch = Patch()
        for offset, trace in enumerate(overlays(placed, results_in(results), place, map_path_in(path), figure)):
            patch["data"][figure.traces + offset] = trace
        known = collection_in(collection)
        revision = known.revision if known else placed.document.version.revision
        return MarkOutputs(figure=patch, note=map_note(placed, revision, place))
