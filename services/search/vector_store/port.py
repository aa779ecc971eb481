"""The port behind which the vector engine lies, and the words it speaks: stored cases, hits, conditions."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, Protocol
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from casekin.contracts.base import CaseId
from casekin.contracts.conditions import Condition
from casekin.contracts.search import Case

Space = Literal["visual", "clinical", "weighted"]
"""A named vector of the engine; see `services.search.vector_store.named_vectors`."""


@dataclass(frozen=True, slots=True)
class StoredCase:
    """What the index keeps of a case."""

    case: Case
    latent: NDArray[np.float32]
    """[D], standardised."""
    digest: str
    """sha256 over image bytes and metadata, as the ingest computed it."""
    image: str
    """Key of its image in the image store."""


class Hit(NamedTuple):
    """A case that the engine found near, with the engine's own score in float32."""

    point: UUID
    """The engine's id of the case."""
    score: float
    """Distance in the spaces `visual` and `clinical`; twice the dot product less the norm in `weighted`."""


class CaseIndex(Protocol):
    """Cases with their latents, durable, searchable; safe to share between threads.

    All of it raises `Unavailable` where the engine does not answer, and `StorageFull` where the disk is full.
    """

    def revision(self) -> str:
        """Changes whenever a case is added, changed or deleted; survives restarts."""

    def check_room(self) -> None:
        """Raise `StorageFull` where a write could fill the disk."""

    def upsert(self, cases: Sequence[StoredCase]) -> None:
        """Add or replace cases by id; returns when they are durable, and readers see all of a case or none of it."""

    def delete(self, ids: Sequence[CaseId]) -> None:
        """Remove cases; ids that are not stored are passed over."""

    def get(self, ids: Sequence[CaseId]) -> list[StoredCase]:
        """Those of `ids` that are stored, in the order asked for."""

    def read(self, points: Sequence[UUID]) -> list[StoredCase | None]:
        """The case of each point, none where it is not stored; no older than the revision last read."""

    def digests(self, ids: Sequence[CaseId]) -> dict[CaseId, str]:
        """The digests of those of `ids` that are stored."""

    def nearest(self, space: Space, vector: list[float], conditions: Sequence[Condition], limit: int) -> list[Hit]:
        """At most `limit` cases under `conditions`, nearest first by its own score; fewer where there are no more."""

    def ids(self, conditions: Sequence[Condition] = ()) -> list[CaseId]:
        """All ids of cases that fulfil `conditions`, ascending."""

    def count(self, conditions: Sequence[Condition] = ()) -> int:
        """How many cases fulfil `conditions`."""

    def columns(self) -> list[str]:
        """Further fields by which cases can be filtered and counted, as ``attributes.NAME``, ascending."""

    def facet(self, field: str, conditions: Sequence[Condition] = (), most: int | None = None) -> dict[str, int]:
        """How many cases under `conditions` have each value of `field`, at most the `most` frequent; no unknown."""

    def age_range(self) -> tuple[float, float] | None:
        """Least and greatest known age in years; none where no age is known."""

    def close(self) -> None:
        """Flush and let go."""
