"""Problem documents for what is refused before it reaches a route."""

from collections.abc import Mapping

from starlette.responses import JSONResponse
from starlette.types import Scope

from casekin.errors import CasekinError
from casekin.service.problems import describe


def refusal(scope: Scope, error: CasekinError, headers: Mapping[str, str] | None = None) -> JSONResponse:
    """The answer to a request that a middleware refuses."""
    problem = describe(error, scope.get("state", {}).get("request_id"))
    return JSONResponse(problem.model_dump(), error.status, headers, media_type="application/problem+json")
