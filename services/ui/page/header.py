"""The header: collection, model, state of the services, and the disclaimer."""

import dash_mantine_components as dmc
from dash import html
from dash.development.base_component import Component

from casekin.contracts.collection import Collection
from services.ui.presentation import texts
from services.ui.presentation.components import HIDDEN, aria, icon


def header() -> Component:
    """The header before anything is known; callbacks fill it."""
    brand = html.H1([html.Span(className="mark", **HIDDEN), texts.TITLE], className="brand")
    scheme = dmc.ColorSchemeToggle(
        id="scheme",
        lightIcon=icon("sun"),
        darkIcon=icon("moon"),
        variant="subtle",
        color="gray",
        size=30,
        **aria(label="Switch between light and dark"),
    )
    bar = html.Div(
        [
            brand,
            html.Div(id="collection-title", className="collection-title"),
            html.Div(className="grow"),
            html.Div(id="model-version", className="model-version"),
            html.Div(id="service-state", className="service-state", role="status"),
            scheme,
        ],
        className="header-bar",
    )
    disclaimer = html.Div(texts.NOT_A_DIAGNOSIS, id="not-a-diagnosis", className="disclaimer", role="note")
    return html.Header([bar, disclaimer], id="header")


def collection_title(collection: Collection) -> list[Component]:
    """Title and size of the collection."""
    size = f"{texts.count(collection.cases, 'case')} of {texts.count(collection.lesions, 'lesion')}"
    return [html.Strong(collection.info.title), html.Span(size, className="muted")]


def service_state(readiness: dict[str, bool]) -> list[Component]:
    """A light and a text: all services are ready, or which do not answer."""
    missing = [texts.SERVICES[name] for name, ready in readiness.items() if not ready]
    verb = "does" if len(missing) == 1 else "do"
    text = f"{texts.listed(missing)} {verb} not answer" if missing else "All services ready"
    light = html.Span(className=f"light {'bad' if missing else 'good'}", **HIDDEN)
    return [light, html.Span(text)]
