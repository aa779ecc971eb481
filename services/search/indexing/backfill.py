"""Fill an index from another one, case by case, and switch to it when it lacks nothing."""

import bisect
from collections.abc import Iterator

import numpy as np

from casekin.contracts.base import BundleVersion, CaseId
from casekin.contracts.indexes import EncodedAnew, IndexFill, IndexFilled, IndexLag, Switch, Switched
from casekin.errors import Conflict, NotFound
from services.search.indexing.registry import IndexRegistry, OpenIndex
from services.search.retrieval.metric import check_latent
from services.search.storage.image_store import ImageStore, delete_unused
from services.search.vector_store.port import StoredCase

_CHUNK = 2048
"""Cases compared or read at once, which bounds memory."""


class Backfill:
    """Cases keep id, metadata, digest and image; the latent is the new bundle's.

    A case is copied only in the state in which it was encoded, and only while it exists: whatever is added, changed or
    deleted while an index is filled, it agrees with its source once it has no lag.
    """

    def __init__(self, indexes: IndexRegistry, images: ImageStore) -> None:
        self._indexes = indexes
        self._images = images

    def lag(self, version: BundleVersion, after: CaseId | None, limit: int) -> IndexLag:
        """The first `limit` cases after `after` that the index lacks; raises `NotFound`, `Conflict`."""
        target, source = self._indexes.index(version), self._source_of(version)
        ids = source.cases.ids()
        start = bisect.bisect_right(ids, after) if after is not None else 0
        found: dict[CaseId, str] = {}
        passed = len(ids)
        for position, case_id, digest in self._lagging(source, target, ids, start):
            if len(found) == limit:
                passed = position
                break
            found[case_id] = digest
        next_after = ids[passed - 1] if passed < len(ids) else None
        return IndexLag(source=source.version, cases=found, passed=passed, total=len(ids), next=next_after)

    def fill(self, version: BundleVersion, body: IndexFill) -> IndexFilled:
        """Copy cases with their new latents; raises `WrongLatent`, `NotFound`, `Conflict`, `StorageFull`."""
        if body.source == version:
            raise Conflict(f"the index of bundle {version} cannot be filled from itself")
        with self._indexes.changing:
            target, source = self._indexes.index(version), self._indexes.index(body.source)
            there = {stored.case.id: stored for stored in source.cases.get([case.id for case in body.cases])}
            copied = [
                _reencoded(target, there[case.id], case)
                for case in body.cases
                if case.id in there and there[case.id].digest == case.digest
            ]
            replaced = target.cases.get([stored.case.id for stored in copied])
            self._indexes.changing.check()
            target.cases.upsert(copied)
            ids = [stored.case.id for stored in replaced]
            delete_unused(self._images, replaced, self._indexes.image_keys(ids))
        done = {stored.case.id for stored in copied}
        return IndexFilled(stored=len(copied), passed_over=[case.id for case in body.cases if case.id not in done])

    def switch(self, body: Switch) -> Switched:
        """Make an index live; raises `NotFound`, and `Conflict` where it lacks cases unless the request allows it."""
        with self._indexes.changing:
            target, live = self._indexes.index(body.bundle_version), self._indexes.live(fresh=True)
            ids = live.cases.ids() if live.version != target.version else []
            behind = sum(1 for _ in self._lagging(live, target, ids, 0))
            if behind and not body.even_if_behind:
                raise Conflict(
                    f"the index of bundle {target.version} lacks {behind:,} of {len(ids):,} cases, or has them as they "
                    "were before; re-index again, it brings those alone"
                )
            state = self._indexes.make_live(target.version)
        return Switched(live=state.live, before=next(iter(state.standby), None), behind=behind)

    def delete(self, version: BundleVersion) -> None:
        """Delete an index that is not live, with images that it alone refers to; raises `Conflict`, `NotFound`."""
        with self._indexes.changing:
            index = self._indexes.deletable(version)
            others = [other.cases for _, other in self._indexes.all() if other is not index]
            ids = index.cases.ids()
            for begin in range(0, len(ids), _CHUNK):
                chunk = ids[begin : begin + _CHUNK]
                kept = [(stored.case.id, stored.image) for other in others for stored in other.get(chunk)]
                delete_unused(self._images, index.cases.get(chunk), kept)
            self._indexes.delete(version)

    def image(self, version: BundleVersion, case_id: CaseId) -> bytes:
        """The image to which an index refers; raises `NotFound`."""
        stored = self._indexes.index(version).cases.get([case_id])
        if not stored:
            raise NotFound(f"no case {case_id} in the index of bundle {version}")
        return self._images.original(case_id, stored[0].image)

    def _source_of(self, version: BundleVersion) -> OpenIndex:
        """The live index, or for that one the index that was live before; raises `Conflict` where there is none."""
        state = self._indexes.state(fresh=True)
        if version != state.live:
            return self._indexes.index(state.live)
        if not state.standby:
            raise Conflict(f"the index of bundle {version} is live and there is no other to bring cases from")
        return self._indexes.index(state.standby[0])

    def _lagging(
        self, source: OpenIndex, target: OpenIndex, ids: list[CaseId], start: int
    ) -> Iterator[tuple[int, CaseId, str]]:
        """Position, id and digest of each case from `start` on that `target` lacks or has in another state.

        The live index is never set back: a case that it has counts as up to date.
        """
        is_live = target.version == self._indexes.live().version
        for begin in range(start, len(ids), _CHUNK):
            chunk = ids[begin : begin + _CHUNK]
            wanted, there = source.cases.digests(chunk), target.cases.digests(chunk)
            for position, case_id in enumerate(chunk, begin):
                same = case_id in there if is_live else there.get(case_id) == wanted.get(case_id)
                if case_id in wanted and not same:
                    yield position, case_id, wanted[case_id]


def _reencoded(target: OpenIndex, stored: StoredCase, case: EncodedAnew) -> StoredCase:
    latent = check_latent(target.manifest, case.latent, f"case {case.id}: the latent")
    return StoredCase(stored.case, latent.astype(np.float32), stored.digest, stored.image)
