"""One case beside the query: large images, metadata, and the dimensions in which the two differ."""

import dash_mantine_components as dmc
from dash import html
from dash.development.base_component import Component

from casekin.contracts.cases import Case
from casekin.contracts.rollouts import TrajectoryResult
from casekin.contracts.search import Match
from services.ui.presentation import texts
from services.ui.presentation.components import aria, bar, dot, facts, icon
from services.ui.presentation.vocabulary import Vocabulary
from services.ui.rollouts.step_figure import real_cases_note, share_legend, step_figure, steps_switch

SHOWN_DIMENSIONS = 12


def case_modal() -> Component:
    """The dialog before a case is opened; callbacks fill it."""
    before = html.Button(icon("left"), id="case-previous", className="button square", **aria(label="Previous match"))
    after = html.Button(icon("right"), id="case-next", className="button square", **aria(label="Next match"))
    place = html.Span(id="case-place", className="muted figure", role="status")
    steps = html.Div([before, place, after], className="case-steps", id="case-steps")
    begin = html.Div(
        [
            html.Button(texts.SAME_LESION, id="case-own", className="button small", type="button", hidden=True),
            html.Button(texts.FROM_CASE, id="case-start", className="button small", type="button"),
        ],
        className="case-begin",
    )
    pictures = [
        html.Figure([html.Div(html.Img(id="case-image"), className="picture"), html.Figcaption(id="case-caption")]),
        html.Figure(
            [
                html.Div(
                    html.Img(id="case-query-image", alt="Your image"), id="case-query-picture", className="picture"
                ),
                html.Figcaption("Your image"),
            ],
            id="case-query",
        ),
    ]
    body = html.Div(
        [
            html.Div([html.Div(id="case-title", className="case-title"), begin, steps], className="case-head"),
            html.Div(id="case-error"),
            html.Div(pictures, className="case-pictures"),
            html.Div([html.Div(id="case-facts"), html.Div(id="case-contributions")], className="case-columns"),
            _path_panel(),
        ],
        id="case-body",
    )
    dialog: Component = dmc.Modal(
        body,
        id="case-modal",
        opened=False,
        size="min(1080px, 94vw)",
        centered=True,
        padding=0,
        withCloseButton=True,
        closeButtonProps={"aria-label": "Close"},
        # With a transition the focus is sent into the dialog before that is displayed, and stays outside.
        transitionProps={"duration": 0},
        title=html.Span(["Case", html.Span(texts.NOT_A_DIAGNOSIS, className="case-line")]),
        keepMounted=True,
    )
    return dialog


def _path_panel() -> Component:
    buttons = [
        html.Button("Show the path to this case", id="case-path-make", className="button small", type="button"),
        html.Button("On the map", id="case-path-map", className="button small", type="button", hidden=True),
    ]
    switch = html.Div(steps_switch("case-path-steps"), id="case-path-switch", className="steps-switch")
    line = html.Div([html.Div(buttons, className="row-buttons"), switch], className="panel-line")
    return html.Div([line, html.Div(id="case-path")], id="case-path-panel", className="case-path", hidden=True)


def path_figure(result: TrajectoryResult, vocabulary: Vocabulary, start: str) -> Component:
    """Decoded images between the latent of `start` and the case, and the cases near each."""
    last = len(result.steps) - 1
    captions = [start, *([""] * (last - 1)), "this case"]
    figures = [
        step_figure(
            step, captions[number], f"Step {number + 1} of {last + 1} to the case", vocabulary, f"path-{number}"
        )
        for number, step in enumerate(result.steps)
    ]
    title = html.H3(f"From {start} to this case")
    legend = share_legend(result.steps, vocabulary)
    return html.Div([title, real_cases_note(result), html.Div(figures, className="steps"), legend])


def case_title(case: Case, vocabulary: Vocabulary) -> list[Component]:
    """Diagnosis and id."""
    parts: list[Component] = [
        dot(vocabulary.colour(case.diagnosis)),
        html.H2(vocabulary.diagnosis(case.diagnosis)),
        html.Span(case.id, className="muted mono"),
    ]
    if vocabulary.malignant(case.diagnosis):
        parts.insert(2, html.Span("malignant", className="tag"))
    return parts


def case_facts(case: Case, match: Match | None, vocabulary: Vocabulary, *, own_weights: bool = False) -> Component:
    """Everything the collection knows of the case."""
    entries: list[tuple[str, str]] = []
    if match is not None:
        entries.append(("Similarity", texts.similarity_hint(match.similarity, own_weights=own_weights)))
        entries.append(("Distance", f"{match.distance:.3f}"))
    entries += [
        ("Diagnosis", vocabulary.diagnosis(case.diagnosis)),
        ("Evidence", vocabulary.label("evidence", case.evidence)),
        ("Age", "unknown" if case.age is None else f"{case.age:g} years"),
        ("Sex", vocabulary.label("sex", case.sex)),
        ("Site", vocabulary.label("site", case.site)),
        ("Source", vocabulary.label("source", case.source)),
        ("Lesion", case.lesion_id or "unknown"),
    ]
    entries += [(name.replace("_", " "), value) for name, value in sorted(case.attributes.items())]
    return facts(entries)


def contributions(match: Match | None, dimensions: list[str]) -> list[Component]:
    """How much each dimension contributed to the distance, largest first; smaller ones are folded away."""
    if match is None:
        return [html.P("Not among the matches, so its distance from your image is not shown.", className="muted")]
    ranked = sorted(enumerate(match.contributions), key=lambda entry: -entry[1])
    scale = ranked[0][1] or 1.0
    rows = [_contribution(texts.dimension_name(index, dimensions), share, scale) for index, share in ranked]
    drawn: list[Component] = [
        html.H3("Where it differs from your image"),
        html.Ul(rows[:SHOWN_DIMENSIONS], className="contributions"),
    ]
    if rest := ranked[SHOWN_DIMENSIONS:]:
        summary = f"The other {len(rest)}: {texts.percent(sum(share for _, share in rest))}"
        others = html.Ul(rows[SHOWN_DIMENSIONS:], className="contributions")
        drawn.append(html.Details([html.Summary(summary), others], className="other-contributions"))
    return drawn


def _contribution(name: str, share: float, scale: float) -> Component:
    figure = html.Span(texts.percent(share), className="figure")
    return html.Li([html.Span(name, title=name), bar(share / scale), figure])
