"""The body of every error answer, RFC 9457."""

from pydantic import ConfigDict, Field

from casekin.contracts.base import Contract


class Problem(Contract):
    """``application/problem+json``; ``code`` is of the closed list in `casekin.errors`."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "type": "urn:casekin:problem:upload-too-large",
                "title": "The upload is too large",
                "status": 413,
                "code": "upload-too-large",
                "detail": "25.0 MB were sent; the limit is 20 MB",
                "request_id": "5f0c7a9e2b",
            }
        }
    )

    type: str
    title: str
    status: int = Field(ge=400, le=599)
    code: str
    detail: str
    request_id: str | None = None
