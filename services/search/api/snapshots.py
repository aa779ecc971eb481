"""Snapshots over HTTP: take, list, restore, delete."""

from fastapi import APIRouter, Request

from casekin.contracts.snapshots import Snapshot, SnapshotList, SnapshotName
from casekin.service.auth import acting_user
from services.search.api.dependencies import Parts


def snapshot_routes(parts: Parts) -> APIRouter:
    """Routes over all snapshots."""
    router = APIRouter(tags=["snapshots"])

    @router.get("/snapshots")
    def snapshots() -> SnapshotList:
        """All snapshots, by name."""
        return SnapshotList(snapshots=parts.snapshots.all())

    @router.put("/snapshots/{name}")
    def take(name: SnapshotName, request: Request) -> Snapshot:
        """Keep the collection as it is now under a name; writes wait meanwhile, searches do not."""
        parts.audit.record(acting_user(request), "take snapshot", name)
        return parts.snapshots.take(name)

    @router.post("/snapshots/{name}/restore")
    def restore(name: SnapshotName, request: Request) -> Snapshot:
        """Make the collection what it was; what came since is gone, and what was deleted stays so."""
        parts.audit.record(acting_user(request), "restore snapshot", name)
        return parts.snapshots.restore(name)

    @router.delete("/snapshots/{name}")
    def delete(name: SnapshotName, request: Request) -> SnapshotList:
        """Delete a snapshot for good."""
        parts.audit.record(acting_user(request), "delete snapshot", name)
        parts.snapshots.delete(name)
        return SnapshotList(snapshots=parts.snapshots.all())

    return router
