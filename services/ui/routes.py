"""Images for the browser: of cases, from search, which audits each view under the user's name; of dimensions."""

from typing import Literal

from fastapi import APIRouter, Request, Response

from casekin.clients import SearchClient
from casekin.contracts.paths import CaseIdInPath
from casekin.errors import NotFound
from services.ui.security.basic_auth import signed_in
from services.ui.session.data_uri import decoded_data_uri
from services.ui.session.service_cache import Catalog


def image_routes(search: SearchClient) -> APIRouter:
    """``/images/{id}`` and ``/thumbnails/{id}``."""
    router = APIRouter(tags=["images"])

    @router.get("/images/{case_id}", response_class=Response)
    def image(case_id: CaseIdInPath, request: Request) -> Response:
        """The image of one case as ingested."""
        content, media_type = search.image(case_id, user=signed_in(request))
        return Response(content, media_type=media_type)

    @router.get("/thumbnails/{case_id}", response_class=Response)
    def thumbnail(case_id: CaseIdInPath, request: Request) -> Response:
        """The thumbnail of one case."""
        content, media_type = search.thumbnail(case_id, user=signed_in(request))
        return Response(content, media_type=media_type)

    return router


def dimension_routes(catalog: Catalog) -> APIRouter:
    """``/dimensions/{version}/{index}/{end}``: images that the model decodes, of no patient."""
    router = APIRouter(tags=["dimensions"])

    @router.get("/dimensions/{version}/{index}/{end}", response_class=Response)
    def decoded(version: str, index: int, end: Literal["low", "high"]) -> Response:
        """The average image with one dimension low or high."""
        manifest = catalog.manifest()
        if version != manifest.version or not 0 <= index < len(manifest.dimensions):
            raise NotFound(
                f"no dimension {index} of bundle {version}; in use is {manifest.version}, "
                f"with dimensions 0 to {len(manifest.dimensions) - 1}"
            )
        low, high = catalog.ends()[index]
        content = decoded_data_uri(low if end == "low" else high)
        return Response(content, media_type="image/jpeg", headers={"Cache-Control": "private, max-age=86400"})

    return router
