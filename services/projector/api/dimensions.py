"""Names of dimensions: ``/v1/dimensions``."""

from fastapi import APIRouter, Request

from casekin.contracts.names import DimensionNames, NameChange, NameHistory, Renaming
from casekin.service.audit import AuditLog
from casekin.service.auth import acting_user
from services.projector.latents.manifest_cache import ManifestCache
from services.projector.storage.dimension_names import DimensionNameStore


def dimension_routes(store: DimensionNameStore, manifests: ManifestCache, audit: AuditLog) -> APIRouter:
    """Read, change and undo the names of the dimensions of the bundle in use."""
    router = APIRouter(tags=["dimensions"])

    @router.get("/dimensions")
    def names() -> DimensionNames:
        """The name of each dimension."""
        return store.names(manifests.current())

    @router.get("/dimensions/{index}/history")
    def history(index: int) -> NameHistory:
        """All changes of a name, the last first."""
        return store.history(manifests.current(), index)

    @router.put("/dimensions/{index}/name")
    def rename(index: int, wanted: Renaming, request: Request) -> NameChange:
        """Change a name."""
        who = acting_user(request)
        change = store.rename(manifests.current(), index, wanted.name, who)
        audit.record(who, "name dimension", f"{index}: {change.name}")
        return change

    @router.post("/dimensions/{index}/undo")
    def undo(index: int, wanted: Renaming, request: Request) -> NameChange:
        """Undo the change that gave the current name."""
        who = acting_user(request)
        change = store.undo(manifests.current(), index, wanted.name, who)
        audit.record(who, "undo name of dimension", f"{index}: {change.name}")
        return change

    return router
