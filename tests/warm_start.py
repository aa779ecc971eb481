"""Start a module as a process of its own without importing everything anew each time.

A template process, one for each set of imports, imports them once and forks itself for each start; the fork then runs
the module as ``python -m`` would. Processes are real: each can be killed, stopped and waited for on its own. Only
/proc/PID/environ shows the template's environment and not their own.
"""

import gc
import importlib
import json
import os
import runpy
import select
import signal
import socket
import struct
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import IO, Any

ROOT = Path(__file__).parents[1]
CASEKIN = str(Path(sys.executable).with_name("casekin"))
_WORKER = ("services.projector.tasks.worker_process", "sklearn.neighbors", "scipy.optimize")
IMPORTS = {
    CASEKIN: ("casekin.cli",),
    "services.encoder": ("services.encoder.app",),
    "services.search": ("services.search.app",),
    "services.projector.worker": _WORKER,
    "tests.integration.projector.own_kind": _WORKER,
}
"""By program: what its template imports."""
_NUMBER = struct.Struct("i")
_MESSAGE = 1 << 20


class Started:
    """A process that was forked from a template; what `subprocess.Popen` offers, as far as tests use it."""

    def __init__(self, status: int, output: tuple[IO[bytes], IO[bytes]]) -> None:
        self._status, self._output = status, output
        self.returncode: int | None = None
        self.pid = self._read()
        if self.pid is None:
            raise RuntimeError("the template ended before it started the process; its traceback is on stderr")

    def poll(self) -> int | None:
        return self._ended_within(0)

    def wait(self, timeout: float | None = None) -> int:
        if (code := self._ended_within(timeout)) is None:
            raise subprocess.TimeoutExpired(str(self.pid), timeout or 0)
        return code

    def communicate(self, timeout: float | None = None) -> tuple[str, str]:
        """Wait; return what went to stdout and stderr, where `start` was given no file for them."""
        self.wait(timeout)
        for stream in self._output:
            stream.seek(0)
        out, err = (stream.read().decode() for stream in self._output)
        return out, err

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def _ended_within(self, timeout: float | None) -> int | None:
        if self.returncode is None and select.select([self._status], [], [], timeout)[0]:
            code = self._read()
            self.returncode = -signal.SIGKILL if code is None else code
            os.close(self._status)
        return self.returncode

    def _read(self) -> Any:
        read = os.read(self._status, _NUMBER.size)
        return _NUMBER.unpack(read)[0] if read else None


def start(
    program: str,
    *arguments: str | Path,
    env: Mapping[str, str] | None = None,
    cwd: Path = ROOT,
    output: IO[bytes] | None = None,
) -> Started:
    """Start a module or script of `IMPORTS`; stdout and stderr go to `output`, else `communicate` returns them."""
    environment = dict(os.environ if env is None else env)
    template = _template(IMPORTS[program])
    order = {"argv": [program, *map(str, arguments)], "env": environment, "cwd": str(cwd)}
    out, err = (output or tempfile.TemporaryFile() for _ in range(2))  # noqa: SIM115 -- `communicate` reads them
    ours, theirs = os.pipe()
    socket.send_fds(template, [json.dumps(order).encode()], [out.fileno(), err.fileno(), theirs])
    os.close(theirs)
    return Started(ours, (out, err))


@cache
def _template(imports: tuple[str, ...]) -> socket.socket:
    """Our end of the socket of a template, which ends when this process does."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        command = [sys.executable, "-m", "tests.warm_start", str(theirs.fileno()), *imports]
        # Celery reads on import how it shall take SIGTERM; the worker says so before it imports Celery.
        environment = os.environ | {"REMAP_SIGTERM": "SIGQUIT"}
        subprocess.Popen(command, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, pass_fds=[theirs.fileno()])
    return ours


def _serve(connection: socket.socket) -> dict[str, Any] | None:
    """Fork for each order; returns the order in the process that shall carry it out, None at the end."""
    gc.freeze()  # what is there by now is never garbage: the forks need not copy its pages
    while True:
        message, handles, _, _ = socket.recv_fds(connection, _MESSAGE, 3)
        if not message:
            return None
        if os.fork() == 0:
            connection.close()
            return _keep(json.loads(message), *handles)
        for handle in handles:
            os.close(handle)


def _keep(order: dict[str, Any], out: int, err: int, status: int) -> dict[str, Any]:
    """Fork the process itself, and tell its id and how it ended."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    if (pid := os.fork()) == 0:
        for handle, number in ((out, 1), (err, 2)):
            os.dup2(handle, number)
        for handle in (out, err, status):
            os.close(handle)
        return order
    os.close(out)
    os.close(err)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C in a terminal reaches the process itself
    os.write(status, _NUMBER.pack(pid))
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    os.write(status, _NUMBER.pack(code))
    os._exit(0)


def _become(order: dict[str, Any]) -> None:
    os.environ.clear()
    os.environ.update(order["env"])
    os.chdir(order["cwd"])
    program, *_ = sys.argv = order["argv"]
    if program.startswith("/"):
        runpy.run_path(program, run_name="__main__")
    else:
        runpy.run_module(program, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    for name in sys.argv[2:]:
        importlib.import_module(name)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the kernel clears away those that keep watch
    if (ordered := _serve(socket.socket(fileno=int(sys.argv[1])))) is not None:
        _become(ordered)
