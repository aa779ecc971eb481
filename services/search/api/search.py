"""The HTTP side of search; sync functions run in the thread pool."""

import bisect
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response

from casekin.contracts.base import CaseId
from casekin.contracts.facets import FacetQuery, Facets
from casekin.contracts.paths import CaseIdInPath, LesionIdInPath
from casekin.contracts.search import (
    Case,
    CaseBatchReceipt,
    Collection,
    CollectionInfo,
    Deletion,
    DigestQuery,
    Digests,
    LatentPage,
    SearchRequest,
    SearchResponse,
)
from casekin.errors import NotFound
from casekin.service.answers import as_json
from casekin.service.auth import acting_user
from services.search.api.case_upload import BATCH_BODY, ReceivedBatch, batch_reader
from services.search.api.dependencies import Parts
from services.search.storage.image_processing import media_type
from services.search.vector_store.port import StoredCase

_PICTURE: dict[int | str, dict[str, Any]] = {
    200: {"content": {"image/jpeg": {}, "image/png": {}}},
    304: {"description": "the copy that the caller has is current"},
}


def search_routes(parts: Parts) -> APIRouter:
    """Searching, and what the collection is."""
    router = APIRouter(tags=["search"])

    @router.post("/search", response_model=SearchResponse)
    def search(request: SearchRequest) -> Response:
        """The nearest cases under filters, from the index of the latents' bundle."""
        return as_json(parts.indexes.answering(request.bundle_version).searcher.search(request))

    @router.post("/facets")
    def facets(query: FacetQuery) -> Facets:
        """Counts by value under filters."""
        return parts.indexes.live().searcher.facets(query.filters)

    @router.get("/collection")
    def collection() -> Collection:
        """What the collection is and how large."""
        return _collection(parts)

    @router.put("/collection")
    def describe(info: CollectionInfo) -> Collection:
        """Set title, licence and vocabulary."""
        parts.description.replace(info)
        return _collection(parts)

    @router.get("/latents", response_model=LatentPage)
    def latents(
        after: Annotated[CaseId | None, Query()] = None, limit: Annotated[int, Query(ge=1, le=10_000)] = 2000
    ) -> Response:
        """Cases with their latents in the order of their ids, page by page."""
        return as_json(_latents(parts, after, limit))

    return router


def case_routes(parts: Parts) -> APIRouter:
    """Single cases, their images, and adding cases."""
    router = APIRouter(tags=["cases"])

    @router.get("/cases/{case_id}")
    def case(case_id: CaseIdInPath) -> Case:
        """The metadata of one case."""
        return _stored(parts, case_id).case

    @router.get("/cases/{case_id}/image", response_class=Response, responses=_PICTURE)
    def image(case_id: CaseIdInPath, request: Request) -> Response:
        """The image of one case, without metadata."""
        return _picture(parts, case_id, request, "image")

    @router.get("/cases/{case_id}/thumbnail", response_class=Response, responses=_PICTURE)
    def thumbnail(case_id: CaseIdInPath, request: Request) -> Response:
        """The image of one case, small."""
        return _picture(parts, case_id, request, "thumbnail")

    @router.post("/cases/digests")
    def digests(query: DigestQuery) -> Digests:
        """The digest of each id that is stored."""
        return Digests(digests=parts.indexes.live().cases.digests(query.ids))

    @router.delete("/cases/{case_id}")
    def delete_case(case_id: CaseIdInPath, request: Request) -> Deletion:
        """Delete a case with its images; answers when all of it is gone for good."""
        parts.audit.record(acting_user(request), "delete case", case_id)
        return parts.deleter.case(case_id)

    @router.delete("/lesions/{lesion_id}")
    def delete_lesion(lesion_id: LesionIdInPath, request: Request) -> Deletion:
        """Delete all cases of a lesion with their images."""
        parts.audit.record(acting_user(request), "delete lesion", lesion_id)
        return parts.deleter.lesion(lesion_id)

    @router.put("/cases", openapi_extra=BATCH_BODY)
    def put(received: Annotated[ReceivedBatch, Depends(batch_reader(parts.batch_bytes))]) -> CaseBatchReceipt:
        """Add or replace cases with their images; answers when all of it is durable."""
        return parts.writer.put(received.batch, received.images)

    return router


def _collection(parts: Parts) -> Collection:
    live = parts.indexes.live()
    census = live.searcher.census()
    return Collection(
        info=parts.description.read(),
        bundle_version=live.version,
        cases=census.cases,
        lesions=census.lesions,
        revision=census.revision,
    )


def _latents(parts: Parts, after: CaseId | None, limit: int) -> LatentPage:
    live = parts.indexes.live()
    ids = live.cases.ids()
    start = bisect.bisect_right(ids, after) if after is not None else 0
    wanted = ids[start : start + limit]
    stored = live.cases.get(wanted)
    return LatentPage(
        bundle_version=live.version,
        cases=[one.case for one in stored],
        latents=[one.latent.tolist() for one in stored],
        next=wanted[-1] if start + limit < len(ids) else None,
    )


def _stored(parts: Parts, case_id: CaseId) -> StoredCase:
    found = parts.indexes.live().cases.get([case_id])
    if not found:
        raise NotFound(f"no case {case_id} in the collection")
    return found[0]


def _picture(parts: Parts, case_id: CaseId, request: Request, what: str) -> Response:
    stored = _stored(parts, case_id)
    parts.audit.record(acting_user(request), f"view {what}", case_id)
    etag = f'"{stored.image}-{what}"'
    # no-cache keeps a copy but asks each time, so that each view is audited
    headers = {"ETag": etag, "Cache-Control": "private, no-cache", "X-Content-Type-Options": "nosniff"}
    if etag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    read = parts.images.original if what == "image" else parts.images.thumbnail
    data = read(case_id, stored.image)
    return Response(data, media_type=media_type(data), headers=headers)
