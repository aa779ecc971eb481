"""The whole page: header, side, tabs, dialogs, sources, and the stores of the session."""

import dash_mantine_components as dmc
from dash import dcc, html
from dash.development.base_component import Component

from services.ui.case.layout import case_modal
from services.ui.filters.layout import filter_panel
from services.ui.jobs.layout import jobs_panel
from services.ui.map.layout import map_panel
from services.ui.page.header import header
from services.ui.presentation import texts
from services.ui.presentation.components import aria
from services.ui.rollouts.dimension_names_layout import name_modal
from services.ui.rollouts.layout import rollouts_panel
from services.ui.search.match_cards import matches_panel
from services.ui.session.search_request import Steering
from services.ui.upload.layout import upload_panel

STORES = (
    "collection",
    "model",
    "staged",
    "query",
    "additional",
    "additional-staged",
    "additional-encoded",
    "start-case",
    "own-lesion",
    "examples",
    "results",
    "placement",
    "map-fitted",
    "map-drawn",
    "map-job",
    "rollouts-job",
    "rollout-paths",
    "map-path",
    "case-path-data",
    "named-dimension",
    "open-case",
    "case-lesion",
    "map-look",
    "nearness",
)
"""In the memory of the tab only."""
LAGOON = (
    "#e6f6f5",
    "#cfeae8",
    "#a3d8d5",
    "#78c9c5",
    "#4fc3bd",
    "#2a9d98",
    "#158280",
    "#0b6e6e",
    "#095a5a",
    "#064545",
)
"""Shades of the accent, as in the style sheet."""
THEME = {
    "colors": {"lagoon": list(LAGOON)},
    "primaryColor": "lagoon",
    "primaryShade": {"light": 7, "dark": 4},
    "fontFamily": "inherit",
    "defaultRadius": "sm",
    "cursorType": "pointer",
    "autoContrast": True,
}


def page() -> Component:
    """The page as first sent, without data."""
    stores = [dcc.Store(id=name, storage_type="memory") for name in STORES]
    steering = dcc.Store(id="steering", storage_type="memory", data=Steering().model_dump())
    # choices that say nothing of a patient, so they outlive a reload of the tab
    kept = [dcc.Store(id=name, storage_type="session") for name in ("weights", "steps-shown")]
    side = html.Aside([upload_panel(), filter_panel()], className="side")
    body = html.Div(
        [
            header(),
            html.Div(id="collection-notice"),
            html.Div(id="page-notice"),
            html.Div(
                texts.PAGE_UNREACHABLE, id="page-unreachable", className="error-box banner", role="alert", hidden=True
            ),
            html.Div([side, html.Main(_tabs(), className="main")], className="columns"),
            html.Footer(html.Ul(id="sources", className="sources", **aria(label="Sources of the images"))),
            case_modal(),
            name_modal(),
            *stores,
            steering,
            *kept,
            dcc.Interval(id="collection-poll", interval=15_000),
        ],
        id="workspace",
        className="workspace",
    )
    provider: Component = dmc.MantineProvider(body, theme=THEME, defaultColorScheme="auto")
    return provider


def _tabs() -> Component:
    tabs = (
        ("matches", "Matches", matches_panel()),
        ("map", "Map", map_panel()),
        ("rollouts", "Rollouts", rollouts_panel()),
        ("jobs", "Jobs", jobs_panel()),
    )
    heads = [dmc.TabsTab(label, value=value, id=f"tab-{value}") for value, label, _ in tabs]
    panels = [dmc.TabsPanel(panel, value=value) for value, _, panel in tabs]
    drawn: Component = dmc.Tabs([dmc.TabsList(heads), *panels], id="tabs", value="matches", keepMounted=True)
    return drawn
