"""The diagnoses of a collection: those it describes, then those that merely occur."""

from collections import Counter
from collections.abc import Iterable

from casekin.collections.colours import with_distinct_colours
from casekin.contracts.collection import Diagnosis


def vocabulary(described: list[Diagnosis], occurring: Iterable[str | None]) -> list[Diagnosis]:
    """`described` in its order, then what else occurs, most frequent first; each has a colour of its own."""
    counts = Counter(code for code in occurring if code is not None)
    known = {diagnosis.code for diagnosis in described}
    further = [Diagnosis(code=code, name=code) for code, _ in counts.most_common() if code not in known]
    return with_distinct_colours([*described, *further])
