"""Naming a dimension: opened from its rollout, saved under the name of who signed in, taken back."""

from typing import Any

from dash import ALL, Dash, Input, Output, State, ctx, no_update
from dash.exceptions import PreventUpdate

from casekin.contracts.names import NameHistory
from casekin.errors import CasekinError
from services.ui.dash_support.threads import in_thread
from services.ui.page.collection import dimension_names
from services.ui.presentation import texts
from services.ui.presentation.components import fault
from services.ui.rollouts.dimension_names_layout import name_history
from services.ui.security.basic_auth import ACTING
from services.ui.session.service_cache import Catalog
from services.ui.session.state import checked_name

Held = dict[str, Any] | None


def register(app: Dash, catalog: Catalog) -> None:
    """Tie the dialog to the projector's names."""
    _register_open(app, catalog)
    _register_change(app, catalog)


def _register_open(app: Dash, catalog: Catalog) -> None:
    @app.callback(
        output={
            "opened": Output("name-modal", "opened"),
            "dimension": Output("naming", "data"),
            "text": Output("name-text", "value"),
            "history": Output("name-history", "children"),
            "nothing": Output("name-undo", "disabled"),
            "error": Output("name-error", "children"),
        },
        inputs={"_opened": Input({"type": "rename", "dimension": ALL}, "n_clicks"), "model": State("model", "data")},
        prevent_initial_call=True,
    )
    @in_thread
    def open_dialog(_opened: list[int | None], model: Held) -> dict[str, Any]:
        if not any(entry["value"] for entry in ctx.triggered):
            raise PreventUpdate
        dimension = ctx.triggered_id["dimension"]
        name = dimension_names(model)[dimension]
        bare = {"opened": True, "dimension": dimension, "text": name, "error": None}
        try:
            history = catalog.services.projector.name_history(dimension)
        except CasekinError as error:
            return {**bare, "history": None, "nothing": True, "error": fault(error, doing=texts.NAMING)}
        return {**bare, **_told(history, name)}


def _register_change(app: Dash, catalog: Catalog) -> None:
    @app.callback(
        output={
            "model": Output("model", "data", allow_duplicate=True),
            "text": Output("name-text", "value", allow_duplicate=True),
            "history": Output("name-history", "children", allow_duplicate=True),
            "nothing": Output("name-undo", "disabled", allow_duplicate=True),
            "error": Output("name-error", "children", allow_duplicate=True),
        },
        inputs={
            "_save": Input("name-save", "n_clicks"),
            "_enter": Input("name-text", "n_submit"),
            "_undo": Input("name-undo", "n_clicks"),
            "text": State("name-text", "value"),
            "dimension": State("naming", "data"),
            "model": State("model", "data"),
        },
        prevent_initial_call=True,
    )
    @in_thread
    def change(
        _save: int | None, _enter: int | None, _undo: int | None, text: str, dimension: int | None, model: Held
    ) -> dict[str, Any]:
        if dimension is None or model is None:
            raise PreventUpdate
        projector, names = catalog.services.projector, list(model["dimensions"])
        try:
            if ctx.triggered_id == "name-undo":
                done = projector.undo_name(dimension, names[dimension], user=ACTING.get())
            else:
                done = projector.rename(dimension, checked_name(text), user=ACTING.get())
            history = projector.name_history(dimension)
        except CasekinError as error:
            kept = {"model": no_update, "text": no_update, "history": no_update, "nothing": no_update}
            return {**kept, "error": fault(error, doing=texts.NAMING)}
        catalog.forget_names()
        names[dimension] = done.name
        told = _told(history, done.name)
        return {"model": {**model, "dimensions": names}, "text": done.name, "error": None, **told}


def _told(history: NameHistory, name: str) -> dict[str, Any]:
    return {"history": name_history(history), "nothing": name == history.default}
