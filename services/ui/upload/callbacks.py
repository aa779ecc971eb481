"""Upload: the browser stages the file, the encoder reads it, the browser shows it."""

from dataclasses import dataclass

from dash import Dash, Input, Output, State
from dash.development.base_component import Component

from casekin.errors import CasekinError, UploadTooLarge
from services.ui.dash_support.clientside import in_browser
from services.ui.dash_support.outputs import Outputs
from services.ui.dash_support.threads import in_thread
from services.ui.presentation import texts
from services.ui.presentation.components import error_box
from services.ui.security.request_guard import LARGEST_BODY, too_large
from services.ui.session.collection_vocabulary import vocabulary_of
from services.ui.session.data_uri import decoded_data_uri
from services.ui.session.service_cache import Catalog
from services.ui.session.stores import Json, Query, StagedImage, dumped, query_in
from services.ui.upload.layout import class_head, picture_class, quality, query_name


@dataclass(frozen=True)
class QueryOutputs(Outputs):
    """The query and its panel; by default there is none."""

    query: Json = None
    hidden: bool = True
    frame: str = "upload-frame"
    name: list[Component] | None = None
    quality: Component | None = None
    reconstruction: str | None = None
    picture: str = "picture"
    case_picture: str = "picture"
    error: Component | None = None


def register(app: Dash, catalog: Catalog) -> None:
    """Register staging, encoding and the query panel."""
    in_browser(
        app,
        "stage",
        Output("staged", "data"),
        Output("upload", "contents"),
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
            "picture": Output("query-picture", "className"),
            "case_picture": Output("case-query-picture", "className"),
            "error": Output("upload-error", "children"),
        },
        inputs={"staged": Input("staged", "data")},
        running=[(Output("workspace", "className"), "workspace encoding", "workspace")],
        prevent_initial_call=True,
    )
    @in_thread
    def encode(staged: Json) -> QueryOutputs:
        if staged is None:
            return QueryOutputs()
        image = StagedImage.model_validate(staged)
        try:
            encoded = catalog.services.encoder.encode(content_of(image))
        except CasekinError as error:
            # the earlier query goes too: its matches must not be taken for those of this file
            return QueryOutputs(error=error_box(error, doing=f"{texts.UPLOADING} ({image.name})"))
        query = Query(name=image.name, encoded=encoded)
        return QueryOutputs(
            # the reconstruction stays out of the store, which goes back to the server with each search
            query=dumped(Query(name=image.name, encoded=encoded.model_copy(update={"reconstruction": None}))),
            hidden=False,
            frame="upload-frame compact",
            name=query_name(query),
            quality=quality(query),
            reconstruction=encoded.reconstruction,
            picture=picture_class(encoded),
            case_picture=picture_class(encoded),
        )

    @app.callback(
        Output("class-head", "children"),
        Input("query", "data"),
        Input("collection", "data"),  # an upload can be quicker than the collection's names
        prevent_initial_call=True,
    )
    def head(query: Json, collection: Json) -> list[Component] | None:
        image = query_in(query)
        return class_head(image, vocabulary_of(collection)) if image else None


def content_of(image: StagedImage) -> bytes:
    """The bytes of a chosen file; raises `BadInput`, and `UploadTooLarge` where the browser did not send them."""
    if image.contents is None:
        raise too_large_to_send()
    return decoded_data_uri(image.contents)


def too_large_to_send() -> UploadTooLarge:
    """The error for a file above what the page's server accepts."""
    return too_large(LARGEST_BODY)
