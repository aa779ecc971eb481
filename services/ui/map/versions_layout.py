"""The kept maps to choose from, and how far the one shown can be trusted."""

from collections.abc import Mapping, Sequence
from typing import TypedDict

from dash import html
from dash.development.base_component import Component

from casekin.contracts.base import Code
from casekin.contracts.bundle import BundleManifest
from casekin.contracts.maps import Agreement, MapVersion, MapVersions
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


def held_out_of(manifest: BundleManifest, version: MapVersion) -> Mapping[Code, float]:
    """By diagnosis, how often nearest cases have it for images new to the encoder, under the weights of the map.

    Empty where the manifest is of another bundle than the map, or does not say.
    """
    if manifest.version != version.bundle_version:
        return {}
    return manifest.held_out_agreement.get(version.recipe.preset, {})


def map_quality(version: MapVersion, vocabulary: Vocabulary, held_out: Mapping[Code, float]) -> Component:
    """Quality figures, folded away.

    `held_out` are shares of nearest cases with the same diagnosis for images that the encoder had never seen, by
    diagnosis; empty where they are not known.
    """
    quality = version.quality
    entries = [
        ("Neighbours on the map that are truly similar", f"{texts.percent(quality.trustworthiness)} (trustworthiness)"),
        ("Similar cases that are neighbours on the map", f"{texts.percent(quality.continuity)} (continuity)"),
    ]
    if quality.moved is not None:
        entries.append(("Moved since the map before", f"{texts.percent(quality.moved)} of the width at median"))
    if version.fitted < version.cases:
        entries.append(("Laid out", f"{version.fitted:,} cases; the other {version.cases - version.fitted:,} placed"))
    agreement = sorted(quality.agreement, key=lambda one: vocabulary.order("diagnosis", one.diagnosis))
    parts = _agreement(agreement, vocabulary, held_out) if agreement else []
    return html.Details([html.Summary("How far to trust this map"), facts(entries), *parts], className="map-quality")


def _agreement(agreement: list[Agreement], vocabulary: Vocabulary, held_out: Mapping[Code, float]) -> list[Component]:
    """How often nearest cases have the same diagnosis, beside how often that is so for images new to the encoder."""
    names = ["on the map", "in latents", *(["new images"] if held_out else [])]
    heads = html.Tr(
        [html.Th("Nearest cases of the same diagnosis", scope="col"), *(html.Th(name, scope="col") for name in names)]
    )
    rows = [
        html.Tr(
            [
                html.Th(vocabulary.diagnosis(one.diagnosis), scope="row"),
                *_shares([one.on_map, one.in_latent]),
                *(_shares([held_out.get(one.diagnosis)]) if held_out else []),
            ]
        )
        for one in agreement
    ]
    told = texts.HELD_OUT_AGREEMENT if held_out else texts.NO_HELD_OUT_AGREEMENT
    note = html.P(f"{texts.AGREEMENT_ON_MAP} {told}", className="muted agreement-note")
    return [html.Table([html.Thead(heads), html.Tbody(rows)], className="agreement"), note]


def kept_maps(kept: MapVersions) -> Component | None:
    """Every kept map with its quality, to compare them; none where there is one only."""
    if len(kept.maps) < 2:
        return None
    names = ("Map", "Trustworthiness", "Continuity", "Neighbours of the same diagnosis")
    heads = html.Tr([html.Th(name, scope="col") for name in names])
    table = html.Table(
        [html.Thead(heads), html.Tbody([_kept(version) for version in kept.maps])], className="agreement"
    )
    note = html.P(texts.AGREEMENT_ON_MAP, className="muted agreement-note")
    return html.Details([html.Summary("All kept maps compared"), table, note], className="map-quality")


def _kept(version: MapVersion) -> Component:
    quality = version.quality
    alike = [one.on_map for one in quality.agreement]
    figures = [texts.percent(share) for share in (quality.trustworthiness, quality.continuity)]
    figures.append(texts.percent(sum(alike) / len(alike)) if alike else "unknown")
    return html.Tr([html.Th(map_label(version), scope="row"), *(html.Td(one, className="figure") for one in figures)])


def _shares(shares: Sequence[float | None]) -> list[Component]:
    return [html.Td("-" if share is None else texts.percent(share), className="figure") for share in shares]
