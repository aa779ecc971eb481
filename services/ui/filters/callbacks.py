"""Filters: the browser gathers the controls, search counts what is left, chips take conditions away."""

from typing import Any

from dash import ALL, Dash, Input, Output, State, ctx, no_update
from dash.exceptions import PreventUpdate

from casekin.contracts.facets import Facets
from casekin.contracts.search import FACETED
from casekin.errors import CasekinError
from services.ui.dash_support.clientside import in_browser
from services.ui.dash_support.threads import in_thread
from services.ui.filters.chips import active_counts, chips
from services.ui.filters.layout import AGE_SPAN, age_note, column_values, facet_values
from services.ui.presentation import texts
from services.ui.presentation.components import fault
from services.ui.session.collection_vocabulary import vocabulary_of
from services.ui.session.service_cache import Catalog
from services.ui.session.state import Steering, steering_of


def register(app: Dash, catalog: Catalog) -> None:
    """Tie the filter panel to search."""
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
            "clear": Output({"type": "clear", "where": "panel"}, "disabled"),
            "error": Output("facets-error", "children"),
        },
        inputs={
            "steered": Input("steering", "data"),
            "collection": Input("collection", "data"),
            "low": State("filter-age", "min"),
            "high": State("filter-age", "max"),
        },
    )
    @in_thread
    def count(
        steered: dict[str, Any] | None, collection: dict[str, Any] | None, low: float, high: float
    ) -> dict[str, Any]:
        steering = steering_of(steered)
        if collection is None:
            raise PreventUpdate
        vocabulary = vocabulary_of(collection)
        shown = {
            "active": active_counts(steering.filters),
            "chips": chips(steering.filters, vocabulary),
            "clear": not steering.filters.is_set,
        }
        try:
            facets = catalog.services.search.facets(steering.filters.filters())
        except CasekinError as error:
            same = {"values": [no_update] * len(FACETED), "age": dict.fromkeys(("min", "max", "value"), no_update)}
            return {
                **shown,
                **same,
                "columns": no_update,
                "age_note": no_update,
                "passing": no_update,
                "error": fault(error, doing=texts.COUNTING),
            }
        return {
            **shown,
            "values": [facet_values(field, facets, vocabulary, steering.filters) for field in FACETED],
            "columns": column_values(facets, steering.filters),
            "age": _age_span(facets, low, high),
            "age_note": age_note(facets, steering.filters),
            "passing": texts.count(facets.passing, "case"),
            "error": None,
        }


def _age_span(facets: Facets, low: float, high: float) -> dict[str, Any]:
    """The slider spans the ages met, in steps of five years; it is reset only when they change."""
    least = 5 * ((facets.age_min if facets.age_min is not None else AGE_SPAN[0]) // 5)
    most = -5 * (-(facets.age_max if facets.age_max is not None else AGE_SPAN[1]) // 5)
    if (least, most) == (low, high):
        return dict.fromkeys(("min", "max", "value"), no_update)
    return {"min": least, "max": most, "value": [least, most]}


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
            "steered": State("steering", "data"),
            "span": [State("filter-age", "min"), State("filter-age", "max")],
        },
        prevent_initial_call=True,
    )
    async def remove(
        _chips: list[int | None], _clears: list[int | None], steered: dict[str, Any] | None, span: list[float]
    ) -> dict[str, Any]:
        # buttons that have just been drawn trigger too, without a click
        if not ctx.triggered or not ctx.triggered[0]["value"]:
            raise PreventUpdate
        return removed(steering_of(steered), dict(ctx.triggered_id), span)


def removed(steering: Steering, button: dict[str, str], span: list[float]) -> dict[str, Any]:
    """The values of the controls after a click on a chip or on a button that clears all."""
    if button["type"] == "clear":
        return {"values": [[] for _ in FACETED], "columns": [], "age": span}
    field = button["field"]
    if field == "age":
        return {"values": [no_update] * len(FACETED), "columns": no_update, "age": span}
    values: dict[str, Any] = dict.fromkeys((*FACETED, "columns"), no_update)
    values[field] = [code for code in getattr(steering.filters, field) if code != button["value"]]
    columns = values.pop("columns")
    return {"values": list(values.values()), "columns": columns, "age": no_update}
