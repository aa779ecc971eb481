"""Snapshots over HTTP: take, list, restore, delete."""

from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool

from casekin.contracts.snapshots import Snapshot, SnapshotList, SnapshotName
from casekin.service.auth import acting_user
from services.search.api.dependencies import Dependencies


def snapshot_routes(parts: Dependencies) -> APIRouter:
    """Routes over all snapshots."""
    router = APIRouter(tags=["snapshots"])

    @router.get("/snapshots")
    def snapshots() -> SnapshotList:
        """All snapshots, by name."""
        return SnapshotList(snapshots=parts.snapshots.all())

    @router.put("/snapshots/{name}")
    async def take(name: SnapshotName, request: Request) -> Snapshot:
        """Keep the collection as it is under a name that is free; writes wait meanwhile, searches do not."""
        parts.audit.record(acting_user(request), "take snapshot", name)
        return await parts.changes.run(lambda: parts.snapshots.take(name))

    @router.post("/snapshots/{name}/restore")
    async def restore(name: SnapshotName, request: Request) -> Snapshot:
        """Make the collection what it was; what came since is gone, and what was deleted stays so."""
        parts.audit.record(acting_user(request), "restore snapshot", name)
        return await parts.changes.run(lambda: parts.snapshots.restore(name))

    @router.delete("/snapshots/{name}")
    async def delete(name: SnapshotName, request: Request) -> SnapshotList:
        """Delete a snapshot for good."""
        parts.audit.record(acting_user(request), "delete snapshot", name)
        await parts.changes.run(lambda: parts.snapshots.delete(name))
        return SnapshotList(snapshots=await run_in_threadpool(parts.snapshots.all))

    return router
