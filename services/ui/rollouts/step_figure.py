"""One step of a rollout or a path: the decoded image, the diagnoses of the cases near it, and the nearest real case.

A page-wide switch shows decoded images, real cases or both; the style sheet hides the rest.
"""

import dash_mantine_components as dmc
from dash import html
from dash.development.base_component import Component

from casekin.contracts.paths import url_segment
from casekin.contracts.rollouts import NearestCase, Scene, Step
from services.ui.presentation import texts
from services.ui.presentation.components import aria, data, dot
from services.ui.presentation.vocabulary import Vocabulary


def steps_switch(name: str) -> Component:
    """What steps show; all switches of the page show the same."""
    switch: Component = dmc.SegmentedControl(
        id=name,
        data=[{"value": value, "label": label} for value, label in texts.STEPS_SHOWN.items()],
        value="both",
        size="xs",
        **aria(label=texts.STEPS_SWITCH),
    )
    return switch


def step_figure(
    step: Step, caption: str, alt: str, vocabulary: Vocabulary, place: str, *, outlined: bool = False
) -> Component:
    """The image, its bar of diagnoses, the nearest real case and a caption; `place` is the step's own on the page."""
    parts = [
        html.Img(src=step.image, alt=alt, className="decoded"),
        share_bar(step.shares, vocabulary),
        _real_case(step.nearest, alt, vocabulary, place),
        html.Figcaption(caption),
    ]
    return html.Figure([part for part in parts if part is not None], className="step origin" if outlined else "step")


def _real_case(nearest: NearestCase | None, step: str, vocabulary: Vocabulary, place: str) -> Component:
    """The thumbnail with diagnosis and distance; a click opens the case."""
    if nearest is None:
        return html.Div(texts.NO_REAL_CASE, className="real-case none")
    name = vocabulary.diagnosis(nearest.diagnosis)
    # a background is fetched when it is first visible: decoded images alone fetch no case
    picture = {"backgroundImage": f'url("/thumbnails/{url_segment(nearest.id)}")'}
    said = f"case {nearest.id}, {name}, distance {nearest.distance:.2f}"
    return html.Button(
        [
            html.Span(className="real-picture", style=picture),
            html.Span(
                [
                    html.Span([dot(vocabulary.colour(nearest.diagnosis)), _where_wide(name)], className="real-name"),
                    html.Span([_where_wide("distance "), f"{nearest.distance:.2f}"], className="real-distance figure"),
                ],
                className="real-text",
            ),
        ],
        id={"type": "real-case", "id": nearest.id, "at": place},
        className="real-case",
        type="button",
        title=texts.sentence(said),
        **aria(label=f"{step}: nearest real {said}. Open."),
        **data(case=nearest.id),
    )


def _where_wide(text: str) -> Component:
    """Words that a narrow step has no room for; the button's title and the legend have them."""
    return html.Span(text, className="where-wide")


def real_cases_note(scene: Scene) -> Component:
    """Under which weights, and among which cases, the real cases are the nearest; or why there is none."""
    if scene.cases == 0:
        return html.P(texts.NO_REAL_CASES, className="real-note warnings", role="status")
    weights = texts.REAL_BY[scene.preset].format(texts.count(scene.cases, "case"))
    return html.P(weights, className="real-note muted")


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
