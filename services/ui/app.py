"""The composition root of the page."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import structlog
from dash import Dash, set_props
from fastapi import FastAPI

from casekin.clients import EncoderClient, ProjectorClient, SearchClient
from casekin.errors import CasekinError, Unexpected
from casekin.service.app import create_service
from services.ui.dash_support.backend import PageBackend, install_no_update
from services.ui.page.layout import page
from services.ui.page.register import register_callbacks
from services.ui.presentation import texts
from services.ui.presentation.components import error_box
from services.ui.routes import dimension_routes, image_routes
from services.ui.security.basic_auth import BasicAuth
from services.ui.security.request_guard import RequestGuard, SecurityHeaders, policy
from services.ui.session.service_cache import Catalog, Services
from services.ui.settings import UiSettings

log = structlog.get_logger("ui")


def create_app(settings: UiSettings) -> FastAPI:
    """The page and its image routes behind sign-in, origin check and security headers."""
    services = _services(settings)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        services.close()

    # ready as soon as it runs: the page names a service that is missing, which a load balancer cannot
    app = create_service("ui", settings, [], ready=lambda: None, lifespan=lifespan)
    catalog = Catalog(services)
    app.include_router(image_routes(services.search))
    app.include_router(dimension_routes(catalog))
    dash = create_page(app, catalog)
    if settings.named_users:
        app.add_middleware(BasicAuth, users=settings.named_users)
    app.add_middleware(RequestGuard, loopback_only=settings.loopback_only)
    app.add_middleware(SecurityHeaders, content_policy=policy(dash.csp_hashes()))
    return app


def create_page(app: FastAPI, catalog: Catalog) -> Dash:
    """The Dash page on `app`; all its code is served from here."""
    dash = Dash(
        "services.ui",
        server=False,
        backend=PageBackend,
        assets_folder=str(Path(__file__).parent / "assets"),
        title=texts.TITLE,
        update_title="",
        serve_locally=True,
        compress=True,
        on_error=_explain,
        suppress_callback_exceptions=True,
    )
    dash.layout = page()
    register_callbacks(dash, catalog)
    install_no_update(app)
    dash.init_app(app)
    return dash


def _services(settings: UiSettings) -> Services:
    key = settings.api_key.get_secret_value() if settings.api_key else None
    return Services(
        encoder=EncoderClient(settings.encoder_url, api_key=key),
        search=SearchClient(settings.search_url, api_key=key),
        projector=ProjectorClient(settings.projector_url, api_key=key),
    )


def _explain(error: Exception) -> None:
    """Handle an error that a callback did not foresee: the trace goes to the log, a message to the page."""
    log.error("callback", exc_info=error)
    known = error if isinstance(error, CasekinError) else Unexpected("the log of the page's server has the trace")
    set_props("page-notice", {"children": error_box(known, doing=texts.BUG)})
