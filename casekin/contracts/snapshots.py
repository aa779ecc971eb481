"""Contracts of snapshots: named states of the collection that can be restored."""

from datetime import datetime
from typing import Annotated

from pydantic import ConfigDict, Field, JsonValue, StringConstraints

from casekin.contracts.base import BundleVersion, Contract

SnapshotName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$")]
"""Becomes a folder name in the image store."""
_SNAPSHOT: dict[str, JsonValue] = {
    "name": "before-cleaning",
    "bundle_version": "ham10000-2026.11.1",
    "cases": 8470,
    "created": "2026-11-25T15:00:00Z",
}


class Snapshot(Contract):
    """Answer to ``PUT /v1/snapshots/{name}`` and ``POST /v1/snapshots/{name}/restore``."""

    model_config = ConfigDict(json_schema_extra={"example": _SNAPSHOT})

    name: SnapshotName
    bundle_version: BundleVersion = Field(description="bundle of the index that was live")
    cases: int = Field(ge=0, description="number of cases when it was taken; some may have been deleted since")
    created: datetime


class SnapshotList(Contract):
    """Answer to ``GET /v1/snapshots`` and ``DELETE /v1/snapshots/{name}``, by name."""

    model_config = ConfigDict(json_schema_extra={"example": {"snapshots": [_SNAPSHOT]}})

    snapshots: list[Snapshot]
