"""The matches as cards, and the diagnoses among them."""

from collections import Counter

import dash_mantine_components as dmc
from dash import html
from dash.development.base_component import Component

from casekin.contracts.conditions import leaves
from casekin.contracts.paths import url_segment
from casekin.contracts.search import ConditionEffect, Match, SearchResponse
from services.ui.presentation import texts
from services.ui.presentation.components import HIDDEN, aria, bar, data, dot, empty, icon
from services.ui.presentation.vocabulary import Vocabulary
from services.ui.session.search_request import Steering

SHOWN_DIMENSIONS = 3


def matches_panel() -> Component:
    """The panel before a search; callbacks fill it."""
    return html.Div(
        [
            html.Div(
                [
                    html.Div(id="match-status", className="match-status", role="status", **aria(live="polite")),
                    html.Div(id="chips", className="chips"),
                ],
                className="match-line",
            ),
            html.Div(id="steering-chips"),
            html.Div(id="search-error"),
            html.Div(id="own"),
            html.Div(id="statistics"),
            html.Div(skeletons(), className="cards skeletons", **HIDDEN),
            html.Div(start(), id="matches"),
            _pages(),
        ],
        id="matches-panel",
        className="panel",
    )


def _pages() -> Component:
    previous = html.Button([icon("left"), "Previous"], id="page-previous", className="button small", disabled=True)
    following = html.Button(["Next", icon("right")], id="page-next", className="button small", disabled=True)
    return html.Nav([previous, following], className="pages", **aria(label="Pages of matches"))


def start() -> Component:
    """Before the first upload: what the page is for and how to begin."""
    steps = html.Ol([html.Li(text) for text in texts.START_STEPS])
    return empty(texts.START_TITLE, steps, class_name="empty start")


def no_collection() -> Component:
    """The collection is empty: how to fill it."""
    return empty(texts.NO_COLLECTION_TITLE, html.P(texts.NO_COLLECTION), html.Code(texts.NO_COLLECTION_COMMAND))


def no_matches(conditions: list[str], effects: list[ConditionEffect], vocabulary: Vocabulary) -> Component:
    """No case passes the filters: the conditions, what each excludes, and a button that clears them."""
    clear = html.Button("Clear all filters", id={"type": "clear", "where": "empty"}, className="button", type="button")
    listed = html.Ul([html.Li(text) for text in conditions])
    excluded = html.Ul([html.Li(_effect(effect, vocabulary)) for effect in effects], className="muted")
    return empty(texts.NO_MATCHES_TITLE, listed, excluded, clear)


def _effect(effect: ConditionEffect, vocabulary: Vocabulary) -> str:
    fields = dict.fromkeys(leaf.field for leaf in leaves([effect.condition]))
    named = texts.listed([texts.FIELDS.get(field, vocabulary.label("", field)) for field in fields])
    excluded, left = texts.count(effect.excludes, "case"), texts.count(effect.passing_without, "case")
    return texts.EXCLUSION.format(named, excluded, left)


def skeletons() -> list[Component]:
    """Placeholders while a search runs, as large as cards."""
    lines = ("80%", "55%", "65%", "90%")
    body = [html.Div(className="skeleton line", style={"width": width}) for width in lines]
    return [html.Div([html.Div(className="skeleton thumb"), *body], className="match-card") for _ in range(12)]


def cards(response: SearchResponse, vocabulary: Vocabulary, dimensions: list[str], steering: Steering) -> Component:
    """A card for each match in their order; ranks count on over pages."""
    ranked = enumerate(response.matches, start=steering.offset + 1)
    own = steering.has_own_weights
    drawn = [_cell(match, card(rank, match, vocabulary, dimensions, own_weights=own)) for rank, match in ranked]
    return html.Div(drawn, className="cards")


