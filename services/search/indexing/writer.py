"""Add cases with their images, acknowledged when they are on disk.

A batch is stored as a whole or not at all, except for cases whose id another collection has: those are named and left
out.
"""

from collections import Counter
from collections.abc import Mapping

import numpy as np

from casekin.contracts.base import CaseId
from casekin.contracts.cases import CaseBatch, CaseBatchReceipt
from casekin.errors import BadInput, CasekinError
from services.search.indexing.deleter import Deleter
from services.search.indexing.registry import IndexRegistry
from services.search.retrieval.metric import check_latent, check_version
from services.search.storage.image_processing import PreparedImage, prepare
from services.search.storage.image_store import ImageStore
from services.search.vector_store.disk_reserve import DiskReserve
from services.search.vector_store.port import CaseIndex, StoredCase


class Writer:
    """Writes images first, then the live index, and then deletes the images that were replaced."""

    def __init__(self, indexes: IndexRegistry, images: ImageStore, deleter: Deleter, disk: DiskReserve) -> None:
        self._indexes = indexes
        self._deleter = deleter
        self._images = images
        self._disk = disk

    def put(self, batch: CaseBatch, images: Mapping[CaseId, bytes]) -> CaseBatchReceipt:
        """Store a batch; the same batch again changes nothing but the revision.

        Raises `BadInput` or an error of the image, naming the case, before anything is written; `StorageFull`.
        """
        manifest = self._indexes.live(fresh=True).manifest
        check_version(manifest, batch.bundle_version)
        _check_pairs([upload.case.id for upload in batch.cases], images)
        prepared: dict[CaseId, PreparedImage] = {}
        stored = []
        for upload in batch.cases:
            case_id = upload.case.id
            latent = check_latent(manifest, upload.latent, f"case {case_id}: the latent")
            image = prepared[case_id] = _prepared(case_id, images[case_id])
            stored.append(StoredCase(upload.case, latent.astype(np.float32), upload.digest, image.key))
        with self._indexes.changing:
            live = self._indexes.live(fresh=True)
            check_version(live.manifest, batch.bundle_version)  # again: it may have been switched meanwhile
            self._deleter.finish_before_write(list(prepared))
            before = {old.case.id: old for old in live.cases.get(list(prepared))}
            taken = {} if batch.take_over else _taken(stored, before)
            stored = [one for one in stored if one.case.id not in taken]
            if stored:
                self._store(live.cases, {one.case.id: prepared[one.case.id] for one in stored}, stored, before)
            return CaseBatchReceipt(
                stored=len(stored),
                replaced=[one.case.id for one in stored if one.case.id in before],
                taken=taken,
                revision=live.cases.revision(),
            )

    def _store(
        self,
        index: CaseIndex,
        prepared: dict[CaseId, PreparedImage],
        stored: list[StoredCase],
        before: Mapping[CaseId, StoredCase],
    ) -> None:
        replaced = {case_id for case_id in prepared.keys() & before if before[case_id].image != prepared[case_id].key}
        self._disk.check()
        self._images.put(prepared)
        self._indexes.changing.check()
        index.upsert(stored)
        kept = self._indexes.image_keys(sorted(replaced)) if replaced else []
        for case_id in replaced:
            self._images.delete_except(case_id, {key for of, key in kept if of == case_id})


def _taken(stored: list[StoredCase], before: Mapping[CaseId, StoredCase]) -> dict[CaseId, str]:
    """Ids that a case of another collection has, with its title; where either collection is unknown, none is taken."""
    owners = {one.case.id: before[one.case.id].case.collection for one in stored if one.case.id in before}
    new = {one.case.id: one.case.collection for one in stored}
    return {case_id: owner for case_id, owner in owners.items() if owner and new[case_id] and owner != new[case_id]}


def _check_pairs(ids: list[CaseId], images: Mapping[CaseId, bytes]) -> None:
    if doubled := sorted(case_id for case_id, count in Counter(ids).items() if count > 1):
        raise BadInput(f"the batch has {_listed(doubled)} more than once; send each case once")
    if missing := [case_id for case_id in ids if case_id not in images]:
        raise BadInput(f"the batch has no image for {_listed(missing)}; send each as a file named by the case's id")
    if left := sorted(set(images) - set(ids)):
        raise BadInput(f"the batch has images of no case: {_listed(left)}; name each file by its case's id")


def _listed(ids: list[CaseId]) -> str:
    return ", ".join(ids[:5]) + (f" and {len(ids) - 5} more" if len(ids) > 5 else "")


def _prepared(case_id: CaseId, data: bytes) -> PreparedImage:
    try:
        return prepare(data)
    except CasekinError as error:
        raise type(error)(f"case {case_id}: {error.detail}") from error
