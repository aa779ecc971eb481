"""The active conditions as chips, each a button that removes it."""

from dash import html
from dash.development.base_component import Component

from casekin.contracts.cases import FACETED
from services.ui.presentation import texts
from services.ui.presentation.components import aria, icon
from services.ui.presentation.vocabulary import Vocabulary
from services.ui.session.filter_state import COLUMN_MARK, FilterState


def active_counts(panel: FilterState) -> list[str]:
    """The number of chosen values by field of the panel; nothing where none is."""
    counts = {name: len(panel.codes(name)) for name in (*FACETED, "columns")} | {"age": int(panel.has_age_range)}
    return [str(counts[name] or "") for name in texts.FIELDS]


def age_range(panel: FilterState) -> str:
    """The ages between which cases must lie."""
    return texts.ages(panel.age_min, panel.age_max)


def conditions_by_button(panel: FilterState, vocabulary: Vocabulary) -> list[tuple[str, str, str]]:
    """The active conditions as (field, value, text); the age range has no value."""
    entries = [
        (field, code, f"{_name(panel, field)}: {vocabulary.label(field, code)}")
        for field in FACETED
        for code in panel.codes(field)
    ]
    if panel.has_age_range:
        entries.append(("age", "", f"Age: {age_range(panel)}"))
    mark = " not: " if "columns" in panel.excluded else ": "
    entries += [("columns", entry, entry.replace(COLUMN_MARK, mark).replace("_", " ")) for entry in panel.columns]
    return entries


def condition_texts(panel: FilterState, vocabulary: Vocabulary) -> list[str]:
    """The active conditions as the page shows them."""
    return [text for _, _, text in conditions_by_button(panel, vocabulary)]


def chips(panel: FilterState, vocabulary: Vocabulary) -> list[Component]:
    """The active conditions, each as a button that removes it."""
    drawn = [_chip(*entry) for entry in conditions_by_button(panel, vocabulary)]
    if panel.any_field and len(drawn) > 1:
        drawn.insert(0, html.Span(texts.ANY_FIELD, className="muted"))
    if drawn:
        where = {"type": "clear", "where": "chips"}
        drawn.append(html.Button("Clear all", id=where, className="button quiet small", type="button"))
    return drawn


def _name(panel: FilterState, field: str) -> str:
    return f"{texts.FIELDS[field]} not" if field in panel.excluded else texts.FIELDS[field]


def _chip(field: str, code: str, text: str) -> Component:
    return html.Button(
        [text, icon("close")],
        id={"type": "chip", "field": field, "value": code},
        className="chip",
        type="button",
        **aria(label=f"Remove the filter {text}"),
    )
