"""Dash on the FastAPI application of the service kit."""

from dash.backends._fastapi import FastAPIDashServer
from dash.exceptions import PreventUpdate
from fastapi import FastAPI, Request, Response


class PageBackend(FastAPIDashServer):
    """Dash's FastAPI backend without its WebSocket and without its catch-all route.

    The page polls, so a socket would only widen the attack surface; an unknown path answers a problem document.
    """

    websocket_capability = False

    def _setup_catchall(self) -> None:
        """Do nothing: Dash calls this when the application that was created last starts, whichever that is."""


def install_no_update(app: FastAPI) -> None:
    """Answer 204 for a callback that changes nothing, before the service kit reports its exception as a bug."""

    async def nothing(_: Request, error: Exception) -> Response:
        assert isinstance(error, PreventUpdate)
        return Response(status_code=204)

    app.add_exception_handler(PreventUpdate, nothing)
