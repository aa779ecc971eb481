"""One step of a rollout or a path: the decoded image, and the diagnoses of the cases nearest to it."""

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
    """A bar of stacked shares of diagnoses, with a text for screen readers; none without shares."""
    if not shares:
        return None
    text = listed_shares(shares, vocabulary)
    ordered = sorted(shares, key=lambda code: vocabulary.order("diagnosis", code))
    parts = [
        html.Span(style={"width": f"{shares[code] * 100:.2f}%", "backgroundColor": vocabulary.colour(code)})
        for code in ordered
    ]
    return html.Div(parts, className="share-bar", title=text, role="img", **aria(label=f"Nearest cases: {text}"))


def listed_shares(shares: dict[str, float], vocabulary: Vocabulary) -> str:
    """``80 % Nevus, 20 % Melanoma``."""
    return ", ".join(f"{texts.percent(share)} {vocabulary.diagnosis(code)}" for code, share in shares.items())


def share_legend(steps: list[Step], vocabulary: Vocabulary) -> Component:
    """Colours and names of the diagnoses that occur."""
    codes = {code for step in steps for code in step.shares or {}}
    entries = [
        html.Span(
            [html.Span(className="dot", style={"backgroundColor": vocabulary.colour(code)}), vocabulary.diagnosis(code)]
        )
        for code in sorted(codes, key=lambda code: vocabulary.order("diagnosis", code))
    ]
    return html.Div(entries, className="share-legend", hidden=not entries)
