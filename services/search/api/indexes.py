"""Routes of indexes: list, add, fill, switch, delete."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from starlette.concurrency import run_in_threadpool

from casekin.contracts.base import BundleVersion, CaseId
from casekin.contracts.bundle import BundleManifest
from casekin.contracts.indexes import (
    FILL,
    Index,
    IndexFill,
    IndexFilled,
    IndexLag,
    IndexList,
    Switch,
    Switched,
)
from casekin.contracts.paths import CaseIdInPath
from casekin.errors import BadInput
from casekin.service.auth import acting_user
from services.search.api.cases import IMAGE_RESPONSE, image_response
from services.search.api.dependencies import Dependencies
from services.search.indexing.registry import IndexRegistry


def index_routes(parts: Dependencies) -> APIRouter:
    """Routes over all indexes."""
    router = APIRouter(tags=["indexes"])

    @router.get("/indexes")
    def indexes() -> IndexList:
        """Every index with its state."""
        return _listed(parts.indexes)

    @router.put("/indexes/{bundle_version}")
    async def add(bundle_version: BundleVersion, manifest: BundleManifest) -> Index:
        """Make an empty index for a bundle, beside the others; one that is there stays as it is."""
        if manifest.version != bundle_version:
            raise BadInput(f"the manifest is of bundle {manifest.version}, the address of {bundle_version}")
        await parts.changes.run(lambda: parts.indexes.add(manifest))
        listed = await run_in_threadpool(_listed, parts.indexes)
        return next(index for index in listed.indexes if index.bundle_version == bundle_version)

    @router.delete("/indexes/{bundle_version}")
    async def delete(bundle_version: BundleVersion, request: Request) -> IndexList:
        """Delete an index that is not live, for good."""
        parts.audit.record(acting_user(request), "delete index", bundle_version)
        await parts.changes.run(lambda: parts.backfill.delete(bundle_version))
        return await run_in_threadpool(_listed, parts.indexes)

    @router.put("/collection/index")
    async def switch(body: Switch, request: Request) -> Switched:
        """Make an index live, at once; the one before stays and is the way back."""
        parts.audit.record(acting_user(request), "switch index", body.bundle_version)
        return await parts.changes.run(lambda: parts.backfill.switch(body))

    @router.get("/indexes/{bundle_version}/lag")
    def lag(
        bundle_version: BundleVersion,
        after: Annotated[CaseId | None, Query()] = None,
        limit: Annotated[int, Query(ge=1, le=FILL)] = FILL,
    ) -> IndexLag:
        """Cases that the index does not have yet, page by page."""
        return parts.backfill.lag(bundle_version, after, limit)

    @router.put("/indexes/{bundle_version}/latents")
    async def fill(bundle_version: BundleVersion, body: IndexFill) -> IndexFilled:
        """Take cases over from another index with new latents; answers when all of it is durable."""
        return await parts.changes.run(lambda: parts.backfill.fill(bundle_version, body))

    @router.get("/indexes/{bundle_version}/cases/{case_id}/image", response_class=Response, responses=IMAGE_RESPONSE)
    def image(bundle_version: BundleVersion, case_id: CaseIdInPath, request: Request) -> Response:
        """The image of one case as an index has it."""
        parts.audit.record(acting_user(request), "view image", case_id)
        return image_response(parts.backfill.image(bundle_version, case_id))

    return router


def _listed(indexes: IndexRegistry) -> IndexList:
    return IndexList(
        indexes=[
            Index(bundle_version=index.version, state=state, cases=index.cases.count())
            for state, index in indexes.all()
        ]
    )
