"""Filters: the browser gathers the controls, search counts the cases, chips remove conditions."""

from dataclasses import dataclass
from typing import TypedDict

from dash import ALL, Dash, Input, NoUpdate, Output, State, ctx, no_update
from dash.development.base_component import Component
from dash.exceptions import PreventUpdate

from casekin.contracts.cases import FACETED
from casekin.contracts.facets import Facets
from casekin.errors import CasekinError
from services.ui.dash_support.clientside import in_browser
from services.ui.dash_support.outputs import Outputs
from services.ui.dash_support.threads import in_thread
from services.ui.filters.chips import active_counts, chips
from services.ui.filters.layout import (
    AGE_SPAN,
    OptionGroup,
    age_note,
    column_values,
    facet_values,
    uncounted_values,
)
from services.ui.presentation import texts
from services.ui.presentation.components import error_box
from services.ui.session.collection_vocabulary import vocabulary_of
from services.ui.session.search_request import Steering, steering_in
from services.ui.session.service_cache import Catalog
from services.ui.session.stores import Json

Values = list[Component] | NoUpdate


class AgeSpan(TypedDict):
    """Properties of the age slider."""

    min: float | NoUpdate
    max: float | NoUpdate
    value: list[float] | NoUpdate


@dataclass(frozen=True)
class CountOutputs(Outputs):
    """The panel with its counts; the defaults leave as they are what cannot be counted."""

    values: list[Values]
    active: list[str]
    chips: list[Component]
    clear_disabled: bool
    age: AgeSpan
    columns: list[OptionGroup] | NoUpdate = no_update
    age_note: str | NoUpdate = no_update
    passing: str | NoUpdate = no_update
    error: Component | None = None


@dataclass(frozen=True)
class RemovalOutputs(Outputs):
    """Values of the controls after a condition was removed."""

    values: list[list[str] | NoUpdate]
    columns: list[str] | NoUpdate = no_update
    age: list[float] | NoUpdate = no_update


def register(app: Dash, catalog: Catalog) -> None:
    """Register the filter panel."""
    _register_steering(app)
    _register_counts(app, catalog)
    _register_removal(app)


def _register_steering(app: Dash) -> None:
    # debounced in the browser, so that five quick clicks are one search
    in_browser(
        app,
        "steer",
        *[Input(f"filter-{field}", "value") for field in FACETED],
        *[Input(f"mode-{field}", "value") for field in (*FACETED, "columns")],
        Input("filter-columns", "value"),
        Input("filter-age", "value"),
        Input("keep-unknown", "checked"),
        Input("any-field", "checked"),
        Input("preset", "value"),
        Input("weights", "data"),
        Input("k", "value"),
        Input("one-per-lesion", "checked"),
        Input("diversity", "value"),
        Input("sort", "value"),
        State("filter-age", "min"),
        State("filter-age", "max"),
        State("steering", "data"),
    )

    @app.callback(Output("preset-hint", "children"), Input("preset", "value"), prevent_initial_call=True)
    async def hint(preset: str) -> str:
        return texts.WEIGHTS_HINTS[preset]


