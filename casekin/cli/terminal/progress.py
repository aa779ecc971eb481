"""Progress of long work: a bar with rate and remaining time on a terminal, a plain line now and then elsewhere."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, Task, TextColumn, TimeRemainingColumn
from rich.text import Text

PLAIN_EVERY_S = 10.0


class Meter(Protocol):
    """Called with the number of pieces done."""

    def __call__(self, done: int) -> None:
        """`done` of the total, so far."""


@contextmanager
def progress(label: str, total: int) -> Iterator[Meter]:
    """Show the progress of `total` pieces of work on standard error."""
    console = Console(stderr=True)
    if console.is_terminal:
        with _bar(console) as bar:
            task = bar.add_task(escape(label), total=total)  # a title may have what looks like rich's markup
            yield lambda done: bar.update(task, completed=done)
    else:
        yield PlainMeter(label, total)


class PlainMeter:
    """Writes a line every `PLAIN_EVERY_S` seconds, and one at the end; none where there is nothing to do."""

    def __init__(self, label: str, total: int) -> None:
        self._label, self._total = label, total
        self._started = self._written = time.monotonic()
        self._ended = total == 0

    def __call__(self, done: int) -> None:
        """Write a line if it is time to."""
        now = time.monotonic()
        if self._ended or (now - self._written < PLAIN_EVERY_S and done < self._total):
            return
        self._written, self._ended = now, done >= self._total
        rate = done / max(now - self._started, 1e-3)
        left = f", {(self._total - done) / rate:.0f} s left" if 0 < done < self._total else ""
        print(f"{self._label}: {done} of {self._total}, {rate:.1f}/s{left}", file=sys.stderr, flush=True)


class _Rate(TextColumn):
    def __init__(self) -> None:
        super().__init__("")

    def render(self, task: Task) -> Text:
        """Pieces a second, lately."""
        speed = task.finished_speed or task.speed
        return Text(f"{speed:.1f}/s" if speed else "")


def _bar(console: Console) -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), _Rate(), TimeRemainingColumn())
    return Progress(*columns, console=console)
