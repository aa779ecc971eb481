"""Output of the launcher on its terminal: one line per change."""

import contextlib

from rich.console import Console
from rich.markup import escape

from casekin.launcher.supervisor import Change, State

COLOURS = {
    State.READY: "green",
    State.CRASHED: "yellow",
    State.GIVEN_UP: "red",
    State.STOPPED: "dim",
}


class Terminal:
    """Lines for people; colours only where the output is a terminal."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(highlight=False, soft_wrap=True)

    def say(self, text: str) -> None:
        """One line, as it is."""
        self._print(escape(text))

    def change(self, change: Change) -> None:
        """A part's new state, where it answers, and the end of its log where it has to be given up."""
        colour = COLOURS.get(change.state, "default")
        name = f"{change.part.name:<18}"
        place = f"  {change.part.url}" if change.part.url and change.state is State.READY else ""
        state = f"[{colour}]{change.state.value:<9}[/]"
        self._print(f"  {escape(name)} {state} {escape(change.detail + place)}".rstrip())
        for line in change.lines:
            self._print(f"      [dim]| {escape(line)}[/]")
        if change.lines:
            self._print(f"      the whole log: {escape(str(change.part.log))}")

    def _print(self, markup: str) -> None:
        with contextlib.suppress(OSError, SystemExit):  # a closed terminal must not keep parts running
            self._console.print(markup)
