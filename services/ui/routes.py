"""Images of cases for the browser: passed on from search, with who asked, so that each view is audited there."""

from fastapi import APIRouter, Request, Response

from casekin.clients import SearchClient
from casekin.contracts.base import CaseId
from services.ui.signin import signed_in


def image_routes(search: SearchClient) -> APIRouter:
    """``/images/{id}`` and ``/thumbnails/{id}``."""
    router = APIRouter(tags=["images"])

    @router.get("/images/{case_id}", response_class=Response)
    def image(case_id: CaseId, request: Request) -> Response:
        """The image of one case as ingested."""
        content, media_type = search.image(case_id, user=signed_in(request))
        return Response(content, media_type=media_type)

    @router.get("/thumbnails/{case_id}", response_class=Response)
    def thumbnail(case_id: CaseId, request: Request) -> Response:
        """The thumbnail of one case."""
        content, media_type = search.thumbnail(case_id, user=signed_in(request))
        return Response(content, media_type=media_type)

    return router
