"""What a callback answers: the values of its outputs, by the names of its ``output`` dictionary."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Outputs:
    """Base of one dataclass a callback, with a field for each of its outputs; defaults say what to show otherwise."""

    def by_name(self) -> dict[str, object]:
        """As Dash expects them; components are not copied."""
        return dict(vars(self))
