"""Contracts of bulk ingest: a folder that the workers see, split into parts that any of them may ingest."""

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, ConfigDict, Field, model_validator

from casekin.contracts.base import Contract

LONGEST_FOLDER = 1000
"""Characters of a path below the folder of collections."""
LONGEST_NAME = 255
"""Bytes of one name in it."""


def _folder_name(path: str) -> str:
    if len(path) > LONGEST_FOLDER:
        raise ValueError(f"the path has {len(path)} characters; at most {LONGEST_FOLDER} are allowed")
    if not path.isprintable() or "\\" in path:
        raise ValueError("a path has no control characters and no backslashes")
    for name in path.split("/"):
        if not name:
            raise ValueError("a path neither begins nor ends with a slash, and has no two in a row")
        if name.startswith("."):
            raise ValueError(f"no name in a path begins with a dot, as {name!r} does")
        if len(name.encode()) > LONGEST_NAME:
            raise ValueError(f"a name in the path has {len(name.encode())} bytes; file systems allow {LONGEST_NAME}")
    return path


FolderName = Annotated[str, AfterValidator(_folder_name), Field(json_schema_extra={"maxLength": LONGEST_FOLDER})]
"""A path of a folder or zip below the folder of collections that the workers were given; none leads out of it."""


class IngestPart(Contract):
    """Ingest one part of a collection: every `parts`-th case of it, from the `part`-th on.

    Submitted again once it has ended, it runs again; what is stored already is known by its digest.
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
    """Result of ``ingest``: number of images by how they ended; the file has a line for each."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "ingested": 1050,
                "replaced": 0,
                "unchanged": 8,
                "skipped": 1,
                "skipped_by_code": {"corrupt-image": 1},
                "media_type": "text/csv",
                "size": 52_431,
                "link": "/v1/jobs/1f9a0c6e4b7d4e0a9c1d2b3a4f5e6d7c/file",
            }
        }
    )

    ingested: int = Field(description="new in the collection")
    replaced: int = Field(default=0, description="stored in place of another state of the case")
    unchanged: int
    skipped: int
    skipped_by_code: dict[str, int]
    media_type: str
    size: int = Field(description="of the file, bytes")
    link: str = Field(description="path of the file on this service")
