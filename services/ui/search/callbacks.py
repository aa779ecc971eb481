"""Search: runs after an upload and after every change of what is searched for."""

from dataclasses import dataclass
from typing import TypedDict

from dash import ALL, Dash, Input, NoUpdate, Output, State, ctx
from dash.development.base_component import Component
from dash.exceptions import PreventUpdate

from casekin.contracts.collection import Collection
from casekin.contracts.search import SearchResponse
from casekin.errors import CasekinError
from services.ui.dash_support.outputs import Outputs
from services.ui.dash_support.threads import in_thread
from services.ui.filters.chips import condition_texts
from services.ui.presentation import texts
from services.ui.presentation.components import error_box
from services.ui.presentation.vocabulary import Vocabulary
from services.ui.search.match_cards import cards, no_collection, no_matches, start, status
from services.ui.search.neighbour_statistics import statistics
from services.ui.search.own_lesion import own_cases
from services.ui.session.collection_vocabulary import vocabulary_of
from services.ui.session.search_request import Steering, rounded, search_request, steering_in
from services.ui.session.service_cache import Catalog
from services.ui.session.stores import Json, JsonList, SearchStart, collection_in, dimension_names


@dataclass(frozen=True)
class SearchOutputs(Outputs):
    """Matches and what stands around them; by default nothing is shown."""

    results: Json | NoUpdate = None
    matches: Component | None = None
    status: str | None = None
    statistics: Component | None = None
    own: Component | None = None
    previous_disabled: bool = True
    next_disabled: bool = True
    error: Component | None = None


class Trigger(TypedDict):
    """An entry of Dash's ``ctx.triggered``."""

    prop_id: str
    value: object


def register(app: Dash, catalog: Catalog) -> None:
    """Register the search."""

    @app.callback(
        output={
            "results": Output("results", "data"),
            "matches": Output("matches", "children"),
            "status": Output("match-status", "children"),
            "statistics": Output("statistics", "children"),
            "own": Output("own", "children"),
            "previous_disabled": Output("page-previous", "disabled"),
            "next_disabled": Output("page-next", "disabled"),
            "error": Output("search-error", "children"),
        },
        inputs={
            "query": Input("query", "data"),
            "additional": Input("additional", "data"),
            "case": Input("start-case", "data"),
            "lesion": Input("own-lesion", "data"),
            "examples": Input("examples", "data"),
            "steering": Input("steering", "data"),
            "collection": Input("collection", "data"),
            "_retry": Input({"type": "retry", "what": ALL}, "n_clicks"),
            "model": State("model", "data"),
            "results": State("results", "data"),
        },
        running=[(Output("matches-panel", "className"), "panel searching", "panel")],
    )
    @in_thread
    def search(
        query: Json,
        additional: JsonList,
        case: str | None,
        lesion: str | None,
        examples: JsonList,
        steering: Json,
        collection: Json,
        _retry: list[int | None],
        model: Json,
        results: Json,
    ) -> SearchOutputs:
        known = collection_in(collection)
        if query is None and case is None:
            return SearchOutputs(matches=no_collection() if known and known.cases == 0 else start())
        if not _is_due(ctx.triggered, found_nothing=results is not None and not results["matches"]):
            raise PreventUpdate
        lists = {"additional": additional or [], "examples": examples or []}
        begin = SearchStart.model_validate({"query": query, "case": case, "own_lesion": lesion, **lists})
        steered = steering_in(steering)
        request = search_request(begin, steered, known.bundle_version if known else "")
        try:
            response = catalog.services.search.search(request)
        except CasekinError as error:
            return SearchOutputs(error=error_box(error, doing=texts.SEARCHING, retry="search"))
        of_case = request.case is not None
        return _found(response, steered, known, vocabulary_of(collection), dimension_names(model), of_case=of_case)


def _is_due(triggers: list[Trigger], *, found_nothing: bool) -> bool:
    """Whether a user caused the call, or the collection changed after a search `found_nothing` in it.

    Matches stay while the collection grows, and a button that has just been drawn was not pressed.
    """
    changed = [entry for entry in triggers if not entry["prop_id"].startswith("collection.")]
    presses = [entry for entry in changed if "retry" in entry["prop_id"]]
    if any(entry["value"] and '"search"' in entry["prop_id"] for entry in presses) or len(presses) < len(changed):
        return True
    return found_nothing and len(changed) < len(triggers)


def _found(
    response: SearchResponse,
    steering: Steering,
    collection: Collection | None,
    vocabulary: Vocabulary,
    names: list[str],
    *,
    of_case: bool,
) -> SearchOutputs:
    if response.matches:
        shown = cards(response, vocabulary, names, steering)
    elif collection is not None and collection.cases == 0:
        shown = no_collection()
    else:
        shown = no_matches(condition_texts(steering.filters, vocabulary), response.excluded_by, vocabulary)
    return SearchOutputs(
        results=rounded(response),
        matches=shown,
        status=status(response, steering),
        statistics=statistics(response, vocabulary, of_case=of_case),
        own=own_cases(response.own, vocabulary),
        previous_disabled=steering.offset == 0,
        next_disabled=not (response.more and steering.has_next_page),
    )
