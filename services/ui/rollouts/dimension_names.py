"""Renaming a dimension: opened from its rollout, saved under the name of who signed in, undone."""

from dataclasses import dataclass

from dash import ALL, Dash, Input, NoUpdate, Output, State, ctx, no_update
from dash.development.base_component import Component
from dash.exceptions import PreventUpdate
from pydantic import ValidationError

from casekin.contracts.names import NameHistory, Renaming
from casekin.errors import BadInput, CasekinError
from services.ui.dash_support.outputs import Outputs
from services.ui.dash_support.threads import in_thread
from services.ui.presentation import texts
from services.ui.presentation.components import error_box
from services.ui.presentation.vocabulary import Vocabulary
from services.ui.rollouts.dimension_names_layout import name_history
from services.ui.security.basic_auth import CURRENT_USER
from services.ui.session.collection_vocabulary import vocabulary_of
from services.ui.session.service_cache import Catalog
from services.ui.session.stores import Json, Model, dumped, model_in


@dataclass(frozen=True)
class DialogOutputs(Outputs):
    """The dialog for one dimension."""

    dimension: int
    text: str
    history: Component | None = None
    undo_disabled: bool = True
    error: Component | None = None
    opened: bool = True


@dataclass(frozen=True)
class ChangeOutputs(Outputs):
    """The dialog and the store of the model after a change; by default nothing changes."""

    model: Json | NoUpdate = no_update
    text: str | NoUpdate = no_update
    history: Component | NoUpdate = no_update
    undo_disabled: bool | NoUpdate = no_update
    error: Component | None = None


def register(app: Dash, catalog: Catalog) -> None:
    """Register the dialog."""
    _register_open(app, catalog)
    _register_change(app, catalog)


def _register_open(app: Dash, catalog: Catalog) -> None:
    @app.callback(
        output={
            "opened": Output("name-modal", "opened"),
            "dimension": Output("named-dimension", "data"),
            "text": Output("name-text", "value"),
            "history": Output("name-history", "children"),
            "undo_disabled": Output("name-undo", "disabled"),
            "error": Output("name-error", "children"),
        },
        inputs={
            "_opened": Input({"type": "rename", "dimension": ALL}, "n_clicks"),
            "model": State("model", "data"),
            "collection": State("collection", "data"),
        },
        prevent_initial_call=True,
    )
    @in_thread
    def open_dialog(_opened: list[int | None], model: Json, collection: Json) -> DialogOutputs:
        known = model_in(model)
        if known is None or not any(entry["value"] for entry in ctx.triggered):
            raise PreventUpdate
        dimension: int = ctx.triggered_id["dimension"]
        shown = known.dimensions[dimension]
        try:
            history = catalog.services.projector.name_history(dimension)
        except CasekinError as error:
            return DialogOutputs(dimension, shown, error=error_box(error, doing=texts.RENAMING))
        drawn = name_history(history, vocabulary_of(collection), dict(enumerate(known.evidence)).get(dimension, ""))
        return DialogOutputs(dimension, shown, drawn, undo_disabled=known.names[dimension] == history.default)


def _register_change(app: Dash, catalog: Catalog) -> None:
    @app.callback(
        output={
            "model": Output("model", "data", allow_duplicate=True),
            "text": Output("name-text", "value", allow_duplicate=True),
            "history": Output("name-history", "children", allow_duplicate=True),
            "undo_disabled": Output("name-undo", "disabled", allow_duplicate=True),
            "error": Output("name-error", "children", allow_duplicate=True),
        },
        inputs={
            "_save": Input("name-save", "n_clicks"),
            "_enter": Input("name-text", "n_submit"),
            "_undo": Input("name-undo", "n_clicks"),
            "text": State("name-text", "value"),
            "dimension": State("named-dimension", "data"),
            "model": State("model", "data"),
            "collection": State("collection", "data"),
        },
        prevent_initial_call=True,
    )
    @in_thread
    def change(
        _save: int | None,
        _enter: int | None,
        _undo: int | None,
        text: str,
        dimension: int | None,
        model: Json,
        collection: Json,
    ) -> ChangeOutputs:
        known = model_in(model)
        if dimension is None or known is None:
            raise PreventUpdate
        projector = catalog.services.projector
        try:
            if ctx.triggered_id == "name-undo":
                done = projector.undo_name(dimension, known.names[dimension], user=CURRENT_USER.get())
            else:
                done = projector.rename(dimension, valid_name(text), user=CURRENT_USER.get())
            history = projector.name_history(dimension)
        except CasekinError as error:
            return ChangeOutputs(error=error_box(error, doing=texts.RENAMING))
        catalog.forget_names()
        return _changed(known, dimension, done.name, history, vocabulary_of(collection))


def _changed(model: Model, dimension: int, name: str, history: NameHistory, vocabulary: Vocabulary) -> ChangeOutputs:
    names, shown = list(model.names), list(model.dimensions)
    names[dimension], shown[dimension] = name, vocabulary.dimension(name)
    # Evidence is for the model's own name only; the next reading of the model brings that of an undone one back.
    evidence = ["" if index == dimension else text for index, text in enumerate(model.evidence)]
    return ChangeOutputs(
        model=dumped(model.model_copy(update={"names": names, "dimensions": shown, "evidence": evidence})),
        text=shown[dimension],
        history=name_history(history, vocabulary),
        undo_disabled=name == history.default,
    )


def valid_name(text: str) -> str:
    """A name for a dimension as it may be sent; raises `BadInput`."""
    try:
        return Renaming(name=text).name
    except ValidationError as error:
        raise BadInput("a name is one line of 1 to 60 characters; change it") from error
