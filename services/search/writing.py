"""Adds cases with their images: all of a batch or nothing, acknowledged when it is on disk."""

from collections import Counter
from collections.abc import Mapping

import numpy as np

from casekin.contracts.base import CaseId
from casekin.contracts.bundle import BundleManifest
from casekin.contracts.search import CaseBatch, CaseBatchReceipt
from casekin.errors import BadInput, CasekinError
from services.search.images import ImageStore
from services.search.index import CaseIndex, StoredCase
from services.search.pictures import Picture, prepare
from services.search.weighing import check_latent, check_version


class Writer:
    """Images first, then the index, then the pictures that were replaced are dropped."""

    def __init__(self, index: CaseIndex, images: ImageStore, manifest: BundleManifest) -> None:
        self._index = index
        self._images = images
        self._manifest = manifest

    def put(self, batch: CaseBatch, images: Mapping[CaseId, bytes]) -> CaseBatchReceipt:
        """Store a batch; the same batch again changes nothing but the revision.

        Raises `BadInput` or an error of the image, naming the case, before anything is written; `StorageFull`.
        """
        check_version(self._manifest, batch.bundle_version)
        _check_pairs([upload.case.id for upload in batch.cases], images)
        pictures: dict[CaseId, Picture] = {}
        stored = []
        for upload in batch.cases:
            case_id = upload.case.id
            latent = check_latent(self._manifest, upload.latent, f"case {case_id}: the latent")
            picture = pictures[case_id] = _prepared(case_id, images[case_id])
            stored.append(StoredCase(upload.case, latent.astype(np.float32), upload.digest, picture.key))
        replaced = {old.case.id for old in self._index.get(list(pictures)) if old.image != pictures[old.case.id].key}
        self._index.check_room()
        self._images.put(pictures)
        self._index.upsert(stored)
        for case_id in replaced:
            self._images.drop_all_but(case_id, pictures[case_id].key)
        return CaseBatchReceipt(stored=len(stored), revision=self._index.revision())


def _check_pairs(ids: list[CaseId], images: Mapping[CaseId, bytes]) -> None:
    if doubled := sorted(case_id for case_id, count in Counter(ids).items() if count > 1):
        raise BadInput(f"the batch has {_listed(doubled)} more than once; send each case once")
    if missing := [case_id for case_id in ids if case_id not in images]:
        raise BadInput(f"the batch has no image for {_listed(missing)}; send each as a file named by the case's id")
    if left := sorted(set(images) - set(ids)):
        raise BadInput(f"the batch has images of no case: {_listed(left)}; name each file by its case's id")


def _listed(ids: list[CaseId]) -> str:
    return ", ".join(ids[:5]) + (f" and {len(ids) - 5} more" if len(ids) > 5 else "")


def _prepared(case_id: CaseId, data: bytes) -> Picture:
    try:
        return prepare(data)
    except CasekinError as error:
        raise type(error)(f"case {case_id}: {error.detail}") from error
