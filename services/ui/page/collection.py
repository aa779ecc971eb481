"""Collection, model and state of the services: asked at the start and every fifteen seconds."""

from typing import Any

from dash import Dash, Input, Output, State, no_update
from dash.development.base_component import Component

from casekin.errors import CasekinError, WrongLatent
from services.ui.dash_support.threads import in_thread
from services.ui.page.header import collection_title, service_state
from services.ui.presentation import texts
from services.ui.presentation.components import fault
from services.ui.session.service_cache import Catalog


def register(app: Dash, catalog: Catalog) -> None:
    """Tie the head of the page to the services."""

    @app.callback(
        output={
            "collection": Output("collection", "data"),
            "title": Output("collection-title", "children"),
            "state": Output("service-state", "children"),
            "model": Output("model", "data"),
            "version": Output("model-version", "children"),
            "notice": Output("collection-notice", "children"),
        },
        inputs={
            "_": Input("collection-poll", "n_intervals"),
            "held": State("collection", "data"),
            "model": State("model", "data"),
        },
    )
    @in_thread
    def poll(_: int | None, held: dict[str, Any] | None, model: dict[str, Any] | None) -> dict[str, Any]:
        answer = {"state": service_state(catalog.readiness()), **_model(catalog, model), **_collection(catalog, held)}
        return answer if answer["notice"] else {**answer, "notice": _mismatch(catalog)}


def _collection(catalog: Catalog, held: dict[str, Any] | None) -> dict[str, Any]:
    try:
        collection = catalog.collection()
    except CasekinError as error:
        notice = fault(error, doing=texts.READING_COLLECTION)
        return {"collection": no_update, "title": no_update, "notice": None if held else notice}
    data = collection.model_dump(mode="json")
    return {"collection": no_update if data == held else data, "title": collection_title(collection), "notice": None}


def _model(catalog: Catalog, held: dict[str, Any] | None) -> dict[str, Any]:
    try:
        manifest, names = catalog.manifest(), catalog.names()
    except CasekinError:
        return {"model": no_update, "version": no_update}
    model = {"version": manifest.version, "dimensions": names, "clinical": manifest.clinical_weights}
    return {"model": no_update if model == held else model, "version": f"Model {manifest.version}"}


def _mismatch(catalog: Catalog) -> Component | None:
    """An encoder and a collection of different bundles cannot serve a search together."""
    try:
        encoder, indexed = catalog.manifest().version, catalog.collection().bundle_version
    except CasekinError:  # said elsewhere on the page
        return None
    if encoder == indexed:
        return None
    return fault(WrongLatent(texts.OTHER_BUNDLE.format(encoder, indexed)), doing=texts.SEARCHING)


def dimension_names(model: dict[str, Any] | None) -> list[str]:
    """Names of the latent's dimensions as the browser holds them."""
    return list(model["dimensions"]) if model else []
