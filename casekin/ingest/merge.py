"""Merge the description of a collection that is ingested into that of the cases which are there already."""

from collections.abc import Sequence

from casekin.collections.colours import with_distinct_colours
from casekin.contracts.base import LONGEST_CODE, LONGEST_NOTE
from casekin.contracts.collection import CollectionInfo, Diagnosis, Source


def merged_info(old: CollectionInfo | None, new: CollectionInfo) -> CollectionInfo:
    """The description of the cases that `old` describes (none without cases) and of those of `new` together.

    Where `new` is of all of them, or `old` has nothing but a title, it is `new`. Otherwise what was there first stays:
    title, licence and citation as one of the sources, and every diagnosis, label and weight that both describe.
    """
    if old is None or not (old.licence or old.citation or old.diagnoses or old.labels):
        return _alone(new)
    sources = {source.title: source for source in _sources(old)} | {source.title: source for source in _sources(new)}
    if len(sources) == len(_sources(new)):
        return _alone(new)
    fields = old.labels | new.labels
    return CollectionInfo(
        title=_joined_titles(list(sources)),
        licence=_joined([(source.title, source.licence) for source in sources.values()]),
        citation=_joined([(source.title, source.citation) for source in sources.values()]),
        sources=tuple(sources.values()),
        diagnoses=with_distinct_colours(_diagnoses(old.diagnoses, new.diagnoses)),
        labels={field: new.labels.get(field, {}) | old.labels.get(field, {}) for field in fields},
        evidence_weights=new.evidence_weights | old.evidence_weights,
    )


def _alone(info: CollectionInfo) -> CollectionInfo:
    return info.model_copy(update={"diagnoses": with_distinct_colours(info.diagnoses)})


def _sources(info: CollectionInfo) -> tuple[Source, ...]:
    return info.sources or (Source(title=info.title, licence=info.licence, citation=info.citation),)


def _diagnoses(old: Sequence[Diagnosis], new: Sequence[Diagnosis]) -> list[Diagnosis]:
    """`old` in its order, each completed by what `new` alone says of it, then the others of `new`."""
    by_code = {entry.code: entry for entry in new}
    completed = [_completed(entry, by_code[entry.code]) if entry.code in by_code else entry for entry in old]
    known = {entry.code for entry in old}
    return [*completed, *(entry for entry in new if entry.code not in known)]


def _completed(entry: Diagnosis, other: Diagnosis) -> Diagnosis:
    return other.model_copy(update=entry.model_dump(exclude_none=True))


def _joined_titles(titles: Sequence[str]) -> str:
    *first, last = titles
    joined = f"{', '.join(first)} and {last}"
    return joined if len(joined) <= LONGEST_CODE else f"{len(titles)} collections"


def _joined(texts: Sequence[tuple[str, str | None]]) -> str | None:
    """One line for each source that has a text; none where no source has any."""
    joined = "\n".join(f"{title}: {text}" for title, text in texts if text)
    return (joined if len(joined) <= LONGEST_NOTE else "as each source says") or None
