"""Collection, model and state of the services: read at the start and every fifteen seconds."""

from dataclasses import dataclass

from dash import Dash, Input, NoUpdate, Output, State, no_update
from dash.development.base_component import Component

from casekin.contracts.bundle import BundleManifest
from casekin.contracts.collection import Collection
from casekin.errors import CasekinError, WrongLatent
from services.ui.dash_support.outputs import Outputs
from services.ui.dash_support.polling import paused_while_awaited
from services.ui.dash_support.threads import in_thread
from services.ui.page.header import collection_title, service_state
from services.ui.page.sources import source_notices
from services.ui.presentation import texts
from services.ui.presentation.components import error_box
from services.ui.presentation.evidence import evidence_by_dimension
from services.ui.presentation.vocabulary import Vocabulary
from services.ui.session.service_cache import Catalog
from services.ui.session.stores import Json, Model, dumped


@dataclass(frozen=True)
class PollOutputs(Outputs):
    """Stores and header after a poll."""

    state: list[Component]
    collection: Json | NoUpdate = no_update
    title: list[Component] | NoUpdate = no_update
    sources: list[Component] | NoUpdate = no_update
    model: Json | NoUpdate = no_update
    version: str | NoUpdate = no_update
    notice: Component | None = None


def register(app: Dash, catalog: Catalog) -> None:
    """Register the poll that fills the header and the stores of collection and model."""

    @app.callback(
        output={
            "collection": Output("collection", "data"),
            "title": Output("collection-title", "children"),
            "sources": Output("sources", "children"),
            "state": Output("service-state", "children"),
            "model": Output("model", "data"),
            "version": Output("model-version", "children"),
            "notice": Output("collection-notice", "children"),
        },
        inputs={
            "_": Input("collection-poll", "n_intervals"),
            "collection": State("collection", "data"),
            "model": State("model", "data"),
        },
        running=paused_while_awaited("collection-poll", resumes=True),
    )
    @in_thread
    def poll(_: int | None, collection: Json, model: Json) -> PollOutputs:
        current, error = _collection(catalog)
        manifest = _manifest(catalog)
        new_collection = dumped(current)
        new_model = dumped(_model(catalog, manifest, current)) if manifest else None
        notice = _mismatch(manifest, current)
        if error is not None and collection is None:  # a collection that is shown stays
            notice = error_box(error, doing=texts.READING_COLLECTION)
        return PollOutputs(
            state=service_state(catalog.readiness()),
            collection=no_update if new_collection in (None, collection) else new_collection,
            title=collection_title(current) if current else no_update,
            sources=source_notices(current.info) if current else no_update,
            model=no_update if new_model in (None, model) else new_model,
            version=f"Model {manifest.version}" if manifest else no_update,
            notice=notice,
        )


def _collection(catalog: Catalog) -> tuple[Collection | None, CasekinError | None]:
    try:
        return catalog.collection(), None
    except CasekinError as error:
        return None, error


def _manifest(catalog: Catalog) -> BundleManifest | None:
    try:
        return catalog.manifest()
    except CasekinError:  # the state of the services shows it
        return None


def _model(catalog: Catalog, manifest: BundleManifest, collection: Collection | None) -> Model:
    names = catalog.names()
    vocabulary = Vocabulary(collection.info) if collection else None
    shown = [vocabulary.dimension(name) for name in names] if vocabulary else names
    return Model(
        version=manifest.version,
        names=names,
        dimensions=shown,
        clinical=manifest.clinical_weights,
        evidence=evidence_by_dimension(manifest.dimensions, names),
    )


def _mismatch(manifest: BundleManifest | None, collection: Collection | None) -> Component | None:
    """An encoder and a collection of different bundles cannot serve a search together."""
    if manifest is None or collection is None or manifest.version == collection.bundle_version:
        return None
    detail = texts.OTHER_BUNDLE.format(manifest.version, collection.bundle_version)
    return error_box(WrongLatent(detail), doing=texts.SEARCHING)
