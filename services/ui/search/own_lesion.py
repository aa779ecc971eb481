"""Cases of the query's own lesion, shown apart from the matches."""

from dash import html
from dash.development.base_component import Component

from casekin.contracts.paths import url_segment
from casekin.contracts.search import OwnCase
from services.ui.presentation import texts
from services.ui.presentation.components import aria, dot
from services.ui.presentation.vocabulary import Vocabulary


def own_cases(own: list[OwnCase], vocabulary: Vocabulary) -> Component | None:
    """Small cards of the own lesion's cases; a click opens one."""
    if not own:
        return None
    title = texts.SAME_IMAGE if any(one.same_picture for one in own) else texts.OWN_LESION
    head = html.Div([html.H3(title), html.Span(texts.OWN_HINT, className="muted")], className="statistics-head")
    cases = html.Div([_own(one, vocabulary) for one in own], className="own-cases")
    return html.Section([head, cases], className="statistics", **aria(label=title))


def _own(one: OwnCase, vocabulary: Vocabulary) -> Component:
    case = one.case
    name = vocabulary.diagnosis(case.diagnosis)
    relation = "the same image" if one.same_picture else f"distance {one.distance:.2f}"
    return html.Button(
        [
            html.Img(src=f"/thumbnails/{url_segment(case.id)}", alt=f"Case {case.id}, {name}"),
            html.Span(
                [
                    html.Span([dot(vocabulary.colour(case.diagnosis)), name], className="own-name"),
                    html.Span(f"{case.id} · {relation}", className="muted"),
                ],
                className="own-text",
            ),
        ],
        id={"type": "match", "id": case.id},
        className="own-case",
        type="button",
        **aria(label=f"Own lesion: case {case.id}, {name}, {relation}. Open."),
    )
