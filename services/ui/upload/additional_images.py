"""Additional images of the lesion: each is encoded and joins the search.

The browser sends the files one at a time, so that each request stays below the limit on its size, and adds what comes
back to the store itself: files that are dropped in quick succession then cannot overwrite each other.
"""

from dataclasses import dataclass

from dash import ALL, Dash, Input, NoUpdate, Output, Patch, State, no_update
from dash.development.base_component import Component
from dash.exceptions import PreventUpdate

from casekin.contracts.encoder import EncodeResponse
from casekin.errors import BadInput, CasekinError, WrongLatent
from services.ui.dash_support.clientside import in_browser
from services.ui.dash_support.outputs import Outputs
from services.ui.dash_support.threads import in_thread
from services.ui.presentation import texts
from services.ui.presentation.components import error_box
from services.ui.session.service_cache import Catalog
from services.ui.session.stores import AdditionalImage, Json, JsonList, Query, StagedImage, query_in
from services.ui.upload.callbacks import content_of
from services.ui.upload.layout import additional_image_names

MOST_IMAGES = 8
"""Images of one lesion in a search, the first included."""


@dataclass(frozen=True)
class AddOutputs(Outputs):
    """One image as encoded, or why it was not; `at` of the staged image lets the browser send the next."""

    encoded: dict[str, object]
    errors: Patch | NoUpdate = no_update


def register(app: Dash, catalog: Catalog) -> None:
    """Register the queue of the browser, the encoding and the list of names."""
    in_browser(
        app,
        "addImages",
        Output("additional", "data"),
        Output("upload-additional", "contents"),
        Output("additional-errors", "children"),
        Input("upload-additional", "contents"),
        Input("additional-encoded", "data"),
        Input({"type": "remove-additional", "place": ALL}, "n_clicks"),
        Input("staged", "data"),
        Input("query", "data"),
        State("upload-additional", "filename"),
        State("additional", "data"),
    )

    @app.callback(
        output={
            "encoded": Output("additional-encoded", "data"),
            "errors": Output("additional-errors", "children", allow_duplicate=True),
        },
        inputs={
            "staged": Input("additional-staged", "data"),
            "query": State("query", "data"),
            "additional": State("additional", "data"),
        },
        prevent_initial_call=True,
    )
    @in_thread
    def add(staged: Json, query: Json, additional: JsonList) -> AddOutputs:
        if staged is None:
            raise PreventUpdate
        image = StagedImage.model_validate(staged)
        try:
            encoded = _encoded(catalog, image, query_in(query), len(additional or []))
        except CasekinError as error:
            errors = Patch()
            errors.append(error_box(error, doing=f"{texts.ADDING} ({image.name})"))
            return AddOutputs(encoded={"at": image.at, "image": None}, errors=errors)
        added = AdditionalImage(name=image.name, bundle_version=encoded.bundle_version, latent=encoded.latent)
        return AddOutputs(encoded={"at": image.at, "image": added.model_dump()})

    @app.callback(Output("additional-names", "children"), Input("additional", "data"), prevent_initial_call=True)
    async def list_names(additional: JsonList) -> Component | None:
        return additional_image_names([AdditionalImage.model_validate(one) for one in additional or []])


def _encoded(catalog: Catalog, image: StagedImage, query: Query | None, before: int) -> EncodeResponse:
    """`before` additional images are there already; raises `BadInput` where this one cannot join them."""
    if query is None:
        raise BadInput(texts.NO_FIRST_IMAGE)
    if before >= MOST_IMAGES - 1:
        raise BadInput(texts.TOO_MANY_IMAGES.format(MOST_IMAGES))
    encoded = catalog.services.encoder.encode(content_of(image), reconstruction=False)
    if encoded.bundle_version != query.encoded.bundle_version:
        raise WrongLatent(texts.OTHER_MODEL.format(query.encoded.bundle_version, encoded.bundle_version))
    return encoded
