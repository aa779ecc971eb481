"""The matches as cards, and the diagnoses among them."""

from typing import Any

import dash_mantine_components as dmc
from dash import html
from dash.development.base_component import Component

from casekin.contracts.search import DiagnosisShare, Match, SearchResponse
from services.ui import words
from services.ui.colours import ink_on
from services.ui.layout.parts import HIDDEN, aria, bar, data, dot, empty
from services.ui.state import Steering, is_filtered
from services.ui.vocabulary import Vocabulary

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
            html.Div(id="search-error"),
            html.Div(id="statistics"),
            html.Div(skeletons(), className="cards skeletons", **HIDDEN),
            html.Div(start(), id="matches"),
        ],
        id="matches-panel",
        className="panel",
    )


def start() -> Component:
    """Before the first upload: what to do here."""
    steps = html.Ol([html.Li(text) for text in words.START_STEPS])
    return empty(words.START_TITLE, steps, class_name="empty start")


def no_collection() -> Component:
    """The collection is empty: how to fill it."""
    return empty(words.NO_COLLECTION_TITLE, html.P(words.NO_COLLECTION), html.Code(words.NO_COLLECTION_COMMAND))


def no_matches(conditions: list[str]) -> Component:
    """Nothing passes: which conditions, and a way out."""
    clear = html.Button("Clear all filters", id={"type": "clear", "where": "empty"}, className="button", type="button")
    listed = html.Ul([html.Li(text) for text in conditions])
    return empty(words.NO_MATCHES_TITLE, listed, clear)


def skeletons() -> list[Component]:
    """Cards in waiting, as large as real ones."""
    lines = ("80%", "55%", "65%", "90%")
    body = [html.Div(className="skeleton line", style={"width": width}) for width in lines]
    return [html.Div([html.Div(className="skeleton thumb"), *body], className="match-card") for _ in range(12)]


def cards(response: SearchResponse, vocabulary: Vocabulary, dimensions: list[str]) -> Component:
    """A card for each match, nearest first."""
    drawn = [card(rank, match, vocabulary, dimensions) for rank, match in enumerate(response.matches, start=1)]
    return html.Div(drawn, className="cards")


def card(rank: int, match: Match, vocabulary: Vocabulary, dimensions: list[str]) -> Component:
    """One match; a click opens the case."""
    case = match.case
    name = vocabulary.diagnosis(case.diagnosis)
    shown = words.percent(match.similarity)
    spoken = f"Match {rank}: {name}, similarity {shown}, {words.age(case.age)}, case {case.id}. Open."
    thumbnail = html.Img(src=f"/thumbnails/{case.id}", alt=f"Case {case.id}, {name}", className="thumb")
    title = html.Span(
        [dot(vocabulary.colour(case.diagnosis)), html.Span(name, className="diagnosis", title=name), _tooltip(match)],
        className="card-title",
    )
    evidence = vocabulary.label("evidence", case.evidence)
    person = [words.age(case.age), vocabulary.label("sex", case.sex), vocabulary.label("site", case.site)]
    lines = [
        html.Span([f"distance {match.distance:.2f}", html.Span(evidence, title="Evidence")], className="card-line"),
        html.Span(" · ".join(person), className="card-line one"),
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
        **data(case=case.id, diagnosis=case.diagnosis or "", sex=case.sex or "", age=words.bare(case.age)),
    )


def _tooltip(match: Match) -> Component:
    tooltip: Component = dmc.Tooltip(
        html.Span(words.percent(match.similarity), className="similarity"),
        label=words.similarity_hint(match.similarity),
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
                html.Span(dimension_name(index, dimensions)),
                bar(share),
                html.Span(words.percent(share), className="figure"),
            ],
            className="difference",
        )
        for index, share in top
    ]
    return [html.Span("Differs most in", className="card-line caption"), *rows]


def dimension_name(index: int, dimensions: list[str]) -> str:
    """The name of a dimension, or its number where the model is not known."""
    return dimensions[index] if index < len(dimensions) else f"Dimension {index + 1}"


def status(response: SearchResponse, steering: Steering) -> str:
    """How many are shown, of how many."""
    return words.found(len(response.matches), response.passing, is_filtered(steering.filters))


def statistics(response: SearchResponse, vocabulary: Vocabulary) -> Component | None:
    """The diagnoses among the matches, plain and corrected for how common each is in the collection."""
    shares = response.statistics.diagnoses
    if not shares:
        return None
    shares = sorted(shares, key=lambda entry: -entry.share)
    legend = [
        html.Li(
            [
                dot(vocabulary.colour(entry.diagnosis)),
                html.Span(vocabulary.diagnosis(entry.diagnosis)),
                html.Span(f"{entry.count}", className="figure muted", title="matches"),
            ]
        )
        for entry in shares
    ]
    heading = f"Diagnoses among {words.count(response.statistics.neighbours, 'match', 'matches')}"
    return html.Section(
        [
            html.Div([html.H3(heading), html.Ul(legend, className="legend")], className="statistics-head"),
            _strip("Plain", "Weighted by similarity", [(e, e.share) for e in shares], vocabulary),
            _strip(
                "Corrected",
                "Divided by each diagnosis's share of the collection",
                [(e, e.corrected) for e in shares],
                vocabulary,
            ),
        ],
        className="statistics",
        **aria(label=heading),
    )


def _strip(name: str, hint: str, shares: list[tuple[DiagnosisShare, float]], vocabulary: Vocabulary) -> Component:
    spoken = ", ".join(f"{vocabulary.diagnosis(entry.diagnosis)} {words.percent(share)}" for entry, share in shares)
    segments: list[Any] = [
        html.Span(
            words.percent(share) if share >= 0.06 else "",
            className="segment",
            style=_segment_style(share, vocabulary.colour(entry.diagnosis)),
            title=f"{vocabulary.diagnosis(entry.diagnosis)}: {words.percent(share)}",
        )
        for entry, share in shares
        if share > 0
    ]
    return html.Div(
        [
            html.Span(name, className="strip-name", title=hint),
            html.Div(segments, className="strip", role="img", **aria(label=f"{name}: {spoken}")),
        ],
        className="strip-row",
    )


def _segment_style(share: float, colour: str) -> dict[str, str]:
    return {"flexGrow": f"{share:.4f}", "backgroundColor": colour, "color": ink_on(colour)}
