"""The filter panel: ranking, then a section for each field with live counts."""

from typing import TypedDict

import dash_mantine_components as dmc
from dash import html
from dash.development.base_component import Component

from casekin.contracts.facets import Facets, FacetValue
from services.ui.filters.chips import age_range
from services.ui.presentation import texts
from services.ui.presentation.components import aria, data, dot
from services.ui.presentation.vocabulary import Vocabulary
from services.ui.session.filter_state import COLUMN_MARK, FilterState
from services.ui.weights.layout import weights_panel

MATCHES = ("6", "12", "24", "48", "96")
AGE_SPAN = (0, 100)
"""Years, until the collection's ages are known."""


class Option(TypedDict):
    """An entry of a select."""

    value: str
    label: str


class OptionGroup(TypedDict):
    """Entries of a select under one heading."""

    group: str
    items: list[Option]


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
        [_section(field) for field in texts.FIELDS],
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
        data=_options(texts.WEIGHTS),
        value="clinical",
        size="xs",
        fullWidth=True,
        **aria(label="Weights"),
    )
    variety = dmc.SegmentedControl(
        id="diversity", data=_options(texts.VARIETY), value="0", size="xs", fullWidth=True, **aria(label="Variety")
    )
    order = dmc.Select(
        id="sort",
        data=_options(texts.ORDERS),
        value="distance",
        allowDeselect=False,
        size="xs",
        comboboxProps={"withinPortal": True},
        **aria(label="Order of the matches"),
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
            html.Div(texts.WEIGHTS_HINTS["clinical"], id="preset-hint", className="hint muted"),
            weights_panel(),
            html.Div([html.Span("Variety", className="control-name"), variety], className="control"),
            html.Div([html.Span("Order", className="control-name"), order], className="control"),
            html.Div([html.Span("Matches", className="control-name"), matches], className="control"),
        ],
        className="ranking",
    )


def _options(labels: dict[str, str]) -> list[Option]:
    return [Option(value=value, label=label) for value, label in labels.items()]


def _switches() -> Component:
    return html.Div(
        [
            dmc.Switch(id="any-field", label="Match any of these conditions", checked=False, size="xs"),
            dmc.Switch(id="one-per-lesion", label="One case per lesion", checked=True, size="xs"),
            dmc.Switch(id="keep-unknown", label="Keep cases with unknown values", checked=False, size="xs"),
        ],
        className="switches",
    )


def _section(field: str) -> Component:
    body = _age() if field == "age" else _columns() if field == "columns" else _codes(field)
    control = html.Span([texts.FIELDS[field], html.Span(id=f"active-{field}", className="active-count")])
    item: Component = dmc.AccordionItem(
        [dmc.AccordionControl(control), dmc.AccordionPanel(html.Div(body, className="facet-values"))], value=field
    )
    return item


def _codes(field: str) -> list[Component]:
    return [_mode(field), dmc.CheckboxGroup([], id=f"filter-{field}", value=[], size="xs")]


def _mode(field: str) -> Component:
    wanted: Component = dmc.SegmentedControl(
        id=f"mode-{field}",
        data=[{"value": "only", "label": "Only these"}, {"value": "not", "label": "Not these"}],
        value="only",
        size="xs",
        **aria(label=f"{texts.FIELDS[field]}: only these or not these"),
    )
    return wanted


def _columns() -> list[Component]:
    chooser = dmc.MultiSelect(
        id="filter-columns",
        data=[],
        value=[],
        searchable=True,
        clearable=True,
        placeholder="Any value",
        nothingFoundMessage=texts.NO_COLUMNS,
        size="xs",
        comboboxProps={"withinPortal": True},
        **aria(label=texts.FIELDS["columns"]),
    )
    return [_mode("columns"), chooser]


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


def facet_values(field: str, facets: Facets, vocabulary: Vocabulary, panel: FilterState) -> list[Component]:
    """A checkbox for each value of `field` with its count, then how many are unknown."""
    chosen = panel.codes(field)
    values = facets.fields.get(field, [])
    listed = [entry.value for entry in values]
    values = [*values, *(FacetValue(value=code, count=0) for code in chosen if code not in listed)]
    # not by count: rows must not move under the pointer
    values = sorted(values, key=lambda entry: vocabulary.order(field, entry.value))
    boxes = [_checkbox(field, entry.value, entry.count, vocabulary) for entry in values if entry.value is not None]
    unknown = sum(entry.count for entry in values if entry.value is None)
    if unknown:
        treatment = "kept" if panel.keep_unknown or not chosen else "excluded"
        boxes.append(html.Div([f"unknown, {treatment}", html.Span(f"{unknown:,}")], className="facet-unknown muted"))
    return boxes


def uncounted_values(field: str, vocabulary: Vocabulary, panel: FilterState) -> list[Component]:
    """A checkbox for each value that the collection explains or that is chosen, where counts are not known."""
    codes = dict.fromkeys([*vocabulary.codes(field), *panel.codes(field)])
    return [
        _checkbox(field, code, None, vocabulary) for code in sorted(codes, key=lambda c: vocabulary.order(field, c))
    ]


def _checkbox(field: str, code: str, count: int | None, vocabulary: Vocabulary) -> Component:
    shown = vocabulary.label(field, code)
    name: list[Component | str] = [html.Span(shown, className="facet-text", title=shown)]
    if field == "diagnosis":
        name = [dot(vocabulary.colour(code)), *name]
        if vocabulary.malignant(code):
            name += [" ", html.Span("malignant", className="tag")]
    figure = html.Span("" if count is None else f"{count:,}", className="facet-count")
    label = html.Span([html.Span(name, className="facet-name"), figure])
    box: Component = dmc.Checkbox(
        value=code,
        label=label,
        size="xs",
        className="facet none" if count == 0 else "facet",
        **data(facet=f"{field}:{code}"),
    )
    return box


def column_values(facets: Facets, panel: FilterState) -> list[OptionGroup]:
    """Choices of the further columns, grouped by their names, with counts."""
    groups: list[OptionGroup] = []
    for field, entries in facets.fields.items():
        group, _, name = field.partition(".")
        known = {entry.value: entry.count for entry in entries if entry.value is not None}
        known |= {value: known.get(value, 0) for value in panel.by_column().get(name, [])}
        if group == "attributes" and known:
            items = [
                Option(value=f"{name}{COLUMN_MARK}{value}", label=f"{value} ({count:,})")
                for value, count in sorted(known.items())
            ]
            groups.append(OptionGroup(group=name.replace("_", " "), items=items))
    return groups


def age_note(facets: Facets, panel: FilterState) -> str:
    """The chosen ages, and how unknown ages are treated."""
    text = age_range(panel) if panel.has_age_range else "all ages"
    if not facets.age_unknown:
        return text
    treatment = "" if text == "all ages" else (" kept" if panel.keep_unknown else " excluded")
    return f"{text} · {facets.age_unknown:,} unknown{treatment}"
