"""An encoder and a search that keep everything in memory, with faults on demand."""

import threading
from collections.abc import Mapping, Sequence

from casekin.clients import EncoderClient, SearchClient
from casekin.collections import Row
from casekin.contracts.base import CaseId
from casekin.contracts.cases import Case, CaseBatch, CaseBatchReceipt, CaseUpload
from casekin.contracts.collection import Collection, CollectionInfo
from casekin.contracts.encoder import EncodeResponse, Model
from casekin.errors import CasekinError, NotFound

VERSION = "tiny-1"


class FakeEncoder(EncoderClient):
    """Encodes an image as its length; raises what `faults` has for its bytes."""

    def __init__(self, version: str = VERSION) -> None:
        super().__init__("http://unused")
        self.version = version
        self.faults: dict[bytes, CasekinError] = {}
        self.encoded: list[bytes] = []
        self.reconstructions: list[bool] = []
        self._lock = threading.Lock()

    def model(self) -> Model:
        example = Model.model_config["json_schema_extra"]["example"]["manifest"]  # type: ignore[index, call-overload]
        model = Model.model_validate({"manifest": example})
        return model.model_copy(update={"manifest": model.manifest.model_copy(update={"version": self.version})})

    def encode(self, image: bytes, *, reconstruction: bool = True) -> EncodeResponse:
        with self._lock:
            self.encoded.append(image)
            self.reconstructions.append(reconstruction)
        if image in self.faults:
            raise self.faults[image]
        example = EncodeResponse.model_config["json_schema_extra"]["example"]  # type: ignore[index, call-overload]
        return EncodeResponse.model_validate(example | {"bundle_version": self.version, "latent": [len(image)]})


class FakeSearch(SearchClient):
    """Stores cases and images in memory, and keeps those of other collections as the real one does."""

    def __init__(self, info: CollectionInfo | None = None, version: str = VERSION) -> None:
        super().__init__("http://unused")
        self.info, self.version = info or CollectionInfo(title="Empty"), version
        self.stored: dict[CaseId, CaseUpload] = {}
        self.images: dict[CaseId, bytes] = {}
        self.described: list[CollectionInfo] = []
        self.digest_requests: list[int] = []
        self.batches: list[list[CaseId]] = []
        self.versions: set[str] = set()

    def collection(self) -> Collection:
        count = len(self.stored)
        return Collection(info=self.info, bundle_version=self.version, cases=count, lesions=count, revision=str(count))

    def describe_collection(self, info: CollectionInfo) -> None:  # type: ignore[override]
        self.described.append(info)
        self.info = info

    def digests(self, ids: Sequence[CaseId]) -> dict[CaseId, str]:
        self.digest_requests.append(len(ids))
        return {id: self.stored[id].digest for id in ids if id in self.stored}

    def put_cases(self, batch: CaseBatch, images: Mapping[CaseId, bytes]) -> CaseBatchReceipt:
        self.batches.append([upload.case.id for upload in batch.cases])
        self.versions.add(batch.bundle_version)
        owners = {upload.case.id: self._owner(upload) for upload in batch.cases if not batch.take_over}
        taken = {case_id: owner for case_id, owner in owners.items() if owner}
        new = {upload.case.id: upload for upload in batch.cases if upload.case.id not in taken}
        replaced = [case_id for case_id in new if case_id in self.stored]
        self.stored |= new
        self.images |= {case_id: images[case_id] for case_id in new}
        return CaseBatchReceipt(stored=len(new), replaced=replaced, taken=taken, revision="r")

    def _owner(self, upload: CaseUpload) -> str | None:
        """The collection of the stored case of this id, where it is another one."""
        before = self.stored.get(upload.case.id)
        return before.case.collection if before and before.case.collection != upload.case.collection else None

    def image(self, case_id: CaseId, size: int | None = None) -> tuple[bytes, str]:  # type: ignore[override]
        if case_id not in self.images:
            raise NotFound(f"there is no image of {case_id}")
        return self.images[case_id], "image/jpeg"


class FakeImage:
    """An image whose bytes are there, or a fault."""

    stamp = "1"

    def __init__(self, content: bytes | CasekinError) -> None:
        self.name, self.content = "fake", content

    def read(self) -> bytes:
        if isinstance(self.content, CasekinError):
            raise self.content
        return self.content


def row(number: int, content: bytes | CasekinError | None = None, note: str = "") -> Row:
    """A row whose image is `number` + 1 bytes long."""
    return Row(Case(id=f"c{number:04}"), FakeImage(content or bytes(number + 1)), note)
