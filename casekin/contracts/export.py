"""Contracts of the collection as a table."""

from typing import Literal

from pydantic import ConfigDict, Field

from casekin.contracts.base import Contract
from casekin.contracts.maps import MapId

TABLE_TYPE = "application/vnd.apache.parquet"


class Export(Contract):
    """Write all cases with metadata, place on the map and latent into one table."""

    model_config = ConfigDict(json_schema_extra={"example": {"kind": "export"}})

    kind: Literal["export"] = "export"
    map_id: MapId | None = Field(
        default=None, description="of a kept map; the default is the current one, if there is one"
    )


class ExportResult(Contract):
    """Result of ``export``: the file is a Parquet table with a row for each case; columns are in `casekin.parquet`."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "bundle_version": "ham10000-2026.11.1",
                "revision": "8470-9f2c",
                "map_id": None,
                "cases": 8470,
                "media_type": TABLE_TYPE,
                "size": 3_100_000,
                "link": "/v1/jobs/1f9a0c6e4b7d4e0a9c1d2b3a4f5e6d7c/file",
            }
        }
    )

    bundle_version: str
    revision: str = Field(description="of the collection as it was written")
    map_id: MapId | None
    cases: int
    media_type: str
    size: int = Field(description="of the file, bytes")
    link: str = Field(description="path of the file on this service")
