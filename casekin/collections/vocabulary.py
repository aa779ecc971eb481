"""The diagnoses of a collection: those it describes, then those that merely occur."""

from collections import Counter
from collections.abc import Iterable

from casekin.contracts.search import Diagnosis

PALETTE = (
    "#332288", "#88ccee", "#44aa99", "#117733", "#999933", "#ddcc77", "#cc6677", "#882255", "#aa4499",
)  # fmt: skip
"""For diagnoses without a colour of their own; Paul Tol's muted scheme, apart for colour-blind eyes."""


def vocabulary(described: list[Diagnosis], occurring: Iterable[str | None]) -> list[Diagnosis]:
    """`described` in its order, then what else occurs, most frequent first; each has a colour as long as they last."""
    counts = Counter(code for code in occurring if code is not None)
    known = {diagnosis.code for diagnosis in described}
    further = [Diagnosis(code=code, name=code) for code, _ in counts.most_common() if code not in known]
    free = iter([colour for colour in PALETTE if colour not in {d.colour for d in described}])
    return [d if d.colour else d.model_copy(update={"colour": next(free, None)}) for d in [*described, *further]]
