"""Choosing among the kept maps, and how far the current one can be trusted."""

from typing import Any

from dash import Dash, Input, Output, State, no_update
from dash.exceptions import PreventUpdate

from casekin.errors import CasekinError
from services.ui.dash_support.threads import in_thread
from services.ui.map.versions_layout import kept_maps, map_choices, map_quality
from services.ui.presentation import texts
from services.ui.presentation.components import fault
from services.ui.session.collection_vocabulary import vocabulary_of
from services.ui.session.service_cache import Catalog

Held = dict[str, Any] | None


def register(app: Dash, catalog: Catalog) -> None:
    """Tie the select to the projector's maps."""
    _register_list(app, catalog)
    _register_choose(app, catalog)


def _register_list(app: Dash, catalog: Catalog) -> None:
    @app.callback(
        output={
            "choices": Output("map-version", "data"),
            "chosen": Output("map-version", "value"),
            "hidden": Output("map-version-frame", "hidden"),
            "quality": Output("map-quality", "children"),
        },
        inputs={"drawn": Input("map-drawn", "data"), "collection": State("collection", "data")},
        prevent_initial_call=True,
    )
    @in_thread
    def list_maps(drawn: Held, collection: Held) -> dict[str, Any]:
        nothing: dict[str, Any] = {"choices": [], "chosen": None, "hidden": True, "quality": None}
        if drawn is None:
            return nothing
        try:
            kept = catalog.services.projector.maps()
        except CasekinError:  # the map's own callbacks say it
            return nothing
        shown = next((version for version in kept.maps if version.id == drawn["id"]), None)
        quality = [map_quality(shown, vocabulary_of(collection)), kept_maps(kept)] if shown else None
        return {
            "choices": map_choices(kept),
            "chosen": drawn["id"],
            "hidden": len(kept.maps) < 2,
            "quality": quality,
        }


def _register_choose(app: Dash, catalog: Catalog) -> None:
    @app.callback(
        output={
            "fitted": Output("map-fitted", "data", allow_duplicate=True),
            "error": Output("map-job-error", "children", allow_duplicate=True),
        },
        inputs={"chosen": Input("map-version", "value"), "drawn": State("map-drawn", "data")},
        prevent_initial_call=True,
    )
    @in_thread
    def choose(chosen: str | None, drawn: Held) -> dict[str, Any]:
        if chosen is None or drawn is None or chosen == drawn["id"]:
            raise PreventUpdate
        try:
            catalog.services.projector.make_current(chosen)
        except CasekinError as error:
            return {"fitted": no_update, "error": fault(error, doing=texts.CHOOSING_MAP)}
        catalog.forget_map()
        return {"fitted": chosen, "error": None}
