"""The life of an index over HTTP: what there is, fill, switch, delete."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

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
from services.search.api.dependencies import Parts
from services.search.indexing.registry import Indexes
from services.search.storage.image_processing import media_type

_PICTURE: dict[int | str, dict[str, Any]] = {200: {"content": {"image/jpeg": {}, "image/png": {}}}}


def index_routes(parts: Parts) -> APIRouter:
    """Routes over all indexes."""
    router = APIRouter(tags=["indexes"])

    @router.get("/indexes")
    def indexes() -> IndexList:
        """Every index with its state."""
        return _listed(parts.indexes)

    @router.put("/indexes/{bundle_version}")
    def add(bundle_version: BundleVersion, manifest: BundleManifest) -> Index:
        """Make an empty index for a bundle, beside the others; one that is there stays as it is."""
        if manifest.version != bundle_version:
            raise BadInput(f"the manifest is of bundle {manifest.version}, the address of {bundle_version}")
        parts.indexes.add(manifest)
        return next(index for index in _listed(parts.indexes).indexes if index.bundle_version == bundle_version)

    @router.delete("/indexes/{bundle_version}")
    def delete(bundle_version: BundleVersion, request: Request) -> IndexList:
        """Delete an index that is not live, for good."""
        parts.audit.record(acting_user(request), "delete index", bundle_version)
        parts.filler.delete(bundle_version)
        return _listed(parts.indexes)

    @router.put("/collection/index")
    def switch(asked: Switch, request: Request) -> Switched:
        """Make an index live, at once; the one before stays and is the way back."""
        parts.audit.record(acting_user(request), "switch index", asked.bundle_version)
        return parts.filler.switch(asked)

    @router.get("/indexes/{bundle_version}/lag")
    def lag(
        bundle_version: BundleVersion,
        after: Annotated[CaseId | None, Query()] = None,
        limit: Annotated[int, Query(ge=1, le=FILL)] = FILL,
    ) -> IndexLag:
        """Cases that the index does not have yet, page by page."""
        return parts.filler.lag(bundle_version, after, limit)

    @router.put("/indexes/{bundle_version}/latents")
    def fill(bundle_version: BundleVersion, asked: IndexFill) -> IndexFilled:
        """Take cases over from another index with new latents; answers when all of it is durable."""
        return parts.filler.fill(bundle_version, asked)

    @router.get("/indexes/{bundle_version}/cases/{case_id}/image", response_class=Response, responses=_PICTURE)
    def image(bundle_version: BundleVersion, case_id: CaseIdInPath, request: Request) -> Response:
        """The image of one case as an index has it."""
        parts.audit.record(acting_user(request), "view image", case_id)
        data = parts.filler.image(bundle_version, case_id)
        return Response(data, media_type=media_type(data), headers={"Cache-Control": "no-store"})

    return router


def _listed(indexes: Indexes) -> IndexList:
    return IndexList(
        indexes=[
            Index(bundle_version=index.version, state=state, cases=index.cases.count())
            for state, index in indexes.all()
        ]
    )
