"""Which diagnoses the matches have, as they are and corrected for how common each is in the collection."""

from collections import Counter
from collections.abc import Mapping, Sequence

from casekin.contracts.neighbours import DiagnosisShare, NeighbourStatistics
from casekin.contracts.search import Match

NEIGHBOURS = 16
"""That have a say, however many are shown (as in Tschandl et al., Br J Dermatol 2019)."""


def neighbour_statistics(matches: Sequence[Match], collection: Mapping[str, int]) -> NeighbourStatistics:
    """Diagnoses among `matches`, most frequent by share first; `collection` counts each in the whole collection.

    A match weighs by its similarity s: share(c) = sum of s over matches with c / sum of s over all whose diagnosis is
    known; corrected(c) is share(c) / prior(c), normalised to sum to 1. Where all similarities are 0, all weigh alike.
    """
    known = [(match.case.diagnosis, match.similarity) for match in matches if match.case.diagnosis is not None]
    counts = Counter(diagnosis for diagnosis, _ in known)
    weights: dict[str, float] = dict.fromkeys(counts, 0.0)
    for diagnosis, similarity in known:
        weights[diagnosis] += similarity
    if not sum(weights.values()):
        weights = {c: float(count) for c, count in counts.items()}
    share = _normalised(weights)
    corrected = _normalised({c: share[c] / max(1, collection.get(c, 0)) for c in share})
    order = sorted(counts, key=lambda c: (-share[c], -counts[c], c))
    diagnoses = [
        DiagnosisShare(diagnosis=c, count=counts[c], share=min(1.0, share[c]), corrected=min(1.0, corrected[c]))
        for c in order
    ]
    return NeighbourStatistics(neighbours=len(matches), diagnoses=diagnoses)


def _normalised(amounts: Mapping[str, float]) -> dict[str, float]:
    total = sum(amounts.values())
    return {name: amount / total for name, amount in amounts.items()}
