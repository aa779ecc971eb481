"""Responses without FastAPI's serialisation, which would validate a finished contract a second time."""

from fastapi import Response
from pydantic import BaseModel


def as_json(answer: BaseModel) -> Response:
    """The JSON of `answer`; give the route its ``response_model`` so that the OpenAPI document declares it."""
    return Response(answer.model_dump_json(), media_type="application/json")
