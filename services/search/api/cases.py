"""Routes of single cases: read, images, add, delete."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response

from casekin.contracts.base import CaseId
from casekin.contracts.cases import Case, CaseBatchReceipt, Deletion, DigestQuery, Digests
from casekin.contracts.paths import CaseIdInPath, LesionIdInPath
from casekin.errors import NotFound
from casekin.service.auth import acting_user
from services.search.api.case_upload import BATCH_BODY, ReceivedBatch, batch_reader
from services.search.api.dependencies import Dependencies
from services.search.storage.image_processing import media_type
from services.search.vector_store.port import StoredCase

IMAGE_RESPONSE: dict[int | str, dict[str, Any]] = {200: {"content": {"image/jpeg": {}, "image/png": {}}}}


def case_routes(parts: Dependencies) -> APIRouter:
    """Routes of single cases; every view of an image is audited."""
    router = APIRouter(tags=["cases"])

    @router.get("/cases/{case_id}")
    def case(case_id: CaseIdInPath) -> Case:
        """The metadata of one case."""
        return _stored(parts, case_id).case

    @router.get("/cases/{case_id}/image", response_class=Response, responses=IMAGE_RESPONSE)
    def image(case_id: CaseIdInPath, request: Request) -> Response:
        """The image of one case, without metadata."""
        stored = _stored(parts, case_id)
        parts.audit.record(acting_user(request), "view image", case_id)
        return image_response(parts.images.original(case_id, stored.image))

    @router.get("/cases/{case_id}/thumbnail", response_class=Response, responses=IMAGE_RESPONSE)
    def thumbnail(case_id: CaseIdInPath, request: Request) -> Response:
        """The image of one case, small."""
        stored = _stored(parts, case_id)
        parts.audit.record(acting_user(request), "view thumbnail", case_id)
        return image_response(parts.images.thumbnail(case_id, stored.image))

    @router.post("/cases/digests")
    def digests(query: DigestQuery) -> Digests:
        """The digest of each id that is stored."""
        return Digests(digests=parts.indexes.live().cases.digests(query.ids))

    @router.delete("/cases/{case_id}")
    async def delete_case(case_id: CaseIdInPath, request: Request) -> Deletion:
        """Delete a case with its images; answers when all of it is gone from search for good."""
        parts.audit.record(acting_user(request), "delete case", case_id)
        return await parts.changes.run(lambda: parts.deleter.case(case_id))

    @router.delete("/lesions/{lesion_id}")
    async def delete_lesion(lesion_id: LesionIdInPath, request: Request) -> Deletion:
        """Delete all cases of a lesion with their images."""
        parts.audit.record(acting_user(request), "delete lesion", lesion_id)
        return await parts.changes.run(lambda: parts.deleter.lesion(lesion_id))

    @router.put("/cases", openapi_extra=BATCH_BODY)
    async def put(received: Annotated[ReceivedBatch, Depends(batch_reader(parts.batch_bytes))]) -> CaseBatchReceipt:
        """Add or replace cases with their images; answers when all of it is durable."""
        return await parts.changes.run(lambda: parts.writer.put(received.batch, received.images))

    return router


def image_response(data: bytes) -> Response:
    """A stored image, which browsers and proxies must not keep: each view is audited."""
    headers = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
    return Response(data, media_type=media_type(data), headers=headers)


def _stored(parts: Dependencies, case_id: CaseId) -> StoredCase:
    found = parts.indexes.live().cases.get([case_id])
    if not found:
        raise NotFound(f"no case {case_id} in the collection")
    return found[0]
