"""Search: by itself after an upload and after every change of what it is asked."""

from typing import Any

from dash import ALL, Dash, Input, Output, State, ctx
from dash.exceptions import PreventUpdate

from casekin.contracts.search import SearchResponse
from casekin.errors import CasekinError
from services.ui.dash_support.threads import in_thread
from services.ui.filters.chips import conditions
from services.ui.page.collection import dimension_names
from services.ui.presentation import texts
from services.ui.presentation.components import fault
from services.ui.search.match_cards import cards, no_collection, no_matches, start, status
from services.ui.search.neighbour_statistics import statistics
from services.ui.search.own_lesion import own_cases
from services.ui.session.collection_vocabulary import vocabulary_of
from services.ui.session.service_cache import Catalog
from services.ui.session.state import Query, Start, Steering, search_request, slim, steering_of

Held = dict[str, Any] | None
Marks = list[dict[str, Any]] | None


def register(app: Dash, catalog: Catalog) -> None:
    """Tie the matches to search."""

    @app.callback(
        output={
            "results": Output("results", "data"),
            "matches": Output("matches", "children"),
            "status": Output("match-status", "children"),
            "statistics": Output("statistics", "children"),
            "own": Output("own", "children"),
            "before": Output("page-previous", "disabled"),
            "after": Output("page-next", "disabled"),
            "error": Output("search-error", "children"),
        },
        inputs={
            "asked": Input("query", "data"),
            "further": Input("further", "data"),
            "case": Input("start-case", "data"),
            "lesion": Input("own-lesion", "data"),
            "examples": Input("examples", "data"),
            "steered": Input("steering", "data"),
            "collection": Input("collection", "data"),
            "_retry": Input({"type": "retry", "what": ALL}, "n_clicks"),
            "model": State("model", "data"),
            "found": State("results", "data"),
        },
        running=[(Output("matches-panel", "className"), "panel searching", "panel")],
    )
    @in_thread
    def search(
        asked: Held,
        further: Marks,
        case: str | None,
        lesion: str | None,
        examples: Marks,
        steered: Held,
        collection: Held,
        _retry: list[int | None],
        model: Held,
        found: Held,
    ) -> dict[str, Any]:
        if asked is None and case is None:
            return _before(collection)
        if not _wanted(found):
            raise PreventUpdate
        query = Query.model_validate(asked) if asked else None
        marked = {"further": further or [], "examples": examples or []}
        began = Start.model_validate({"query": query, "case": case, "own_lesion": lesion, **marked})
        version = collection["bundle_version"] if collection else ""
        steering = steering_of(steered)
        try:
            response = catalog.services.search.search(search_request(began, steering, version))
        except CasekinError as error:
            return {**_nothing(), "error": fault(error, doing=texts.SEARCHING, retry="search")}
        return _found(response, steering, collection, model)


def _wanted(found: Held) -> bool:
    """Whether a person caused it, or a collection that changed after nothing was `found` in it.

    Matches stay while the collection grows, and a button that has just been drawn was not pressed.
    """
    causes = {prop_id for prop_id in ctx.triggered_prop_ids if not prop_id.startswith("collection.")}
    pressed = any(entry["value"] for entry in ctx.triggered if "retry" in entry["prop_id"])
    hoped = causes != set(ctx.triggered_prop_ids) and found is not None and not found["matches"]
    return pressed or hoped or any("retry" not in cause for cause in causes)


def _nothing() -> dict[str, Any]:
    nothing = dict.fromkeys(("results", "matches", "status", "statistics", "own", "error"))
    return {**nothing, "before": True, "after": True}


def _before(collection: Held) -> dict[str, Any]:
    no_cases = collection is not None and collection["cases"] == 0
    return {**_nothing(), "matches": no_collection() if no_cases else start()}


def _found(response: SearchResponse, steering: Steering, collection: Held, model: Held) -> dict[str, Any]:
    vocabulary = vocabulary_of(collection)
    if response.matches:
        drawn = cards(response, vocabulary, dimension_names(model), steering)
    elif collection is not None and collection["cases"] == 0:
        drawn = no_collection()
    else:
        drawn = no_matches(conditions(steering.filters, vocabulary), response.excluded_by, vocabulary)
    return {
        "results": slim(response),
        "matches": drawn,
        "status": status(response, steering),
        "statistics": statistics(response, vocabulary),
        "own": own_cases(response.own, vocabulary),
        "before": steering.offset == 0,
        "after": not (response.more and steering.has_next_page),
        "error": None,
    }
