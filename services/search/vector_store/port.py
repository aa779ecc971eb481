"""The port in front of the vector engine: `CaseIndex`, its reads at one revision, and the types that they exchange."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from casekin.contracts.base import BundleVersion, CaseId
from casekin.contracts.cases import Case
from casekin.contracts.conditions import Condition
from services.search.vector_store.named_vectors import Metric


@dataclass(frozen=True, slots=True)
class StoredCase:
    """A case as the index stores it."""

    case: Case
    latent: NDArray[np.float32]
    """[D], standardised."""
    digest: str
    """sha256 over image bytes and metadata, computed at ingest."""
    image: str
    """Key of its image in the image store."""


class Hits(NamedTuple):
    """Result of a vector search, nearest first."""

    points: list[UUID]
    """The engine's ids of the cases."""
    squared: list[float]
    """Squared weighted distances, in float32 accuracy: off by at most `Metric.error_bound`."""


class IndexView(Protocol):
    """Vector search and case reads for one revision of an index; safe to share between threads.

    A read may see a later write, but never a state older than `revision`. Raises as `CaseIndex` does.
    """

    @property
    def revision(self) -> str:
        """The revision that caches of these reads are valid for."""

    def nearest(
        self,
        metric: Metric,
        q: NDArray[np.float64],
        conditions: Sequence[Condition],
        limit: int,
        without: Collection[UUID] = (),
    ) -> Hits:
        """At most `limit` cases that meet `conditions`, nearest to q [D] first; points in `without` are left out.

        There are fewer only where no more cases meet the conditions.
        """

    def read(self, points: Sequence[UUID]) -> list[StoredCase | None]:
        """The case of each point; none where it has been deleted."""


class CaseIndex(Protocol):
    """Durable storage and search of cases with their latents; safe to share between threads.

    Every method raises `Unavailable` if the engine does not answer, and `StorageFull` if the disk is full.
    """

    def view(self) -> IndexView:
        """Reads at the current revision; the same object while the revision stays the same."""

    def revision(self) -> str:
        """Changes whenever a case is added, changed or deleted; survives restarts."""
        return self.view().revision

    def upsert(self, cases: Sequence[StoredCase]) -> None:
        """Add or replace cases by id; returns when they are durable, and readers see all of a case or none of it."""

    def delete(self, ids: Sequence[CaseId]) -> None:
        """Delete cases; ids that are not stored are ignored."""

    def get(self, ids: Sequence[CaseId]) -> list[StoredCase]:
        """The stored ones of `ids`, in their order."""

    def digests(self, ids: Sequence[CaseId]) -> dict[CaseId, str]:
        """The digests of the stored ones of `ids`; any number of ids, without blocking searches for long."""

    def ids(self, conditions: Sequence[Condition] = ()) -> list[CaseId]:
        """All ids of cases that meet `conditions`, ascending."""

    def count(self, conditions: Sequence[Condition] = ()) -> int:
        """Number of cases that meet `conditions`."""

    def columns(self) -> list[str]:
        """Further fields that cases can be filtered and counted by, as ``attributes.NAME``, ascending."""

    def facet(self, field: str, conditions: Sequence[Condition] = (), most: int | None = None) -> dict[str, int]:
        """Number of cases that meet `conditions` by known value of `field`, the `most` frequent only."""

    def age_range(self) -> tuple[float, float] | None:
        """Minimum and maximum known age in years; none if no age is known."""

    def close(self) -> None:
        """Flush and release all resources."""


def index_name(collection: str, version: BundleVersion) -> str:
    """Name of the folder or Qdrant collection of one bundle's index."""
    return f"{collection}--{version}"
