"""The cases of a collection with their diagnoses and folds, as training sees them."""

import logging
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from casekin.collections import (
    CollectionSpec,
    ImageSource,
    LoadedCollection,
    Row,
    built_in_names,
    built_in_spec,
    open_collection,
    read_spec,
)
from casekin.contracts.collection import CollectionInfo
from casekin.errors import BadInput
from training.data.folds import Folding, assigned
from training.data.vocabulary import Vocabulary

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class LabelledCase:
    """One image with its labels, as training uses them."""

    id: str
    lesion: str
    """Images of one lesion share it and a fold. The patient or the image where the table names no lesion."""
    diagnosis: str
    """The one that search shows."""
    fold: int
    evidence: str = ""
    """How the diagnosis was confirmed; empty where the table does not say, like the four that follow."""
    age: float | None = None
    """Years."""
    sex: str = ""
    site: str = ""
    """Of the body, as a code."""
    source: str = ""
    """Clinic or device."""
    labels: tuple[str, ...] = ()
    """All diagnoses where the image has several, `diagnosis` first; else empty."""
    columns: Mapping[str, str] = field(default_factory=dict)
    """Further columns of the table."""

    @property
    def diagnoses(self) -> tuple[str, ...]:
        """All diagnoses, one or several."""
        return self.labels or (self.diagnosis,)


@dataclass(frozen=True)
class LabelledCollection:
    """A collection that can be trained on."""

    info: CollectionInfo
    cases: list[LabelledCase]
    """By id."""
    images: dict[str, ImageSource]
    """By id of the case; read lazily."""

    def vocabulary(self, codes: Iterable[str] | None = None) -> Vocabulary:
        """Return the diagnoses that occur, or those of `codes`, as the collection describes them."""
        return Vocabulary.of(occurring_diagnoses(self.cases) if codes is None else codes, self.info.diagnoses)


def read_collection(folder: Path, mapping: str | CollectionSpec = "", folds: int = 5) -> LabelledCollection:
    """Read the table of `folder`, with a fold for each case by `training.data.folds`: from `folds.csv` or else a hash.

    `mapping` is a built-in one (isic, nih, ...) or a TOML file; empty takes the folder's `collection.toml`, or
    recognises a download by its columns. Cases without a diagnosis, and those that a `folds.csv` leaves out, are left
    out here. Raises `BadInput` where there is nothing to learn from, or a lesion or a patient has images in two folds.
    """
    loaded = open_collection(folder, _spec(mapping))
    fold_of = assigned(folder, loaded.rows, folds)
    labelled = [row for row in loaded.rows if row.labels and row.case.id in fold_of]
    _log_omissions(loaded, fold_of)
    if not labelled:
        raise BadInput(f"no line of {' or '.join(loaded.tables)} has an image and a diagnosis: {_faults(loaded)}")
    cases = sorted((_case(row, fold_of[row.case.id]) for row in labelled), key=lambda case: case.id)
    return LabelledCollection(loaded.info, cases, {row.case.id: row.image for row in labelled})


def in_folds(cases: Sequence[LabelledCase], folds: Sequence[int]) -> list[int]:
    """Return the positions of the cases whose fold is among `folds`."""
    return [position for position, case in enumerate(cases) if case.fold in folds]


def occurring_diagnoses(cases: Sequence[LabelledCase]) -> list[str]:
    """Return the diagnoses that occur, in alphabetical order: the order of the head's outputs."""
    return sorted({label for case in cases for label in case.diagnoses})


def _spec(mapping: str | CollectionSpec) -> CollectionSpec | None:
    if isinstance(mapping, CollectionSpec):
        return mapping
    if not mapping:
        return None
    if mapping in built_in_names():
        return built_in_spec(mapping)
    if not Path(mapping).is_file():
        raise BadInput(f"there is no mapping {mapping!r}; known: {', '.join(built_in_names())}, or a TOML file")
    return read_spec(Path(mapping))


def _case(row: Row, fold: Folding) -> LabelledCase:
    case = row.case
    return LabelledCase(
        id=case.id,
        lesion=fold.lesion,
        diagnosis=row.labels[0],
        fold=fold.number,
        evidence=case.evidence or "",
        age=case.age,
        sex=case.sex or "",
        site=case.site or "",
        source=case.source or "",
        labels=row.labels if len(row.labels) > 1 else (),
        columns=case.attributes,
    )


def _log_omissions(loaded: LoadedCollection, fold_of: dict[str, Folding]) -> None:
    unnamed = sum(not row.labels for row in loaded.rows)
    unfolded = sum(row.case.id not in fold_of for row in loaded.rows)
    for count, why in ((unnamed, "have no diagnosis"), (unfolded, "are not in folds.csv")):
        if count:
            log.warning("%d of %d cases %s and are left out", count, len(loaded.rows), why)
    if loaded.skipped:
        log.warning("left out as well: %s", _faults(loaded))


def _faults(loaded: LoadedCollection) -> str:
    counts = Counter(fault.code for fault in loaded.skipped)
    examples = {fault.code: fault.reason for fault in reversed(loaded.skipped)}
    listed = [f"{count} x {code} ({examples[code]})" for code, count in counts.most_common()]
    return "; ".join(listed) or "nothing skipped"
