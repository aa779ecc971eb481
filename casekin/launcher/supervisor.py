"""Starts the parts in the order of their needs, starts again what crashes, stops all in reverse."""

import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from casekin.launcher.processes import REFUSED, Child, Part, bound_log
from casekin.launcher.watchdog import Watchdog, signal_group


class State(StrEnum):
    """Where a part is; ``given up`` is final."""

    WAITING = "waiting"
    STARTING = "starting"
    READY = "ready"
    CRASHED = "crashed"
    GIVEN_UP = "given up"
    STOPPED = "stopped"


@dataclass(frozen=True)
class Change:
    """A part went into a state; `detail` says why or where, `lines` are the end of its log where that helps."""

    part: Part
    state: State
    detail: str
    lines: tuple[str, ...] = ()


@dataclass(frozen=True)
class Patience:
    """When a crash is tried again and when no longer; seconds."""

    crashes: int = 5
    """In a row, without having been ready for `steady_s` in between: then the part is given up."""
    steady_s: float = 30.0
    first_wait_s: float = 0.5
    longest_wait_s: float = 30.0

    def wait_s(self, crashes: int) -> float:
        """How long to wait after the last of so many crashes in a row."""
        return min(self.longest_wait_s, self.first_wait_s * 2.0 ** (crashes - 1))


@dataclass
class _Seat:
    part: Part
    state: State = State.WAITING
    child: Child | None = None
    crashes: int = 0
    due: float = 0.0
    ready_since: float = 0.0


class Supervisor:
    """The parts of a plan and what has become of each; one thread at a time may `tick` or `stop` it."""

    def __init__(
        self,
        parts: Sequence[Part],
        watchdog: Watchdog,
        *,
        report: Callable[[Change], None],
        patience: Patience | None = None,
    ) -> None:
        self._seats = {part.name: _Seat(part) for part in parts}
        self._watchdog = watchdog
        self._report = report
        self._patience = patience or Patience()

    @property
    def all_ready(self) -> bool:
        """Whether every part answers that has to be waited for."""
        return all(seat.state is State.READY for seat in self._seats.values() if seat.part.awaited)

    @property
    def given_up(self) -> list[str]:
        """Names of the parts that are not tried again."""
        return [name for name, seat in self._seats.items() if seat.state is State.GIVEN_UP]

    def tick(self) -> None:
        """Look at each part once and do what its state asks for."""
        for seat in self._seats.values():
            if seat.state in (State.STARTING, State.READY):
                self._look(seat)
            elif (seat.state is State.WAITING and self._may_start(seat)) or (
                seat.state is State.CRASHED and time.monotonic() >= seat.due
            ):
                self._launch(seat)

    def bound_logs(self) -> None:
        """Move logs that have grown too large aside."""
        for seat in self._seats.values():
            bound_log(seat.part.log)

    def stop(self) -> None:
        """Stop all, those first that no other part needs."""
        left = [seat for seat in self._seats.values() if seat.child is not None]
        while left:
            needed = {name for seat in left for name in seat.part.after}
            leaves = [seat for seat in left if seat.part.name not in needed]
            self._end(leaves)
            left = [seat for seat in left if seat not in leaves]

    def kill(self) -> None:
        """End all at once, without grace."""
        for seat in self._seats.values():
            if seat.child is not None:
                signal_group(seat.child.pid, signal.SIGKILL)

    def pids(self) -> dict[str, int]:
        """The process id of each part that runs."""
        return {name: seat.child.pid for name, seat in self._seats.items() if seat.child is not None}

    def _may_start(self, seat: _Seat) -> bool:
        return all(self._seats[name].state is State.READY for name in seat.part.after)

    def _launch(self, seat: _Seat) -> None:
        seat.state = State.STARTING
        try:
            seat.child = Child(seat.part)
        except OSError as error:
            self._turn(seat, State.GIVEN_UP, f"cannot be run: {error}")
            return
        self._watchdog.add(seat.child.pid)

    def _look(self, seat: _Seat) -> None:
        assert seat.child is not None
        status = seat.child.status()
        if status is not None:
            self._crashed(seat, f"ended with exit status {status}" if status >= 0 else f"was ended by signal {-status}")
        elif seat.state is State.READY:
            if time.monotonic() - seat.ready_since > self._patience.steady_s:
                seat.crashes = 0
        elif seat.part.ready():
            seat.ready_since = time.monotonic()
            self._turn(seat, State.READY, f"after {seat.child.age_s:.1f} s")
        elif seat.child.age_s > seat.part.ready_within_s:
            self._crashed(seat, f"was not ready within {seat.part.ready_within_s:g} s")

    def _crashed(self, seat: _Seat, what: str) -> None:
        assert seat.child is not None
        refused = seat.child.status() == REFUSED
        lines = tuple(seat.child.last_lines())
        seat.child.end(within_s=0)
        self._watchdog.remove(seat.child.pid)
        seat.child = None
        seat.crashes += 1
        if refused:
            self._turn(seat, State.GIVEN_UP, "refuses to start", lines)
        elif seat.crashes >= self._patience.crashes:
            self._turn(seat, State.GIVEN_UP, f"{what}, {seat.crashes} times in a row", lines)
        else:
            wait_s = self._patience.wait_s(seat.crashes)
            seat.due = time.monotonic() + wait_s
            self._turn(seat, State.CRASHED, f"{what}; starting it again in {wait_s:g} s")

    def _end(self, seats: list[_Seat]) -> None:
        children = [seat.child for seat in seats if seat.child is not None]
        for child in children:
            child.ask_to_stop()
        deadline = time.monotonic() + max((child.part.stop_within_s for child in children), default=0.0)
        for seat, child in zip(seats, children, strict=True):
            by_itself = child.end(within_s=deadline - time.monotonic())
            self._watchdog.remove(child.pid)
            seat.child = None
            self._turn(seat, State.STOPPED, "" if by_itself else f"killed after {child.part.stop_within_s:g} s")

    def _turn(self, seat: _Seat, state: State, detail: str, lines: tuple[str, ...] = ()) -> None:
        seat.state = state
        self._report(Change(seat.part, state, detail, lines))
