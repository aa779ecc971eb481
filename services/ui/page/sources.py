"""The sources of the collection with licence and citation, at the foot of the page."""

from dash import html
from dash.development.base_component import Component

from casekin.contracts.collection import CollectionInfo, Source
from services.ui.presentation import texts


def source_notices(info: CollectionInfo) -> list[Component]:
    """One notice a source: its title, licence and citation."""
    own = Source(title=info.title, licence=info.licence, citation=info.citation)
    return [_notice(source) for source in info.sources or (own,)]


def _notice(source: Source) -> Component:
    parts = [html.Strong(source.title), html.Span(source.licence or texts.NO_LICENCE)]
    if source.citation:
        parts.append(html.Span(source.citation))
    return html.Li(parts, className="source")
