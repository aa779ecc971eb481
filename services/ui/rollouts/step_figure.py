"""One step of a rollout or of a way: what the decoder draws there, and the diagnoses of the cases nearest to it."""

from dash import html
from dash.development.base_component import Component

from casekin.contracts.rollouts import Step
from services.ui.presentation import texts
from services.ui.presentation.components import aria
from services.ui.presentation.vocabulary import Vocabulary


def step_figure(step: Step, caption: str, alt: str, vocabulary: Vocabulary, *, outlined: bool = False) -> Component:
    """The image, its bar of diagnoses and a caption."""
    parts = [html.Img(src=step.image, alt=alt), share_bar(step.shares, vocabulary), html.Figcaption(caption)]
    return html.Figure([part for part in parts if part is not None], className="step origin" if outlined else "step")


def share_bar(shares: dict[str, float] | None, vocabulary: Vocabulary) -> Component | None:
    """A bar stacked of diagnoses, in words for who cannot see or tell the colours; none where nothing is known."""
    if not shares:
        return None
    told = listed_shares(shares, vocabulary)
    ordered = sorted(shares, key=lambda code: vocabulary.order("diagnosis", code))
    parts = [
        html.Span(style={"width": f"{shares[code] * 100:.2f}%", "backgroundColor": vocabulary.colour(code)})
        for code in ordered
    ]
    return html.Div(parts, className="share-bar", title=told, role="img", **aria(label=f"Nearest cases: {told}"))


def listed_shares(shares: dict[str, float], vocabulary: Vocabulary) -> str:
    """``80 % Nevus, 20 % Melanoma``."""
    return ", ".join(f"{texts.percent(share)} {vocabulary.diagnosis(code)}" for code, share in shares.items())


def share_legend(seen: list[Step], vocabulary: Vocabulary) -> Component:
    """Which colour is which diagnosis, of those that occur."""
    codes = {code for step in seen for code in step.shares or {}}
    entries = [
        html.Span(
            [html.Span(className="dot", style={"backgroundColor": vocabulary.colour(code)}), vocabulary.diagnosis(code)]
        )
        for code in sorted(codes, key=lambda code: vocabulary.order("diagnosis", code))
    ]
    return html.Div(entries, className="share-legend", hidden=not entries)
