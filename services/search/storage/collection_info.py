"""What the collection says of itself, kept beside its images so that all copies of the service read the same."""

import threading
import time

from pydantic import ValidationError

from casekin.contracts.search import CollectionInfo
from casekin.errors import Unexpected
from services.search.storage.blob_store import Blobs

_KEY = "collection.json"
_FRESH_S = 5.0


class Description:
    """``collection.json`` in the image store; another copy of the service sees a change after five seconds."""

    def __init__(self, blobs: Blobs, fallback_title: str) -> None:
        self._blobs = blobs
        self._fallback = CollectionInfo(title=fallback_title)
        self._lock = threading.Lock()
        self._read: tuple[float, CollectionInfo] | None = None

    def read(self) -> CollectionInfo:
        """As last set; the collection's name alone where nothing was."""
        with self._lock:
            now = time.monotonic()
            if self._read is None or now - self._read[0] > _FRESH_S:
                self._read = (now, self._load())
            return self._read[1]

    def replace(self, info: CollectionInfo) -> None:
        """Replace all of it, durably."""
        with self._lock:
            self._blobs.write(_KEY, info.model_dump_json(indent=2).encode())
            self._read = (time.monotonic(), info)

    def vocabulary(self) -> dict[str, set[str]]:
        """By field: codes that the collection names, whether a case has them or not."""
        info = self.read()
        named = {field: set(labels) for field, labels in info.labels.items()}
        return named | {"diagnosis": {d.code for d in info.diagnoses} | named.get("diagnosis", set())}

    def _load(self) -> CollectionInfo:
        data = self._blobs.read(_KEY)
        if data is None:
            return self._fallback
        try:
            return CollectionInfo.model_validate_json(data)
        except ValidationError as error:
            raise Unexpected(
                f"{_KEY} in the image store is damaged ({error.error_count()} faults); set it anew"
            ) from error
