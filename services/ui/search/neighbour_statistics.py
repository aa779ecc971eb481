"""What the neighbours say together: their diagnoses, plain and corrected."""

from typing import Any

from dash import html
from dash.development.base_component import Component

from casekin.contracts.neighbours import DiagnosisShare, NeighbourStatistics, Strangeness
from casekin.contracts.search import SearchResponse
from services.ui.presentation import texts
from services.ui.presentation.colours import ink_on
from services.ui.presentation.components import aria, dot
from services.ui.presentation.vocabulary import Vocabulary


def statistics(response: SearchResponse, vocabulary: Vocabulary) -> Component | None:
    """The diagnoses among the nearest cases, plain and corrected for how common each is, and what that promises."""
    told = response.statistics
    if not told.diagnoses:
        return None
    heading = f"Diagnoses among the {texts.count(told.neighbours, 'nearest case')}"
    legend = html.Ul([_entry(one, vocabulary) for one in told.diagnoses if one.count], className="legend")
    return html.Section(
        [
            *_strange(told.strangeness),
            html.Div([html.H3(heading), legend], className="statistics-head"),
            _strip("Plain", texts.PLAIN_HINT, [(e, e.share) for e in told.diagnoses], vocabulary),
            _strip("Corrected", texts.CORRECTED_HINT, [(e, e.corrected) for e in told.diagnoses], vocabulary),
            html.Div(_promise(told, vocabulary), className="promise"),
        ],
        className="statistics",
        **aria(label=heading),
    )


def _entry(one: DiagnosisShare, vocabulary: Vocabulary) -> Component:
    name, count = html.Span(vocabulary.diagnosis(one.diagnosis)), html.Span(f"{one.count}", className="figure muted")
    return html.Li([dot(vocabulary.colour(one.diagnosis)), name, count])


def _strange(told: Strangeness | None) -> list[Component]:
    if told is None or not told.is_strange:
        return []
    reasons = html.Ul([html.Li(reason) for reason in told.reasons])
    return [html.Div([html.Strong(texts.STRANGE), reasons], className="strange", role="alert")]


def _promise(told: NeighbourStatistics, vocabulary: Vocabulary) -> list[Component]:
    agree = html.Span(f"{texts.percent(told.agreement)} of the votes agree", title=texts.AGREEMENT_HINT)
    if told.conformal is None:
        why = texts.sentence(f"{texts.NOT_CALIBRATED}: {told.uncalibrated}") if told.uncalibrated else ""
        return [agree, html.Span(why, className="muted")]
    names = texts.listed([vocabulary.diagnosis(code) for code in told.conformal.diagnoses]) or "nothing"
    promise = texts.CONFORMAL_HINT.format(texts.percent(told.conformal.coverage))
    listed = html.Span([f"{texts.CANNOT_BE_EXCLUDED}: ", html.Strong(names)])
    return [agree, listed, html.Span(promise, className="muted")]


def _strip(name: str, hint: str, shares: list[tuple[DiagnosisShare, float]], vocabulary: Vocabulary) -> Component:
    spoken = ", ".join(f"{vocabulary.diagnosis(entry.diagnosis)} {texts.percent(share)}" for entry, share in shares)
    segments: list[Any] = [
        html.Span(
            texts.percent(share) if share >= 0.06 else "",
            className="segment",
            style=_segment_style(share, vocabulary.colour(entry.diagnosis)),
            title=f"{vocabulary.diagnosis(entry.diagnosis)}: {texts.percent(share)}",
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
