"""The HTTP side of dimension names."""

from fastapi import APIRouter, Request

from casekin.contracts.names import DimensionNames, NameChange, NameHistory, Renaming
from casekin.service.audit import AuditLog
from casekin.service.auth import acting_user
from services.projector.latents.manifest_cache import ManifestCache
from services.projector.storage.dimension_names import DimensionNameStore


def dimension_routes(book: DimensionNameStore, manifests: ManifestCache, audit: AuditLog) -> APIRouter:
    """Names of the dimensions of the bundle in use."""
    router = APIRouter(tags=["dimensions"])

    @router.get("/dimensions")
    def names() -> DimensionNames:
        """The name of each dimension."""
        return book.names(manifests.current())

    @router.get("/dimensions/{index}/history")
    def history(index: int) -> NameHistory:
        """Who named it what, and when; the last change first."""
        return book.history(manifests.current(), index)

    @router.put("/dimensions/{index}/name")
    def rename(index: int, asked: Renaming, request: Request) -> NameChange:
        """Give it a name."""
        who = acting_user(request)
        change = book.rename(manifests.current(), index, asked.name, who)
        audit.record(who, "name dimension", f"{index}: {change.name}")
        return change

    @router.post("/dimensions/{index}/undo")
    def undo(index: int, asked: Renaming, request: Request) -> NameChange:
        """Take a name back that stands, so that the one before stands again."""
        who = acting_user(request)
        change = book.undo(manifests.current(), index, asked.name, who)
        audit.record(who, "undo name of dimension", f"{index}: {change.name}")
        return change

    return router
