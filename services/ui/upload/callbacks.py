"""Upload: the browser stages the file, the encoder reads it, the browser shows it."""

from typing import Any

from dash import Dash, Input, Output, State
from dash.development.base_component import Component

from casekin.errors import CasekinError
from services.ui.dash_support.clientside import in_browser
from services.ui.dash_support.threads import in_thread
from services.ui.presentation import texts
from services.ui.presentation.components import fault
from services.ui.session.collection_vocabulary import vocabulary_of
from services.ui.session.service_cache import Catalog
from services.ui.session.state import Query, image_bytes
from services.ui.upload.layout import class_head, quality, query_name


def register(app: Dash, catalog: Catalog) -> None:
    """Tie the upload panel to the encoder."""
    in_browser(
        app,
        "stage",
        Output("staged", "data"),
        Output("upload", "contents"),
        Output("upload-too-large", "hidden"),
        Input("upload", "contents"),
        Input("forget", "n_clicks"),
        State("upload", "filename"),
    )
    in_browser(
        app,
        "showQuery",
        Output("query-image", "src"),
        Output("case-query-image", "src"),
        Output("case-query", "hidden"),
        Input("query", "data"),
        State("staged", "data"),
        at_start=True,
    )

    @app.callback(
        output={
            "query": Output("query", "data"),
            "hidden": Output("query-panel", "hidden"),
            "frame": Output("upload-frame", "className"),
            "name": Output("query-name", "children"),
            "quality": Output("quality", "children"),
            "reconstruction": Output("reconstruction", "src"),
            "error": Output("upload-error", "children"),
        },
        inputs={"staged": Input("staged", "data")},
        running=[(Output("workspace", "className"), "workspace encoding", "workspace")],
        prevent_initial_call=True,
    )
    @in_thread
    def encode(staged: dict[str, Any] | None) -> dict[str, Any]:
        if staged is None:
            return _forgotten()
        try:
            encoded = catalog.services.encoder.encode(image_bytes(staged["contents"]))
        except CasekinError as error:
            # the earlier query goes too: its matches must not be taken for those of this file
            return {**_forgotten(), "error": fault(error, doing=f"{texts.UPLOADING} ({staged['name']})")}
        query = Query(name=staged["name"], encoded=encoded)
        return _shown(query)

    @app.callback(
        Output("class-head", "children"),
        Input("query", "data"),
        Input("collection", "data"),  # an upload can be quicker than the collection's names
        prevent_initial_call=True,
    )
    def head(asked: dict[str, Any] | None, collection: dict[str, Any] | None) -> list[Component] | None:
        return class_head(Query.model_validate(asked), vocabulary_of(collection)) if asked else None


def _forgotten() -> dict[str, Any]:
    nothing = dict.fromkeys(("query", "name", "quality", "reconstruction", "error"))
    return {**nothing, "hidden": True, "frame": "upload-frame"}


def _shown(query: Query) -> dict[str, Any]:
    kept = Query(name=query.name, encoded=query.encoded.model_copy(update={"reconstruction": None}))
    return {
        "query": kept.model_dump(mode="json"),
        "hidden": False,
        "frame": "upload-frame compact",
        "name": query_name(query),
        "quality": quality(query),
        "reconstruction": query.encoded.reconstruction,
        "error": None,
    }
