"""Contracts of bulk ingest: a folder that the workers see, split into parts that any of them may bring in."""

from typing import Annotated, Literal, Self

from pydantic import ConfigDict, Field, StringConstraints, model_validator

from casekin.contracts.base import Contract

_NAME = r"[A-Za-z0-9_][A-Za-z0-9_. -]*"
FolderName = Annotated[str, StringConstraints(pattern=f"^{_NAME}(/{_NAME})*$", max_length=400)]
"""A path below the folder of collections that the workers were given; none leads out of it."""


class IngestPart(Contract):
    """Bring in one part of a collection: each `parts`-th case of it, from the `part`-th on.

    Asked for again once it has ended, it looks again: what is stored already is known by its digest.
    """

    model_config = ConfigDict(
        json_schema_extra={"example": {"kind": "ingest", "folder": "ham10000", "part": 1, "parts": 8}}
    )

    kind: Literal["ingest"] = "ingest"
    folder: FolderName
    part: int = Field(default=1, ge=1)
    parts: int = Field(default=1, ge=1, le=1000)

    @model_validator(mode="after")
    def _is_one_of_them(self) -> Self:
        if self.part > self.parts:
            raise ValueError(f"part {self.part} of {self.parts} parts; name one from 1 to {self.parts}")
        return self


class IngestResult(Contract):
    """Result of ``ingest``: how many images ended how; the file has a line for each."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "ingested": 1050,
                "unchanged": 8,
                "skipped": 1,
                "skipped_by_code": {"corrupt-image": 1},
                "media_type": "text/csv",
                "size": 52_431,
                "link": "/v1/jobs/1f9a0c6e4b7d4e0a9c1d2b3a4f5e6d7c/file",
            }
        }
    )

    ingested: int
    unchanged: int
    skipped: int
    skipped_by_code: dict[str, int]
    media_type: str
    size: int = Field(description="of the file, bytes")
    link: str = Field(description="path of the file on this service")
