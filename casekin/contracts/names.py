"""Contracts of dimension names: a bundle brings defaults, users change them, each change has its user and time."""

from datetime import datetime
from typing import Annotated

from pydantic import ConfigDict, Field, JsonValue, StringConstraints

from casekin.contracts.base import Contract

DimensionName = Annotated[
    str, StringConstraints(min_length=1, max_length=60, strip_whitespace=True, pattern=r"^[^\x00-\x1f\x7f]*$")
]
"""One line that fits beside a row of images."""
_CHANGE: dict[str, JsonValue] = {
    "dimension": 3,
    "name": "Size",
    "before": "Dimension 4",
    "by": "dr.lee",
    "at": "2026-11-22T12:00:00Z",
    "undo": False,
}


class Renaming(Contract):
    """Body of ``PUT /v1/dimensions/{index}/name`` (the new name) and of ``POST .../undo`` (the name to undo)."""

    model_config = ConfigDict(json_schema_extra={"example": {"name": "Size"}})

    name: DimensionName


class NameChange(Contract):
    """One change of a name."""

    model_config = ConfigDict(json_schema_extra={"example": _CHANGE})

    dimension: int = Field(ge=0)
    name: DimensionName = Field(description="from then on")
    before: DimensionName
    by: str = Field(description="user; `local` where nobody signs in")
    at: datetime
    undo: bool = Field(description="whether it undid an earlier change")


class DimensionNames(Contract):
    """Answer to ``GET /v1/dimensions``: the name of each dimension, in their order."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {"bundle_version": "ham10000-2026.11.1", "names": ["Size", "Dimension 2"], "changed": [0]}
        }
    )

    bundle_version: str
    names: list[str]
    changed: list[int] = Field(description="dimensions whose name is not the bundle's")


class NameHistory(Contract):
    """Answer to ``GET /v1/dimensions/{index}/history``: all changes of one name, the last first."""

    model_config = ConfigDict(json_schema_extra={"example": {"default": "Dimension 4", "changes": [_CHANGE]}})

    default: str = Field(description="the bundle's")
    changes: list[NameChange]
