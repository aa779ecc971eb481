"""Routes of searching and of the collection as a whole."""

import bisect
from typing import Annotated

from fastapi import APIRouter, Query, Response

from casekin.contracts.base import CaseId
from casekin.contracts.cases import LatentPage
from casekin.contracts.collection import Collection, CollectionInfo
from casekin.contracts.facets import FacetQuery, Facets
from casekin.contracts.search import SearchRequest, SearchResponse
from casekin.service.answers import as_json
from casekin.service.direct import direct
from services.search.api.dependencies import Dependencies


def search_routes(parts: Dependencies) -> APIRouter:
    """Routes of searching and of the collection; sync functions run in the thread pool."""
    router = APIRouter(tags=["search"])

    @router.post("/search")
    @direct
    def search(request: SearchRequest) -> SearchResponse:
        """The nearest cases under filters, from the index of the latents' bundle."""
        return parts.indexes.answering(request.bundle_version).searcher.search(request)

    @router.post("/facets")
    @direct
    def facets(query: FacetQuery) -> Facets:
        """Counts by value under filters."""
        return parts.indexes.live().searcher.facets(query.filters)

    @router.get("/collection")
    def collection() -> Collection:
        """Title, licence, vocabulary, size and revision of the collection."""
        return _collection(parts)

    @router.put("/collection")
    def describe(info: CollectionInfo) -> Collection:
        """Set title, licence and vocabulary."""
        parts.collection_info.replace(info)
        return _collection(parts)

    @router.get("/latents", response_model=LatentPage)
    def latents(
        after: Annotated[CaseId | None, Query()] = None, limit: Annotated[int, Query(ge=1, le=10_000)] = 2000
    ) -> Response:
        """Cases with their latents in the order of their ids, page by page."""
        return as_json(_latents(parts, after, limit))

    return router


def _collection(parts: Dependencies) -> Collection:
    live = parts.indexes.live()
    counts = live.searcher.counts()
    return Collection(
        info=parts.collection_info.read(),
        bundle_version=live.version,
        cases=counts.cases,
        lesions=counts.lesions,
        revision=counts.revision,
    )


def _latents(parts: Dependencies, after: CaseId | None, limit: int) -> LatentPage:
    live = parts.indexes.live()
    ids = live.cases.ids()
    start = bisect.bisect_right(ids, after) if after is not None else 0
    page = ids[start : start + limit]
    stored = live.cases.get(page)
    return LatentPage(
        bundle_version=live.version,
        cases=[one.case for one in stored],
        latents=[one.latent.tolist() for one in stored],
        next=page[-1] if start + limit < len(ids) else None,
    )
