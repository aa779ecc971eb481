"""One case in a dialog: opened from a card or from the map, stepped through with buttons and arrow keys."""

from typing import Any

from dash import ALL, Dash, Input, Output, State

from casekin.contracts.paths import url_segment
from casekin.contracts.search import Case, SearchResponse
from casekin.errors import CasekinError
from services.ui.case.layout import case_facts, case_title, contributions
from services.ui.dash_support.clientside import in_browser
from services.ui.dash_support.threads import in_thread
from services.ui.page.collection import dimension_names
from services.ui.presentation import texts
from services.ui.presentation.components import fault
from services.ui.presentation.vocabulary import Vocabulary
from services.ui.session.collection_vocabulary import vocabulary_of
from services.ui.session.service_cache import Catalog
from services.ui.session.state import steering_of

Held = dict[str, Any] | None


def register(app: Dash, catalog: Catalog) -> None:
    """Tie the dialog to cards, map and search."""
    in_browser(
        app,
        "openCase",
        Output("open-case", "data"),
        Input({"type": "match", "id": ALL}, "n_clicks"),
        Input("map", "clickData"),
        Input("case-previous", "n_clicks"),
        Input("case-next", "n_clicks"),
        State("open-case", "data"),
        State("results", "data"),
    )

    @app.callback(
        output={
            "opened": Output("case-modal", "opened"),
            "image": Output("case-image", "src"),
            "alt": Output("case-image", "alt"),
            "caption": Output("case-caption", "children"),
            "title": Output("case-title", "children"),
            "facts": Output("case-facts", "children"),
            "contributions": Output("case-contributions", "children"),
            "place": Output("case-place", "children"),
            "alone": Output("case-steps", "hidden"),
            "error": Output("case-error", "children"),
            "lesion": Output("case-lesion", "data"),
            "not_own": Output("case-own", "hidden"),
            "way": Output("case-way", "children", allow_duplicate=True),
            "way_map": Output("case-way-map", "hidden", allow_duplicate=True),
            "way_make": Output("case-way-make", "hidden", allow_duplicate=True),
            "way_panel": Output("case-way-panel", "hidden"),
        },
        inputs={
            "opening": Input("open-case", "data"),
            "results": State("results", "data"),
            "collection": State("collection", "data"),
            "model": State("model", "data"),
            "asked": State("query", "data"),
            "steered": State("steering", "data"),
            "start": State("start-case", "data"),
        },
        prevent_initial_call=True,
    )
    @in_thread
    def show(
        opening: dict[str, Any],
        results: Held,
        collection: Held,
        model: Held,
        asked: Held,
        steered: Held,
        start: str | None,
    ) -> dict[str, Any]:
        matches = SearchResponse.model_validate(results).matches if results else []
        order = [match.case.id for match in matches]
        place = order.index(opening["id"]) if opening["id"] in order else None
        match = None if place is None else matches[place]
        try:
            case = match.case if match else catalog.services.search.case(opening["id"])
        except CasekinError as error:
            return {**_unknown(opening["id"]), **_no_way(True), "error": fault(error, doing=texts.OPENING_CASE)}
        vocabulary = vocabulary_of(collection)
        own_weights = steering_of(steered).own_weights
        return {
            **_shown(case, vocabulary),
            **_no_way(start == case.id or (asked is None and start is None)),
            "facts": case_facts(case, match, vocabulary, own_weights=own_weights),
            "contributions": contributions(match, dimension_names(model)),
            "place": "" if place is None else f"{place + 1} of {len(order)}",
            "alone": place is None,
            "not_own": asked is None or case.lesion_id is None,
        }


def _shown(case: Case, vocabulary: Vocabulary) -> dict[str, Any]:
    return {
        "opened": True,
        "image": f"/images/{url_segment(case.id)}",
        "alt": f"Case {case.id}, {vocabulary.diagnosis(case.diagnosis)}",
        "caption": f"Case {case.id}",
        "title": case_title(case, vocabulary),
        "lesion": case.lesion_id,
        "error": None,
    }


def _no_way(impossible: bool) -> dict[str, Any]:
    """The way to a case is shown when asked for."""
    return {"way": None, "way_map": True, "way_make": False, "way_panel": impossible}


def _unknown(case_id: str) -> dict[str, Any]:
    nothing = dict.fromkeys(("image", "alt", "caption", "title", "facts", "contributions", "place", "lesion"))
    told = {"opened": True, "alt": f"Case {case_id} could not be read"}
    return {**nothing, **told, "alone": True, "not_own": True}
