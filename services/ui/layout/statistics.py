"""What the neighbours say together: their diagnoses, plain and corrected."""

from typing import Any

from dash import html
from dash.development.base_component import Component

from casekin.contracts.neighbours import DiagnosisShare
from casekin.contracts.search import SearchResponse
from services.ui import words
from services.ui.colours import ink_on
from services.ui.layout.parts import aria, dot
from services.ui.vocabulary import Vocabulary


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
    heading = f"Diagnoses among the {words.count(response.statistics.neighbours, 'nearest case')}"
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