def _cell(match: Match, drawn: Component) -> Component:
    """A card with its two steering buttons beside it: a button cannot contain buttons."""
    buttons = [
        html.Button(
            icon(name),
            id={"type": "example", "case": match.case.id, "weight": weight},
            className="button square",
            type="button",
            title=text,
            **aria(label=f"{text}: case {match.case.id}"),
        )
        for name, weight, text in (("plus", 1, texts.MORE_LIKE), ("minus", -1, texts.LESS_LIKE))
    ]
    return html.Div([drawn, html.Div(buttons, className="card-steering")], className="match-cell")


def card(
    rank: int, match: Match, vocabulary: Vocabulary, dimensions: list[str], *, own_weights: bool = False
) -> Component:
    """One match; a click opens the case."""
    case = match.case
    name = vocabulary.diagnosis(case.diagnosis)
    shown = texts.percent(match.similarity)
    spoken = f"Match {rank}: {name}, similarity {shown}, {texts.age(case.age)}, case {case.id}. Open."
    thumbnail = html.Img(src=f"/thumbnails/{url_segment(case.id)}", alt=f"Case {case.id}, {name}", className="thumb")
    named = [dot(vocabulary.colour(case.diagnosis)), html.Span(name, className="diagnosis", title=name)]
    title = html.Span([*named, _tooltip(match, own_weights=own_weights)], className="card-title")
    evidence = vocabulary.label("evidence", case.evidence)
    person = [texts.age(case.age), vocabulary.label("sex", case.sex), vocabulary.label("site", case.site)]
    lines = [
        html.Span(
            [f"distance {match.distance:.2f}", html.Span(evidence, title=f"Evidence: {evidence}")],
            className="card-line",
        ),
        html.Span(" · ".join(person), className="card-line one"),
        *_hidden(match),
    ]
    malignant = [html.Span("malignant", className="tag over")] if vocabulary.malignant(case.diagnosis) else []
    return html.Button(
        [
            html.Span([thumbnail, html.Span(rank, className="rank"), *malignant], className="picture"),
            html.Span([title, *lines, *_differences(match, dimensions)], className="card-body"),
        ],
        id={"type": "match", "id": case.id},
        className="match-card",
        type="button",
        **aria(label=spoken),
        **data(case=case.id, diagnosis=case.diagnosis or "", sex=case.sex or "", age=texts.bare(case.age)),
    )


def _hidden(match: Match) -> list[Component]:
    if not match.hidden:
        return []
    reasons = Counter(one.reason for one in match.hidden)
    text = texts.hidden(reasons["lesion"], reasons["duplicate"], more=match.more_hidden)
    return [html.Span(text, className="card-line one", title=", ".join(one.case for one in match.hidden))]


def _tooltip(match: Match, *, own_weights: bool) -> Component:
    tooltip: Component = dmc.Tooltip(
        html.Span(texts.percent(match.similarity), className="similarity"),
        label=texts.similarity_hint(match.similarity, own_weights=own_weights),
        multiline=True,
        w=240,
        withArrow=True,
        boxWrapperProps={"className": "similarity-box"},
    )
    return tooltip


def largest(match: Match, number: int) -> list[tuple[int, float]]:
    """The dimensions that contributed most to the distance, as (index, share)."""
    ranked = sorted(enumerate(match.contributions), key=lambda entry: -entry[1])
    return [(index, share) for index, share in ranked[:number] if share > 0]


def _differences(match: Match, dimensions: list[str]) -> list[Component]:
    top = largest(match, SHOWN_DIMENSIONS)
    if not top:
        return [html.Span("Identical in every dimension", className="card-line caption")]
    rows = [
        html.Span(
            [
                html.Span(name := texts.dimension_name(index, dimensions), title=name),
                bar(share),
                html.Span(texts.percent(share), className="figure"),
            ],
            className="difference",
        )
        for index, share in top
    ]
    return [html.Span("Differs most in", className="card-line caption"), *rows]


def status(response: SearchResponse, steering: Steering) -> str:
    """How many matches are shown, of how many cases."""
    found = texts.found(len(response.matches), response.passing, steering.filters.is_set, steering.offset + 1)
    return f"{found}, {texts.BY_OWN_WEIGHTS}" if steering.has_own_weights and response.matches else found
