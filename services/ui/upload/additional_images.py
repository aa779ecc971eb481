"""Further images of the lesion on the screen: each is encoded and joins the search."""

from typing import Any

from dash import ALL, Dash, Input, Output, State, ctx, no_update
from dash.exceptions import PreventUpdate

from casekin.errors import CasekinError
from services.ui.dash_support.threads import in_thread
from services.ui.presentation import texts
from services.ui.presentation.components import fault
from services.ui.session.service_cache import Catalog
from services.ui.session.state import Further, image_bytes
from services.ui.upload.layout import further_names

MOST = 7
"""Beside the first, as many as a search takes."""


def register(app: Dash, catalog: Catalog) -> None:
    """Tie the second upload to the encoder."""

    @app.callback(
        output={
            "further": Output("further", "data"),
            "emptied": Output("upload-further", "contents"),
            "error": Output("further-error", "children"),
        },
        inputs={
            "contents": Input("upload-further", "contents"),
            "name": State("upload-further", "filename"),
            "held": State("further", "data"),
        },
        prevent_initial_call=True,
    )
    @in_thread
    def add(contents: str | None, name: str | None, held: list[dict[str, Any]] | None) -> dict[str, Any]:
        if contents is None:
            raise PreventUpdate
        try:
            encoded = catalog.services.encoder.encode(image_bytes(contents), reconstruction=False)
        except CasekinError as error:
            return {"further": no_update, "emptied": None, "error": fault(error, doing=f"{texts.ADDING} ({name})")}
        added = Further(name=name or "image", bundle_version=encoded.bundle_version, latent=encoded.latent)
        return {"further": [*(held or []), added.model_dump()][-MOST:], "emptied": None, "error": None}

    @app.callback(
        Output("further", "data", allow_duplicate=True),
        Input("staged", "data"),
        Input({"type": "drop-further", "place": ALL}, "n_clicks"),
        State("further", "data"),
        prevent_initial_call=True,
    )
    async def forget(
        _staged: dict[str, Any] | None, _drops: list[int | None], held: list[dict[str, Any]] | None
    ) -> Any:
        if not held:
            raise PreventUpdate
        if ctx.triggered_id == "staged":
            return None
        # buttons that have just been drawn trigger too, without a click
        if not any(entry["value"] for entry in ctx.triggered):
            raise PreventUpdate
        return [one for place, one in enumerate(held) if place != ctx.triggered_id["place"]]

    @app.callback(Output("further-names", "children"), Input("further", "data"), prevent_initial_call=True)
    async def name(held: list[dict[str, Any]] | None) -> Any:
        return further_names([Further.model_validate(one) for one in held or []])
