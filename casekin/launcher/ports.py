"""Free TCP ports."""

import random
import socket

from casekin.errors import Conflict

PAGE_PORT = 8100
"""Where the page is looked for first."""
_QUIET = range(20_000, 32_000)
"""Below the ports of outgoing connections: one of those could be given away before a service listens on it."""
_TRIES = 50


def free_port(host: str = "127.0.0.1") -> int:
    """A port that nothing listens on now, and that no outgoing connection will be given."""
    for port in random.SystemRandom().sample(_QUIET, _TRIES):
        if is_free(host, port):
            return port
    with _socket(host) as probe:
        probe.bind((host, 0))
        any_port: int = probe.getsockname()[1]
        return any_port


def is_free(host: str, port: int) -> bool:
    """Whether a server could listen on `port`."""
    with _socket(host) as probe:
        try:
            probe.bind((host, port))
            probe.listen()
        except OSError:
            return False
    return True


def page_port(host: str, port: int | None) -> int:
    """`port`, or without one `PAGE_PORT`, or a free port where that is taken; 0 takes a free one.

    Raises `Conflict` where `port` is taken.
    """
    if port is None:
        return PAGE_PORT if is_free(host, PAGE_PORT) else free_port(host)
    if port and not is_free(host, port):
        raise Conflict(
            f"port {port} on {host} is taken by another program: stop that, give another one with --port, or leave "
            "--port out and a free one is found"
        )
    return port or free_port(host)


def _socket(host: str) -> socket.socket:
    probe = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as servers do, past connections that linger
    return probe
