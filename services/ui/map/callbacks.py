"""The map: drawn when its tab is opened, marked after each search, fitted anew as a job."""

from typing import Any

from dash import Dash, Input, Output, Patch, State, no_update
from dash.exceptions import PreventUpdate

from casekin.contracts.maps import MapPlace, Placement
from casekin.contracts.search import SearchResponse
from casekin.errors import CasekinError
from services.ui.dash_support.clientside import in_browser
from services.ui.dash_support.threads import in_thread
from services.ui.map import fit_job
from services.ui.map.figure import Look, map_figure, overlays
from services.ui.map.layout import map_empty, map_note
from services.ui.presentation import texts
from services.ui.presentation.components import fault
from services.ui.presentation.vocabulary import Vocabulary
from services.ui.session.collection_vocabulary import vocabulary_of
from services.ui.session.service_cache import Catalog, PlacedMap
from services.ui.session.state import Query, Way

Held = dict[str, Any] | None
PLACE_TIMEOUT_S = 20.0


def register(app: Dash, catalog: Catalog) -> None:
    """Tie the map to projector and search."""
    _register_hover(app)
    _register_draw(app, catalog)
    _register_place(app, catalog)
    _register_mark(app, catalog)
    fit_job.register(app, catalog)


def _register_hover(app: Dash) -> None:
    in_browser(
        app,
        "hover",
        Output("map-hover", "show"),
        Output("map-hover", "bbox"),
        Output("map-hover", "children"),
        Input("map", "hoverData"),
        State("map", "figure"),
    )

    in_browser(
        app,
        "drawing",
        Input("scheme", "computedColorScheme"),
        at_start=True,
    )


def _register_draw(app: Dash, catalog: Catalog) -> None:
    @app.callback(
        output={
            "figure": Output("map", "figure"),
            "drawn": Output("map-drawn", "data"),
            "hidden": Output("map-frame", "hidden"),
            "empty": Output("map-empty", "children"),
            "button": Output("map-draw", "children"),
            "unknown": Output("map-draw-frame", "hidden"),
            "error": Output("map-error", "children"),
        },
        inputs={
            "tab": Input("tabs", "value"),
            "collection": Input("collection", "data"),
            "_fitted": Input("map-fitted", "data"),
            "drawing": Input("drawing", "data"),
            "drawn": State("map-drawn", "data"),
        },
        prevent_initial_call=True,
    )
    @in_thread
    def draw(tab: str, collection: Held, _fitted: str | None, drawing: Held, drawn: Held) -> dict[str, Any]:
        if tab != "map" or drawing is None:
            raise PreventUpdate
        try:
            placed = catalog.map()
        except CasekinError as error:
            return {**_undrawn(), "unknown": True, "error": fault(error, doing=texts.READING_MAP)}
        if placed is None:
            return {**_undrawn(), "empty": map_empty()}
        wanted = {"id": placed.document.version.id, **drawing}
        if drawn is not None and drawn == {**wanted, "traces": drawn["traces"]}:
            raise PreventUpdate
        return _drawn(placed, vocabulary_of(collection), wanted)


def _drawn(placed: PlacedMap, vocabulary: Vocabulary, wanted: dict[str, Any]) -> dict[str, Any]:
    look = Look(wanted["scheme"], wanted["engine"])
    figure = map_figure(placed, vocabulary, look)
    drawn = {**wanted, "traces": len(figure.data)}
    figure.add_traces(overlays(placed, None, None, None, look))
    bare = {"hidden": False, "empty": None, "error": None, "unknown": False}
    return {**bare, "figure": figure, "drawn": drawn, "button": "Redraw map"}


def _undrawn() -> dict[str, Any]:
    nothing = {"figure": no_update, "drawn": None, "empty": None, "error": None}
    return {**nothing, "hidden": True, "button": "Draw map", "unknown": False}


def _register_place(app: Dash, catalog: Catalog) -> None:
    @app.callback(
        output={"placement": Output("placement", "data"), "error": Output("place-error", "children")},
        inputs={
            "asked": Input("query", "data"),
            "drawn": Input("map-drawn", "data"),
            "held": State("placement", "data"),
        },
        prevent_initial_call=True,
    )
    @in_thread
    def place(asked: Held, drawn: Held, held: Held) -> dict[str, Any]:
        if asked is None or drawn is None:
            return {"placement": None, "error": None}
        encoded = Query.model_validate(asked).encoded
        payload = MapPlace(bundle_version=encoded.bundle_version, latent=encoded.latent)
        projector = catalog.services.projector
        try:
            placement = projector.wait(projector.submit(payload), Placement, timeout_s=PLACE_TIMEOUT_S)
        except CasekinError as error:
            return {"placement": None, "error": fault(error, doing=texts.PLACING)}
        data = placement.model_dump(mode="json")
        return {"placement": no_update if data == held else data, "error": None}


def _register_mark(app: Dash, catalog: Catalog) -> None:
    @app.callback(
        output={
            "figure": Output("map", "figure", allow_duplicate=True),
            "note": Output("map-note", "children"),
        },
        inputs={
            "drawn": Input("map-drawn", "data"),
            "results": Input("results", "data"),
            "placed_at": Input("placement", "data"),
            "gone": Input("way", "data"),
            "collection": Input("collection", "data"),
        },
        prevent_initial_call=True,
    )
    @in_thread
    def mark(drawn: Held, results: Held, placed_at: Held, gone: Held, collection: Held) -> dict[str, Any]:
        if drawn is None:
            return {"figure": no_update, "note": None}
        try:
            placed = catalog.map()
        except CasekinError as error:
            return {"figure": no_update, "note": fault(error, doing=texts.READING_MAP)}
        if placed is None or placed.document.version.id != drawn["id"]:
            raise PreventUpdate
        response = SearchResponse.model_validate(results) if results else None
        placement = Placement.model_validate(placed_at) if placed_at else None
        way = Way.model_validate(gone) if gone else None
        look = Look(drawn["scheme"], drawn["engine"])
        patch = Patch()
        for offset, trace in enumerate(overlays(placed, response, placement, way, look)):
            patch["data"][drawn["traces"] + offset] = trace
        revision = collection["revision"] if collection else placed.document.version.revision
        return {"figure": patch, "note": map_note(placed, revision, placement)}
