"""Contracts of cases: what is stored, in batches and one by one, read in pages, and deleted."""

from typing import Annotated

from pydantic import AfterValidator, ConfigDict, Field, JsonValue

from casekin.contracts.base import (
    BundleVersion,
    CaseId,
    Cell,
    Code,
    Contract,
    Label,
    Latent,
)

CASE_EXAMPLE: dict[str, JsonValue] = {
    "id": "ISIC_0000001",
    "lesion_id": "HAM_0000001",
    "diagnosis": "nv",
    "evidence": "histo",
    "age": 45,
    "sex": "female",
    "site": "back",
    "source": "vidir_modern",
    "attributes": {},
}

FACETED = ("diagnosis", "site", "sex", "evidence", "source")
"""Fields of a case that hold one code and can be filtered and counted."""
MOST_COLUMNS = 500
"""Further columns of a case."""
MOST_FILTERABLE = 64
"""Further columns of the whole collection that can be counted and filtered by: each has an index of its own."""
_LONGEST_CASE = 100_000
"""Characters in all further columns of a case, so that a batch of cases fits into one request."""


def _known(cells: dict[str, str]) -> dict[str, str]:
    """Cells that are not empty; raises ValueError where there are too many, or they are too long in all."""
    cells = {name: cell for name, cell in cells.items() if cell}
    if len(cells) > MOST_COLUMNS:
        raise ValueError(f"the case has {len(cells)} further columns; at most {MOST_COLUMNS} are allowed")
    if (size := sum(map(len, cells.values()))) > _LONGEST_CASE:
        raise ValueError(f"the further columns have {size} characters in all; at most {_LONGEST_CASE} are allowed")
    return cells


Attributes = Annotated[dict[Code, Cell], AfterValidator(_known)]
"""Further columns of a case by name; an empty cell is unknown, and left out."""


class Case(Contract):
    """One image of the collection with its metadata; unknown values are none."""

    model_config = ConfigDict(json_schema_extra={"example": CASE_EXAMPLE})

    id: CaseId
    lesion_id: Code | None = Field(default=None, description="cases of one lesion share it")
    diagnosis: Code | None = None
    evidence: Code | None = None
    age: float | None = Field(default=None, ge=0, le=130, description="years")
    sex: Code | None = None
    site: Code | None = None
    source: Code | None = None
    attributes: Attributes = Field(default_factory=dict, description="further columns, as they came")
    collection: Label | None = Field(default=None, description="title of the collection that the case came with")


class CaseUpload(Contract):
    """A case on its way into the collection; its image travels beside it under the case's id."""

    model_config = ConfigDict(
        json_schema_extra={"example": {"case": CASE_EXAMPLE, "latent": [0.3, -1.2], "digest": "0" * 64}}
    )

    case: Case
    latent: Latent
    digest: str = Field(
        pattern=r"^[0-9a-f]{64}$",
        description="sha256 over image bytes and metadata: equal digests need no second ingest",
    )


class CaseBatch(Contract):
    """The part ``batch`` of ``PUT /v1/cases`` (multipart; parts ``images``: files named by case id).

    A file name is the id percent-encoded, for quotes and backslashes do not survive in the name of a part.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "bundle_version": "ham10000-2026.11.1",
                "cases": [{"case": CASE_EXAMPLE, "latent": [0.3, -1.2], "digest": "0" * 64}],
            }
        }
    )

    bundle_version: BundleVersion
    cases: list[CaseUpload] = Field(min_length=1, max_length=256)
    take_over: bool = Field(default=False, description="also replace cases that came with another collection")


class CaseBatchReceipt(Contract):
    """Answer to ``PUT /v1/cases``: sent only when all of it is durable.

    A case whose id is that of a stored case of another collection is left out, and named in `taken`.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "stored": 63,
                "replaced": ["ISIC_0000001"],
                "taken": {"ISIC_0000002": "HAM10000"},
                "revision": "8470-9f2c",
            }
        }
    )

    stored: int = Field(ge=0, description="new and replaced cases")
    replaced: list[CaseId] = Field(description="of those stored, the ones that were in the collection before")
    taken: dict[CaseId, Label] = Field(description="cases left out -> the collection that has their id")
    revision: str


ELSEWHERE = (
    "Cached latents, maps and results of the projector have the cases until POST /v1/cases/purge, which `casekin "
    "delete` sends, or until the projector finds their deletion by itself, a minute or two later; backups have them "
    "until they are overwritten."
)


class Deletion(Contract):
    """Answer to ``DELETE /v1/cases/{id}`` and ``DELETE /v1/lesions/{id}``: sent when search has deleted the cases."""

    model_config = ConfigDict(
        json_schema_extra={"example": {"cases": ["ISIC_0000001"], "files": 2, "left": 0, "revision": "8469-9f2d"}}
    )

    cases: list[CaseId] = Field(description="that were in the collection")
    files: int = Field(ge=0, description="images and thumbnails removed")
    left: int = Field(ge=0, description="cases and their files that search, its snapshots or its images still have; 0")
    elsewhere: str = Field(
        default=ELSEWHERE, description="what outside search still has the cases, and until when: in one sentence"
    )
    revision: str


class DigestQuery(Contract):
    """Body of ``POST /v1/cases/digests``: which of these are stored already, and with what digest?"""

    model_config = ConfigDict(json_schema_extra={"example": {"ids": ["ISIC_0000001"]}})

    ids: list[CaseId] = Field(min_length=1, max_length=10_000)


class Digests(Contract):
    """Answer to ``POST /v1/cases/digests``: the digest of each id that is stored."""

    model_config = ConfigDict(json_schema_extra={"example": {"digests": {"ISIC_0000001": "0" * 64}}})

    digests: dict[CaseId, str]


class LatentPage(Contract):
    """Answer to ``GET /v1/latents?after=&limit=``: cases with latents in the order of their ids, for map and export."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "bundle_version": "ham10000-2026.11.1",
                "cases": [CASE_EXAMPLE],
                "latents": [[0.3, -1.2]],
                "next": None,
            }
        }
    )

    bundle_version: str
    cases: list[Case]
    latents: list[Latent]
    next: CaseId | None = Field(description="pass as `after` for the next page; none at the end")
