"""Chips for what moves the search away from the uploaded image: a case to start from, and examples."""

from dash import html
from dash.development.base_component import Component

from casekin.contracts.paths import url_segment
from casekin.contracts.search import Example
from services.ui.presentation import texts
from services.ui.presentation.components import aria, icon

STEP = 0.5
"""Change of an example's weight at a click."""


def steering_chips(case: str | None, lesion: str | None, examples: list[Example]) -> list[Component]:
    """Chips for the case that the search starts from, the own lesion as the user named it, and each example."""
    drawn = [_start(case)] if case else []
    drawn += [_lesion(lesion)] if lesion else []
    drawn += [_example(example) for example in examples]
    return [html.Div(drawn, className="chips")] if drawn else []


def _start(case: str) -> Component:
    leave = _button("close", {"type": "leave-case", "case": case}, "Search from your image again")
    return html.Span([_thumbnail(case), f"Search from case {case}", leave], className="chip steering")


def _lesion(lesion: str) -> Component:
    leave = _button("close", {"type": "leave-lesion", "lesion": lesion}, f"Lesion {lesion} is not mine")
    return html.Span([html.Span(f"{texts.MY_LESION}: {lesion}"), leave], className="chip steering bare-text")


def _example(example: Example) -> Component:
    sign = 1 if example.weight > 0 else -1
    name = texts.MORE_LIKE if sign > 0 else texts.LESS_LIKE
    step = {"type": "example-step", "case": example.case}
    return html.Span(
        [
            _thumbnail(example.case),
            f"{name} × {abs(example.weight):g}",
            _button("minus", {**step, "step": -STEP * sign}, f"Less weight for case {example.case}"),
            _button("plus", {**step, "step": STEP * sign}, f"More weight for case {example.case}"),
            _button("close", {**step, "step": 0}, f"Forget the example {example.case}"),
        ],
        className="chip steering more" if sign > 0 else "chip steering less",
    )


def _thumbnail(case: str) -> Component:
    return html.Img(src=f"/thumbnails/{url_segment(case)}", alt=f"Case {case}")


def _button(glyph: str, component_id: dict[str, str | float], text: str) -> Component:
    return html.Button(icon(glyph), id=component_id, className="bare", type="button", title=text, **aria(label=text))
