"""One case in a dialog: opened from a card, the map or a step, stepped through with buttons and arrow keys."""

from dataclasses import dataclass

from dash import ALL, Dash, Input, Output, State
from dash.development.base_component import Component

from casekin.contracts.cases import Case
from casekin.contracts.paths import url_segment
from casekin.contracts.search import Match, SearchResponse
from casekin.errors import CasekinError
from services.ui.case.layout import case_facts, case_title, contributions
from services.ui.dash_support.clientside import in_browser
from services.ui.dash_support.outputs import Outputs
from services.ui.dash_support.threads import in_thread
from services.ui.presentation import texts
from services.ui.presentation.components import error_box
from services.ui.session.collection_vocabulary import vocabulary_of
from services.ui.session.search_request import steering_in
from services.ui.session.service_cache import Catalog
from services.ui.session.stores import Json, OpenCase, dimension_names, results_in


@dataclass(frozen=True)
class CaseOutputs(Outputs):
    """The dialog; by default it is open, with a case that could not be read. No path is shown until requested."""

    alt: str
    opened: bool = True
    image: str | None = None
    caption: str | None = None
    title: list[Component] | None = None
    facts: Component | None = None
    contributions: list[Component] | None = None
    place: str | None = None
    steps_hidden: bool = True
    error: Component | None = None
    lesion: str | None = None
    own_hidden: bool = True
    path: Component | None = None
    path_map_hidden: bool = True
    path_make_hidden: bool = False
    path_hidden: bool = True


def register(app: Dash, catalog: Catalog) -> None:
    """Register opening and filling the dialog."""
    in_browser(
        app,
        "openCase",
        Output("open-case", "data"),
        Input({"type": "match", "id": ALL}, "n_clicks"),
        Input({"type": "real-case", "id": ALL, "at": ALL}, "n_clicks"),
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
            "steps_hidden": Output("case-steps", "hidden"),
            "error": Output("case-error", "children"),
            "lesion": Output("case-lesion", "data"),
            "own_hidden": Output("case-own", "hidden"),
            "path": Output("case-path", "children", allow_duplicate=True),
            "path_map_hidden": Output("case-path-map", "hidden", allow_duplicate=True),
            "path_make_hidden": Output("case-path-make", "hidden", allow_duplicate=True),
            "path_hidden": Output("case-path-panel", "hidden"),
        },
        inputs={
            "opening": Input("open-case", "data"),
            "results": State("results", "data"),
            "collection": State("collection", "data"),
            "model": State("model", "data"),
            "query": State("query", "data"),
            "steering": State("steering", "data"),
            "start": State("start-case", "data"),
        },
        prevent_initial_call=True,
    )
    @in_thread
    def show(
        opening: Json, results: Json, collection: Json, model: Json, query: Json, steering: Json, start: str | None
    ) -> CaseOutputs:
        case_id = OpenCase.model_validate(opening).id
        place, matches = _place(case_id, results_in(results))
        match = None if place is None else matches[place]
        try:
            case = match.case if match else catalog.services.search.case(case_id)
        except CasekinError as error:
            box = error_box(error, doing=texts.OPENING_CASE)
            return CaseOutputs(alt=f"Case {case_id} could not be read", error=box)
        vocabulary = vocabulary_of(collection)
        own_weights = steering_in(steering).has_own_weights
        return CaseOutputs(
            image=f"/images/{url_segment(case.id)}",
            alt=f"Case {case.id}, {vocabulary.diagnosis(case.diagnosis)}",
            caption=f"Case {case.id}",
            title=case_title(case, vocabulary),
            facts=case_facts(case, match, vocabulary, own_weights=own_weights),
            contributions=contributions(match, dimension_names(model)),
            place="" if place is None else f"{place + 1} of {len(matches)}",
            steps_hidden=place is None,
            lesion=case.lesion_id,
            own_hidden=query is None or case.lesion_id is None,
            path_hidden=_has_no_path(case, query, start),
        )


def _place(case_id: str, results: SearchResponse | None) -> tuple[int | None, list[Match]]:
    """Where a case is among the matches, and all of these."""
    matches = results.matches if results else []
    return next((place for place, match in enumerate(matches) if match.case.id == case_id), None), matches


def _has_no_path(case: Case, query: Json, start: str | None) -> bool:
    """Whether there is nothing that a path to the case could start from."""
    return start == case.id or (query is None and start is None)
