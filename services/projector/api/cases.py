"""Deleted cases: ``POST /v1/cases/purge``."""

from fastapi import APIRouter, Request

from casekin.contracts.projector import PurgeRequest, PurgeResult
from casekin.service.audit import AuditLog
from casekin.service.auth import acting_user
from services.projector.deletion.case_purge import CasePurge


def case_routes(purge: CasePurge, audit: AuditLog) -> APIRouter:
    """Remove what the projector stores of deleted cases."""
    router = APIRouter(tags=["cases"])

    @router.post("/cases/purge")
    def purge_cases(purged: PurgeRequest, request: Request) -> PurgeResult:
        """Remove deleted cases from cached latents, kept maps and results; 409 while search still has one of them."""
        result = purge.purge(purged.ids)
        for case in purged.ids:
            audit.record(acting_user(request), "purge case", case)
        return result

    return router
