"""Choosing among the kept maps, and how far the current one can be trusted."""

from collections.abc import Mapping
from dataclasses import dataclass

from dash import Dash, Input, NoUpdate, Output, State, no_update
from dash.development.base_component import Component
from dash.exceptions import PreventUpdate

from casekin.contracts.base import Code
from casekin.contracts.maps import MapVersion
from casekin.errors import CasekinError
from services.ui.dash_support.outputs import Outputs
from services.ui.dash_support.threads import in_thread
from services.ui.map.versions_layout import Choice, held_out_of, kept_maps, map_choices, map_quality
from services.ui.presentation import texts
from services.ui.presentation.components import error_box
from services.ui.session.collection_vocabulary import vocabulary_of
from services.ui.session.service_cache import Catalog
from services.ui.session.stores import Json, drawn_map_in


@dataclass(frozen=True)
class VersionsOutputs(Outputs):
    """The kept maps to choose from; by default none is offered."""

    choices: list[Choice]
    chosen: str | None = None
    hidden: bool = True
    quality: list[Component | None] | None = None


@dataclass(frozen=True)
class ChooseOutputs(Outputs):
    """The map that was made current."""

    fitted: str | NoUpdate = no_update
    error: Component | None = None


def register(app: Dash, catalog: Catalog) -> None:
    """Register the list of kept maps and the choice among them."""
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
    def list_maps(drawn: Json, collection: Json) -> VersionsOutputs:
        figure = drawn_map_in(drawn)
        if figure is None:
            return VersionsOutputs(choices=[])
        try:
            kept = catalog.services.projector.maps()
        except CasekinError:  # the map's own callbacks show it
            return VersionsOutputs(choices=[])
        shown = next((version for version in kept.maps if version.id == figure.id), None)
        return VersionsOutputs(
            choices=map_choices(kept),
            chosen=figure.id,
            hidden=len(kept.maps) < 2,
            quality=[map_quality(shown, vocabulary_of(collection), _held_out(catalog, shown)), kept_maps(kept)]
            if shown
            else None,
        )


def _held_out(catalog: Catalog, version: MapVersion) -> Mapping[Code, float]:
    try:
        return held_out_of(catalog.manifest(), version)
    except CasekinError:  # the page's header shows it
        return {}


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
    def choose(chosen: str | None, drawn: Json) -> ChooseOutputs:
        figure = drawn_map_in(drawn)
        if chosen is None or figure is None or chosen == figure.id:
            raise PreventUpdate
        try:
            catalog.services.projector.make_current(chosen)
        except CasekinError as error:
            return ChooseOutputs(error=error_box(error, doing=texts.CHOOSING_MAP))
        catalog.forget_map()
        return ChooseOutputs(fitted=chosen)
