"""What the page does: callbacks from the browser's state to calls of the services and back."""

from dash import Dash

from services.ui.callbacks import (
    case,
    collection,
    filters,
    further,
    jobs,
    joint,
    map,
    map_versions,
    names,
    rollouts,
    search,
    steered,
    upload,
    ways,
    weights,
)
from services.ui.catalog import Catalog


def register_callbacks(app: Dash, catalog: Catalog) -> None:
    """Tie every part of the page to `catalog` and its services."""
    parts = (
        collection,
        upload,
        further,
        filters,
        search,
        map,
        map_versions,
        rollouts,
        joint,
        names,
        case,
        ways,
        jobs,
    )
    for part in parts:
        part.register(app, catalog)
    steered.register(app)
    weights.register(app)
