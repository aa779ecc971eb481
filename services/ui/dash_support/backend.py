"""Dash on the FastAPI application of the service kit."""

from dash.backends._fastapi import FastAPIDashServer
from dash.exceptions import PreventUpdate
from fastapi import FastAPI, Request, Response


class PageBackend(FastAPIDashServer):
    """Dash's FastAPI backend without its WebSocket and without its catch-all route.

    The page polls, so a socket would only be one more door; and an unknown path is a problem document, not the page.
    """

    websocket_capability = False

    def _setup_catchall(self) -> None:
        """Called by Dash at start of the application that was made last, whichever that is."""


def install_no_update(app: FastAPI) -> None:
    """A callback that changes nothing answers 204, before the service kit takes its exception for a bug."""

    async def nothing(_: Request, error: Exception) -> Response:
        assert isinstance(error, PreventUpdate)
        return Response(status_code=204)

    app.add_exception_handler(PreventUpdate, nothing)
