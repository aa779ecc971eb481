"""Resolve a SearchRequest into query point, filters and excluded cases."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from casekin.contracts.base import CaseId
from casekin.contracts.bundle import BundleManifest
from casekin.contracts.conditions import AnyOf, Condition, Not
from casekin.contracts.search import SearchRequest
from casekin.errors import NotFound
from services.search.retrieval.metric import check_latent, metric_for
from services.search.retrieval.query_point import QueryPoint, moved
from services.search.vector_store.port import StoredCase

ReadCases = Callable[[Sequence[CaseId]], list[StoredCase]]
"""Gives those of the cases that are stored, by id."""


@dataclass(frozen=True)
class ResolvedQuery:
    """What to rank by, which cases may match, and which of those are left out."""

    target: QueryPoint
    conditions: tuple[Condition, ...]
    """Filters of the request."""
    lesions: frozenset[str] = frozenset()
    """The query's own lesions: their cases are no matches."""
    itself: frozenset[CaseId] = frozenset()
    """Cases that show the query itself and have no lesion: no matches either."""
    examples: frozenset[CaseId] = frozenset()
    """Cases that steer the search: no matches either."""

    def with_own_cases(self, own: Sequence[StoredCase]) -> "ResolvedQuery":
        """The same query, leaving out these cases, which show the query itself, with their lesions."""
        if not own:
            return self
        lesions = {stored.case.lesion_id for stored in own if stored.case.lesion_id is not None}
        itself = {stored.case.id for stored in own if stored.case.lesion_id is None}
        return replace(self, lesions=self.lesions | lesions, itself=self.itself | itself)


def resolve(request: SearchRequest, manifest: BundleManifest, read: ReadCases) -> ResolvedQuery:
    """The query of a request; raises `WrongLatent`, `WrongWeights`, and `NotFound` for a case that is not stored."""
    metric = metric_for(manifest, request)
    started_from = _stored(read, request.case) if request.case is not None else None
    images = _images(request, manifest, started_from)
    examples = [_stored(read, example.case) for example in request.examples]
    start = point = images.mean(0) if len(images) > 1 else images[0]
    if examples:
        latents = np.array([stored.latent for stored in examples], np.float64)
        point = moved(start, latents, [example.weight for example in request.examples])
    own = frozenset({request.own_lesion}) if request.own_lesion is not None else frozenset[str]()
    query = ResolvedQuery(
        QueryPoint(metric, images, point, moved=bool(examples)),
        request.filters,
        own,
        examples=frozenset(one.case.id for one in examples),
    )
    return query.with_own_cases([started_from]) if started_from is not None else query


def of_lesions(lesions: frozenset[str]) -> AnyOf:
    """Met by cases of `lesions`, of which there must be one."""
    return AnyOf(field="lesion_id", values=tuple(sorted(lesions)))


def without_lesions(conditions: tuple[Condition, ...], lesions: frozenset[str]) -> tuple[Condition, ...]:
    """`conditions` and that a case is of none of `lesions`."""
    return (*conditions, Not(of=of_lesions(lesions))) if lesions else conditions


def _stored(read: ReadCases, case_id: CaseId) -> StoredCase:
    found = read([case_id])
    if not found:
        raise NotFound(f"no case {case_id} in the collection")
    return found[0]


def _images(request: SearchRequest, manifest: BundleManifest, started_from: StoredCase | None) -> NDArray[np.float64]:
    """Latents [M, D] of the query's images, or of the case that the search starts from."""
    if started_from is not None:
        return started_from.latent.astype(np.float64)[None]
    many = len(request.latents) > 1
    checked = [
        check_latent(manifest, latent, f"latent {number}" if many else "the latent")
        for number, latent in enumerate(request.latents, start=1)
    ]
    return np.array(checked)
