"""The kept maps to choose from, and how far the one shown can be trusted."""

from typing import TypedDict

from dash import html
from dash.development.base_component import Component

from casekin.contracts.maps import MapVersion, MapVersions
from services.ui.presentation import texts
from services.ui.presentation.components import facts
from services.ui.presentation.vocabulary import Vocabulary


class Choice(TypedDict):
    """An entry of a select."""

    value: str
    label: str


def map_choices(kept: MapVersions) -> list[Choice]:
    """The kept maps for a select, newest first."""
    return [Choice(value=version.id, label=map_label(version)) for version in kept.maps]


def map_label(version: MapVersion) -> str:
    """``2026-11-22 12:00 · clinical · 8,470 cases``."""
    when = version.created.strftime("%Y-%m-%d %H:%M")
    supervised = " · with diagnoses" if version.recipe.supervised else ""
    return f"{when} · {version.recipe.preset}{supervised} · {texts.count(version.cases, 'case')}"


def map_quality(version: MapVersion, vocabulary: Vocabulary) -> Component:
    """Quality figures, folded away."""
    quality = version.quality
    entries = [
        ("Neighbours on the map that are truly similar", f"{texts.percent(quality.trustworthiness)} (trustworthiness)"),
        ("Similar cases that are neighbours on the map", f"{texts.percent(quality.continuity)} (continuity)"),
    ]
    if quality.moved is not None:
        entries.append(("Moved since the map before", f"{texts.percent(quality.moved)} of the width at median"))
    if version.fitted < version.cases:
        entries.append(("Laid out", f"{version.fitted:,} cases; the other {version.cases - version.fitted:,} placed"))
    rows = [
        html.Tr([html.Th(vocabulary.diagnosis(one.diagnosis), scope="row"), *_shares(one.on_map, one.in_latent)])
        for one in sorted(quality.agreement, key=lambda one: vocabulary.order("diagnosis", one.diagnosis))
    ]
    heads = html.Tr([html.Th("Nearest cases of the same diagnosis"), html.Th("on the map"), html.Th("in latents")])
    table = html.Table([html.Thead(heads), html.Tbody(rows)], className="agreement")
    return html.Details([html.Summary("How far to trust this map"), facts(entries), table], className="map-quality")


def kept_maps(kept: MapVersions) -> Component | None:
    """Every kept map with its quality, to compare them; none where there is one only."""
    if len(kept.maps) < 2:
        return None
    names = ("Map", "Trustworthiness", "Continuity", "Neighbours of the same diagnosis")
    heads = html.Tr([html.Th(name, scope="col") for name in names])
    table = html.Table(
        [html.Thead(heads), html.Tbody([_kept(version) for version in kept.maps])], className="agreement"
    )
    return html.Details([html.Summary("All kept maps compared"), table], className="map-quality")


def _kept(version: MapVersion) -> Component:
    quality = version.quality
    alike = [one.on_map for one in quality.agreement]
    figures = [texts.percent(share) for share in (quality.trustworthiness, quality.continuity)]
    figures.append(texts.percent(sum(alike) / len(alike)) if alike else "unknown")
    return html.Tr([html.Th(map_label(version), scope="row"), *(html.Td(one, className="figure") for one in figures)])


def _shares(on_map: float, in_latent: float) -> list[Component]:
    return [html.Td(texts.percent(share), className="figure") for share in (on_map, in_latent)]
