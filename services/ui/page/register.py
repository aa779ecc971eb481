"""What the page does: callbacks from the browser's state to calls of the services and back."""

from dash import Dash

from services.ui.case import callbacks as case
from services.ui.case import trajectory
from services.ui.filters import callbacks as filters
from services.ui.jobs import callbacks as jobs
from services.ui.map import callbacks as map_figure
from services.ui.map import versions
from services.ui.page import collection
from services.ui.rollouts import callbacks as rollouts
from services.ui.rollouts import dimension_names, joint_and_animation
from services.ui.search import callbacks as search
from services.ui.search import steering_callbacks
from services.ui.session.service_cache import Catalog
from services.ui.upload import additional_images
from services.ui.upload import callbacks as upload
from services.ui.weights import callbacks as weights


def register_callbacks(app: Dash, catalog: Catalog) -> None:
    """Tie every part of the page to `catalog` and its services."""
    parts = (
        collection,
        upload,
        additional_images,
        filters,
        search,
        map_figure,
        versions,
        rollouts,
        joint_and_animation,
        dimension_names,
        case,
        trajectory,
        jobs,
    )
    for part in parts:
        part.register(app, catalog)
    steering_callbacks.register(app)
    weights.register(app)
