"""Title, licence and vocabulary of the collection, stored beside its images so that all copies of the service agree."""

import math

import structlog
from pydantic import ValidationError

from casekin.contracts.collection import CollectionInfo
from casekin.errors import CasekinError, Unexpected
from casekin.ttl_cache import TtlCache
from services.search.storage.blob_store import BlobStore

log = structlog.get_logger("search")
_KEY = "collection.json"
_FRESH_S = 5.0
"""Seconds after which a read starts another one in the background, so that changes by other copies are seen."""


class CollectionInfoStore:
    """``collection.json`` in the image store; reading it never waits for the store, nor fails with it."""

    def __init__(self, blobs: BlobStore, fallback_title: str) -> None:
        self._blobs = blobs
        self._last = CollectionInfo(title=fallback_title)
        self.fault: str | None = None
        """Why the last read failed; none where it succeeded."""
        self._cache = TtlCache(self._load, fresh_s=_FRESH_S, stale_s=math.inf)

    def read(self) -> CollectionInfo:
        """The information last read or set; the collection's name alone where there is none."""
        return self._cache.get()

    def replace(self, info: CollectionInfo) -> None:
        """Replace all of it, durably."""
        self._blobs.write(_KEY, info.model_dump_json(indent=2).encode())
        self._last, self.fault = info, None
        self._cache.put(info)

    def vocabulary(self) -> dict[str, set[str]]:
        """Codes that the collection names, by field, whether a case has them or not."""
        info = self.read()
        named = {field: set(labels) for field, labels in info.labels.items()}
        return named | {"diagnosis": {d.code for d in info.diagnoses} | named.get("diagnosis", set())}

    def _load(self) -> CollectionInfo:
        try:
            data = self._blobs.read(_KEY)
            if data is not None:
                self._last = _parsed(data)
            self.fault = None
        except CasekinError as error:
            if self.fault != error.detail:
                log.warning("the collection's information was not read; the last known is used", fault=error.detail)
            self.fault = error.detail
        return self._last


def _parsed(data: bytes) -> CollectionInfo:
    try:
        return CollectionInfo.model_validate_json(data)
    except ValidationError as error:
        raise Unexpected(f"{_KEY} in the image store is damaged ({error.error_count()} faults); set it anew") from error
