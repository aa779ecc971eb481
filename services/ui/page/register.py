"""Registers the callbacks of all features."""

from dash import Dash

from services.ui.case import callbacks as case
from services.ui.case import trajectory
from services.ui.filters import callbacks as filters
from services.ui.jobs import callbacks as jobs
from services.ui.map import callbacks as map_callbacks
from services.ui.map import fit_job, versions
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
    """Register every feature of the page with the services of `catalog`."""
    features = (
        collection,
        upload,
        additional_images,
        filters,
        search,
        map_callbacks,
        fit_job,
        versions,
        rollouts,
        joint_and_animation,
        dimension_names,
        case,
        trajectory,
        jobs,
    )
    for feature in features:
        feature.register(app, catalog)
    steering_callbacks.register(app)
    weights.register(app)