def _register_counts(app: Dash, catalog: Catalog) -> None:
    @app.callback(
        output={
            "values": [Output(f"filter-{field}", "children") for field in FACETED],
            "columns": Output("filter-columns", "data"),
            "active": [Output(f"active-{field}", "children") for field in texts.FIELDS],
            "age": {part: Output("filter-age", part) for part in ("min", "max", "value")},
            "age_note": Output("age-note", "children"),
            "passing": Output("passing", "children"),
            "chips": Output("chips", "children"),
            "clear_disabled": Output({"type": "clear", "where": "panel"}, "disabled"),
            "error": Output("facets-error", "children"),
        },
        inputs={
            "steering": Input("steering", "data"),
            "collection": Input("collection", "data"),
            "_retry": Input({"type": "retry", "what": ALL}, "n_clicks"),
            "low": State("filter-age", "min"),
            "high": State("filter-age", "max"),
            "shown": [State(f"filter-{field}", "children") for field in FACETED],
        },
    )
    @in_thread
    def count(
        steering: Json, collection: Json, _retry: list[int | None], low: float, high: float, shown: list[object]
    ) -> CountOutputs:
        if collection is None or not _is_due():
            raise PreventUpdate
        panel, vocabulary = steering_in(steering).filters, vocabulary_of(collection)
        active, drawn = active_counts(panel), chips(panel, vocabulary)
        try:
            facets = catalog.services.search.facets(panel.filters())
        except CasekinError as error:
            # what can be chosen is known without the counts; what is shown already stays
            values: list[Values] = [
                no_update if drawn_before else uncounted_values(field, vocabulary, panel)
                for field, drawn_before in zip(FACETED, shown, strict=True)
            ]
            same = AgeSpan(min=no_update, max=no_update, value=no_update)
            box = error_box(error, doing=texts.COUNTING, retry="facets", always=True)
            return CountOutputs(values, active, drawn, not panel.is_set, same, passing=texts.UNCOUNTED, error=box)
        return CountOutputs(
            values=[facet_values(field, facets, vocabulary, panel) for field in FACETED],
            active=active,
            chips=drawn,
            clear_disabled=not panel.is_set,
            age=_age_span(facets, low, high),
            columns=column_values(facets, panel),
            age_note=age_note(facets, panel),
            passing=texts.count(facets.passing, "case"),
        )


def _is_due() -> bool:
    """Whether anything but a button that was not pressed, or that repeats something else, caused the call."""
    cause = ctx.triggered_id
    return not isinstance(cause, dict) or (cause["what"] == "facets" and bool(ctx.triggered[0]["value"]))


def _age_span(facets: Facets, low: float, high: float) -> AgeSpan:
    """The slider spans all ages of the collection, in steps of five years; it is reset only when these change."""
    least = 5 * ((facets.age_min if facets.age_min is not None else AGE_SPAN[0]) // 5)
    most = -5 * (-(facets.age_max if facets.age_max is not None else AGE_SPAN[1]) // 5)
    if (least, most) == (low, high):
        return AgeSpan(min=no_update, max=no_update, value=no_update)
    return AgeSpan(min=least, max=most, value=[least, most])


def _register_removal(app: Dash) -> None:
    @app.callback(
        output={
            "values": [Output(f"filter-{field}", "value") for field in FACETED],
            "columns": Output("filter-columns", "value"),
            "age": Output("filter-age", "value", allow_duplicate=True),
        },
        inputs={
            "_chips": Input({"type": "chip", "field": ALL, "value": ALL}, "n_clicks"),
            "_clears": Input({"type": "clear", "where": ALL}, "n_clicks"),
            "steering": State("steering", "data"),
            "span": [State("filter-age", "min"), State("filter-age", "max")],
        },
        prevent_initial_call=True,
    )
    @in_thread
    def remove(
        _chips: list[int | None], _clears: list[int | None], steering: Json, span: list[float]
    ) -> RemovalOutputs:
        # buttons that have just been drawn trigger too, without a click
        if not ctx.triggered or not ctx.triggered[0]["value"]:
            raise PreventUpdate
        return without_condition(steering_in(steering), dict(ctx.triggered_id), span)


def without_condition(steering: Steering, button: dict[str, str], span: list[float]) -> RemovalOutputs:
    """The values of the controls after a click on a chip or on a button that clears all."""
    if button["type"] == "clear":
        return RemovalOutputs([[] for _ in FACETED], columns=[], age=span)
    field = button["field"]
    if field == "age":
        return RemovalOutputs([no_update] * len(FACETED), age=span)
    left = [code for code in steering.filters.codes(field) if code != button["value"]]
    values: list[list[str] | NoUpdate] = [left if name == field else no_update for name in FACETED]
    return RemovalOutputs(values, columns=left if field == "columns" else no_update)
