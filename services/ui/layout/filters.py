"""The filter panel: ranking, then a section for each field with live counts."""

from typing import Any

import dash_mantine_components as dmc
from dash import html
from dash.development.base_component import Component

from casekin.contracts.search import FACETED, Facets, FacetValue, Filters
from services.ui import words
from services.ui.layout.parts import aria, data, dot, icon
from services.ui.vocabulary import Vocabulary

MATCHES = ("6", "12", "24", "48", "96")
AGE_SPAN = (0, 100)
"""Years, until the collection says."""


def filter_panel() -> Component:
    """The panel before the counts are known; callbacks fill it."""
    head = html.Div(
        [
            html.H2("Filters"),
            html.Span(id="passing", className="muted figure", role="status"),
            html.Button(
                "Clear all",
                id={"type": "clear", "where": "panel"},
                className="button quiet small",
                type="button",
                disabled=True,
            ),
        ],
        className="side-head",
    )
    sections = dmc.Accordion(
        [_section(field) for field in words.FIELDS],
        multiple=True,
        value=["diagnosis", "age"],
        chevronPosition="left",
        className="facets",
        id="facets",
    )
    return html.Section(
        [_ranking(), head, html.Div(id="facets-error"), sections, _switches()],
        className="side-section",
        id="filters",
        **aria(label="Filters"),
    )


def _ranking() -> Component:
    presets = dmc.SegmentedControl(
        id="preset",
        data=[{"value": value, "label": label} for value, label in words.PRESETS.items()],
        value="clinical",
        size="xs",
        fullWidth=True,
        **aria(label="Weights"),
    )
    matches = dmc.Select(
        id="k",
        data=list(MATCHES),
        value="12",
        allowDeselect=False,
        size="xs",
        w=74,
        comboboxProps={"withinPortal": True},
        **aria(label="Number of matches"),
    )
    return html.Div(
        [
            html.Div([html.Span("Weights", className="control-name"), presets], className="control"),
            html.Div(words.PRESET_HINTS["clinical"], id="preset-hint", className="hint muted"),
            html.Div([html.Span("Matches", className="control-name"), matches], className="control"),
        ],
        className="ranking",
    )


def _switches() -> Component:
    return html.Div(
        [
            dmc.Switch(id="one-per-lesion", label="One case per lesion", checked=True, size="xs"),
            dmc.Switch(id="keep-unknown", label="Keep cases with unknown values", checked=False, size="xs"),
        ],
        className="switches",
    )


def _section(field: str) -> Component:
    body = _age() if field == "age" else dmc.CheckboxGroup([], id=f"filter-{field}", value=[], size="xs")
    control = html.Span([words.FIELDS[field], html.Span(id=f"active-{field}", className="active-count")])
    item: Component = dmc.AccordionItem(
        [dmc.AccordionControl(control), dmc.AccordionPanel(html.Div(body, className="facet-values"))], value=field
    )
    return item


def _age() -> Component:
    slider = dmc.RangeSlider(
        id="filter-age",
        min=AGE_SPAN[0],
        max=AGE_SPAN[1],
        value=list(AGE_SPAN),
        step=5,
        minRange=0,
        size=4,
        thumbSize=16,
        thumbFromLabel="Youngest age",
        thumbToLabel="Oldest age",
    )
    return html.Div([slider, html.Div(id="age-note", className="age-note muted")], className="age")


def facet_values(field: str, facets: Facets, vocabulary: Vocabulary, filters: Filters) -> list[Component]:
    """A checkbox for each value of `field` with its count, then how many are unknown."""
    chosen = getattr(filters, field)
    values = facets.fields.get(field, [])
    listed = [entry.value for entry in values]
    values = [*values, *(FacetValue(value=code, count=0) for code in chosen if code not in listed)]
    # never by count: rows must not change places under the pointer
    values = sorted(values, key=lambda entry: vocabulary.order(field, entry.value))
    boxes = [_checkbox(field, entry, vocabulary) for entry in values if entry.value is not None]
    unknown = sum(entry.count for entry in values if entry.value is None)
    if unknown:
        fate = "kept" if filters.keep_unknown or not chosen else "left out"
        boxes.append(html.Div([f"unknown, {fate}", html.Span(f"{unknown:,}")], className="facet-unknown muted"))
    return boxes


def _checkbox(field: str, entry: FacetValue, vocabulary: Vocabulary) -> Component:
    shown = vocabulary.label(field, entry.value)
    name: list[Any] = [html.Span(shown, className="facet-text", title=shown)]
    if field == "diagnosis":
        name = [dot(vocabulary.colour(entry.value)), *name]
        if vocabulary.malignant(entry.value):
            name += [" ", html.Span("malignant", className="tag")]
    label = html.Span([html.Span(name, className="facet-name"), html.Span(f"{entry.count:,}", className="facet-count")])
    box: Component = dmc.Checkbox(
        value=entry.value,
        label=label,
        size="xs",
        className="facet" if entry.count else "facet none",
        **data(facet=f"{field}:{entry.value}"),
    )
    return box


def age_note(facets: Facets, filters: Filters) -> str:
    """What the slider says, and what becomes of unknown ages."""
    if filters.age_min is None and filters.age_max is None:
        text = "all ages"
    else:
        text = words.ages(filters.age_min, filters.age_max)
    if not facets.age_unknown:
        return text
    fate = "" if text == "all ages" else (" kept" if filters.keep_unknown else " left out")
    return f"{text} · {facets.age_unknown:,} unknown{fate}"


def active_counts(filters: Filters) -> list[str]:
    """By field of the panel, how many values are chosen."""
    aged = "1" if filters.age_min is not None or filters.age_max is not None else ""
    return [aged if field == "age" else str(len(getattr(filters, field)) or "") for field in words.FIELDS]


def conditions_by_button(filters: Filters, vocabulary: Vocabulary) -> list[tuple[str, str, str]]:
    """The active conditions as (field, value, words); the age range has no value."""
    entries = [
        (field, code, f"{words.FIELDS[field]}: {vocabulary.label(field, code)}")
        for field in FACETED
        for code in getattr(filters, field)
    ]
    if filters.age_min is not None or filters.age_max is not None:
        entries.append(("age", "", f"Age: {words.ages(filters.age_min, filters.age_max)}"))
    return entries


def conditions(filters: Filters, vocabulary: Vocabulary) -> list[str]:
    """The active conditions in words."""
    return [text for _, _, text in conditions_by_button(filters, vocabulary)]


def chips(filters: Filters, vocabulary: Vocabulary) -> list[Component]:
    """The active conditions, each as a button that takes it away."""
    drawn = [_chip(*entry) for entry in conditions_by_button(filters, vocabulary)]
    if drawn:
        where = {"type": "clear", "where": "chips"}
        drawn.append(html.Button("Clear all", id=where, className="button quiet small", type="button"))
    return drawn


def _chip(field: str, code: str, text: str) -> Component:
    return html.Button(
        [text, icon("close")],
        id={"type": "chip", "field": field, "value": code},
        className="chip",
        type="button",
        **aria(label=f"Remove the filter {text}"),
    )
