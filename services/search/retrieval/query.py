"""From a request to what is asked of the index: a target, conditions, and cases that are no matches."""

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
from services.search.retrieval.query_point import Target, moved
from services.search.vector_store.port import StoredCase

ReadCase = Callable[[CaseId], StoredCase]
"""Gives a stored case by its id, or raises `NotFound`."""


@dataclass(frozen=True)
class Asked:
    """A search, resolved."""

    target: Target
    conditions: tuple[Condition, ...]
    """Of the request."""
    lesions: frozenset[str] = frozenset()
    """Own ones: their cases are no matches."""
    itself: frozenset[CaseId] = frozenset()
    """Cases that are the query and whose lesion is not known."""
    examples: frozenset[CaseId] = frozenset()

    def recognising(self, own: Sequence[StoredCase]) -> "Asked":
        """The same search, with these cases known to be the query itself."""
        if not own:
            return self
        lesions = {stored.case.lesion_id for stored in own if stored.case.lesion_id is not None}
        itself = {stored.case.id for stored in own if stored.case.lesion_id is None}
        return replace(self, lesions=self.lesions | lesions, itself=self.itself | itself)


def resolve(request: SearchRequest, manifest: BundleManifest, read: ReadCase) -> Asked:
    """What `request` asks; raises `WrongLatent`, `WrongWeights`, `NotFound`."""
    metric = metric_for(manifest, request)
    started_from = read(request.case) if request.case is not None else None
    images = _images(request, manifest, started_from)
    examples = [read(example.case) for example in request.examples]
    start = point = images.mean(0) if len(images) > 1 else images[0]
    if examples:
        latents = np.array([stored.latent for stored in examples], np.float64)
        point = moved(start, latents, [example.weight for example in request.examples])
    own = frozenset({request.own_lesion}) if request.own_lesion is not None else frozenset[str]()
    asked = Asked(
        Target(metric, images, point, moved=bool(examples)),
        request.filters,
        own,
        examples=frozenset(one.case.id for one in examples),
    )
    return asked.recognising([started_from]) if started_from is not None else asked


def of_lesions(lesions: frozenset[str]) -> AnyOf:
    """Met by cases of `lesions`, of which there must be one."""
    return AnyOf(field="lesion_id", values=tuple(sorted(lesions)))


def without_lesions(conditions: tuple[Condition, ...], lesions: frozenset[str]) -> tuple[Condition, ...]:
    """`conditions` and that a case is of none of `lesions`."""
    return (*conditions, Not(of=of_lesions(lesions))) if lesions else conditions


def case_reader(read: Callable[[Sequence[CaseId]], list[StoredCase]]) -> ReadCase:
    """Reads one case; raises `NotFound` where it is not stored."""

    def one(case_id: CaseId) -> StoredCase:
        found = read([case_id])
        if not found:
            raise NotFound(f"no case {case_id} in the collection")
        return found[0]

    return one


def _images(request: SearchRequest, manifest: BundleManifest, started_from: StoredCase | None) -> NDArray[np.float64]:
    if started_from is not None:
        return started_from.latent.astype(np.float64)[None]
    many = len(request.latents) > 1
    checked = [
        check_latent(manifest, latent, f"latent {number}" if many else "the latent")
        for number, latent in enumerate(request.latents, start=1)
    ]
    return np.array(checked)
