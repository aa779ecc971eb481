"""Diagnoses among the nearest cases: shares as in the collection and with all diagnoses equally common."""

from dash import html
from dash.development.base_component import Component

from casekin.contracts.neighbours import DiagnosisShare, NeighbourStatistics, OutOfDistribution
from casekin.contracts.search import SearchResponse
from services.ui.presentation import texts
from services.ui.presentation.colours import ink_on
from services.ui.presentation.components import aria, dot
from services.ui.presentation.vocabulary import Vocabulary


def statistics(response: SearchResponse, vocabulary: Vocabulary, *, of_case: bool = False) -> Component | None:
    """Both kinds of shares as strips, with the conformal set and a warning for an image out of distribution.

    `of_case` says that the search starts from a case of the collection, whose image the encoder may know.
    """
    votes = response.statistics
    if not votes.diagnoses:
        return None
    heading = f"Diagnoses among the {texts.count(votes.neighbours, 'nearest case')}"
    legend = html.Ul([_entry(one, vocabulary) for one in votes.diagnoses if one.count], className="legend")
    return html.Section(
        [
            *_out_of_distribution(votes.out_of_distribution),
            html.Div([html.H3(heading), legend], className="statistics-head"),
            _strip(texts.AS_COLLECTED, texts.AS_COLLECTED_HINT, [(e, e.share) for e in votes.diagnoses], vocabulary),
            _strip(
                texts.EQUALLY_COMMON, texts.EQUALLY_COMMON_HINT, [(e, e.corrected) for e in votes.diagnoses], vocabulary
            ),
            html.Div(_calibration(votes, vocabulary), className="calibration"),
            html.P(texts.CASE_MAY_BE_KNOWN, className="muted") if of_case else None,
        ],
        className="statistics",
        **aria(label=heading),
    )


def _entry(one: DiagnosisShare, vocabulary: Vocabulary) -> Component:
    name, count = html.Span(vocabulary.diagnosis(one.diagnosis)), html.Span(f"{one.count}", className="figure muted")
    return html.Li([dot(vocabulary.colour(one.diagnosis)), name, count])


def _out_of_distribution(found: OutOfDistribution | None) -> list[Component]:
    if found is None or not found.is_out_of_distribution:
        return []
    reasons = html.Ul([html.Li(reason) for reason in found.reasons])
    return [html.Div([html.Strong(texts.OUT_OF_DISTRIBUTION), reasons], className="unusual", role="alert")]


def _calibration(votes: NeighbourStatistics, vocabulary: Vocabulary) -> list[Component]:
    agree = html.Span(f"{texts.percent(votes.agreement)} of the votes agree", title=texts.AGREEMENT_HINT)
    if votes.conformal is None:
        why = texts.sentence(f"{texts.NOT_CALIBRATED}: {votes.uncalibrated}") if votes.uncalibrated else ""
        return [agree, html.Span(why, className="muted")]
    names = texts.listed([vocabulary.diagnosis(code) for code in votes.conformal.diagnoses]) or "nothing"
    coverage = texts.CONFORMAL_HINT.format(texts.percent(votes.conformal.coverage))
    listed = html.Span([f"{texts.CANNOT_BE_EXCLUDED}: ", html.Strong(names)])
    return [agree, listed, html.Span(coverage, className="muted")]


def _strip(name: str, hint: str, shares: list[tuple[DiagnosisShare, float]], vocabulary: Vocabulary) -> Component:
    spoken = ", ".join(f"{vocabulary.diagnosis(entry.diagnosis)} {texts.percent(share)}" for entry, share in shares)
    segments = [
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
