"""The diagnoses that a model distinguishes, as their collection describes them."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from casekin.contracts.collection import Diagnosis

Bools = npt.NDArray[np.bool_]

MELANOMA = re.compile(r"(?<!non[ -])\bmelanoma", re.IGNORECASE)
"""In the name of a malignant diagnosis. Melanomas have a figure of their own in the literature on retrieval."""


@dataclass(frozen=True)
class Vocabulary:
    """C diagnoses; a label is a position among `codes`."""

    codes: tuple[str, ...]
    """In the order of the class head's outputs."""
    described: tuple[Diagnosis, ...] = ()
    """Names and malignancy of those that the collection describes."""

    @classmethod
    def of(cls, codes: Iterable[str], described: Sequence[Diagnosis]) -> "Vocabulary":
        """Return the vocabulary of `codes`, with their description in a collection."""
        known = tuple(codes)
        return cls(known, tuple(diagnosis for diagnosis in described if diagnosis.code in known))

    def __len__(self) -> int:
        """Return C."""
        return len(self.codes)

    def name(self, code: str) -> str:
        """Return the name that the collection gives a diagnosis, or else its code."""
        return next((diagnosis.name for diagnosis in self.described if diagnosis.code == code), code)

    @property
    def malignant(self) -> tuple[str, ...]:
        """Codes that the collection calls malignant, in the order of `codes`."""
        called = {diagnosis.code for diagnosis in self.described if diagnosis.malignant}
        return tuple(code for code in self.codes if code in called)

    @cached_property
    def is_malignant(self) -> Bools:
        """[C]"""
        return np.isin(np.asarray(self.codes, dtype=str), self.malignant)

    @cached_property
    def is_melanoma(self) -> Bools:
        """[C], malignant and called melanoma: several where the collection distinguishes invasive from in situ."""
        named = [bool(MELANOMA.search(self.name(code))) for code in self.codes]
        return np.asarray(self.is_malignant & np.array(named, dtype=bool))
