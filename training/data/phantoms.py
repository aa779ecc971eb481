"""Phantoms to train on: a collection of synthetic lesions, drawn once, with the factors of each picture."""

from pathlib import Path

import numpy as np

from casekin.collections import read_table
from casekin.errors import BadInput
from casekin.phantoms import SCALES, write_phantoms
from training.data.ground_truth import Factor, FactorTable

WORD = "phantoms"
"""In place of a folder; `phantoms:500` draws so many."""
COUNT, SEED = 2000, 7


def phantom_collection(word: str, cache: Path) -> Path:
    """Return the folder under `cache` with the number of phantoms in `word`, which the first call draws.

    It has the form of HAM10000's download, with lesions, metadata and made-up diagnoses (`casekin.phantoms`). Raises
    `BadInput` where `word` is not `phantoms` or `phantoms:COUNT`.
    """
    text = str(COUNT) if word == WORD else word.removeprefix(f"{WORD}:")
    if not text.isdecimal() or int(text) == 0:
        raise BadInput(f"{word!r} is no number of phantoms; use {WORD} or, say, {WORD}:500")
    count = int(text)
    folder = cache / f"{WORD}-{count}-{SEED}"
    for _ in write_phantoms(folder, count=count, seed=SEED):
        pass
    return folder


def has_phantom_factors(folder: Path) -> bool:
    """Whether `folder` holds phantoms, whose factors are known."""
    return (folder / "factors.csv").is_file()


def phantom_factors(folder: Path, ids: list[str]) -> FactorTable:
    """Return what the phantoms of these ids were drawn from, rows in that order; columns are those of `SCALES`.

    They are as the made-up diagnoses have them, so they depend on each other; raises `BadInput` for an unknown id.
    """
    table = read_table(folder / "factors.csv")
    known = {line.values[0]: line.values[1:] for line in table.lines}
    if missing := [id for id in ids if id not in known]:
        raise BadInput(
            f"{table.name} has no factors of {missing[0]} and {len(missing) - 1} more; draw the phantoms again"
        )
    values = np.array([known[id] for id in ids], np.float64).reshape(len(ids), len(SCALES))
    return FactorTable(tuple(Factor(name, ordered=True) for name in SCALES), values)
