"""The launcher: lock the data folder, run the plan, and stop it however the block around it is left."""

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import FrameType

from casekin.errors import Unavailable
from casekin.launcher.console import Terminal
from casekin.launcher.processes import Plan
from casekin.launcher.state import Running, forget_running, take_lock, write_running
from casekin.launcher.supervisor import Patience, Supervisor
from casekin.launcher.watchdog import Watchdog

POLL_S = 0.1
LOGS_EVERY = 100
"""Polls between two checks of the size of the logs."""
Handler = Callable[[int, FrameType | None], object] | int | None
"""Of a signal; a number stands for the default or for ignoring it."""
STOPS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def launched(
    data: Path, planned: Callable[[], Plan], terminal: Terminal, *, patience: Patience | None = None
) -> Iterator[Running]:
    """All parts of a plan, ready, for as long as the block lasts; what crashes meanwhile is started again.

    Locks `data` for this launcher alone, then calls `planned` for the plan. Ctrl-C, SIGTERM and SIGHUP raise
    KeyboardInterrupt in the block; a second one while the parts are being stopped kills them.
    Raises `Conflict` where another launcher has the folder, `Unavailable` where a part cannot be started.
    Only from the main thread.
    """
    data.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        lock = take_lock(data)
        stack.callback(lock.release)
        plan = planned()
        watchdog = Watchdog(lock.descriptor)
        stack.callback(watchdog.close)
        supervisor = Supervisor(plan.parts, watchdog, report=terminal.change, patience=patience)
        stack.callback(_stop, supervisor, _on_signals(_interrupt))
        stack.callback(_watched(supervisor))
        _wait_ready(supervisor)
        stack.callback(forget_running, data)
        yield write_running(data, plan.urls)


def _watched(supervisor: Supervisor) -> Callable[[], None]:
    """Drive the supervisor in a thread of its own, which no signal interrupts; returns a function that ends it."""
    ended = threading.Event()

    def watch() -> None:
        polls = 0
        while not ended.wait(POLL_S):
            supervisor.tick()
            polls += 1
            if polls % LOGS_EVERY == 0:
                supervisor.bound_logs()

    thread = threading.Thread(target=watch, name="supervisor", daemon=True)

    def end() -> None:
        ended.set()
        thread.join()

    thread.start()
    return end


def _wait_ready(supervisor: Supervisor) -> None:
    while not supervisor.all_ready:
        if lost := supervisor.given_up:
            raise Unavailable(f"{', '.join(lost)} cannot be started: see above")
        time.sleep(POLL_S)


def _stop(supervisor: Supervisor, before: dict[signal.Signals, Handler]) -> None:
    _on_signals(lambda *_: supervisor.kill())
    supervisor.stop()
    for number, handler in before.items():
        signal.signal(number, handler)


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def _on_signals(handler: Handler) -> dict[signal.Signals, Handler]:
    return {number: signal.signal(number, handler) for number in STOPS}
