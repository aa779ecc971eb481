"""Contracts of indexes: add, fill, switch, delete.

An index has the cases of the collection with latents of one bundle. One index is live; others are being filled, or were
live before.
"""

from typing import Literal

from pydantic import ConfigDict, Field, JsonValue

from casekin.contracts.base import BundleVersion, CaseId, Contract, Latent

IndexState = Literal["live", "standby", "filling"]
"""``live``: its cases are the collection; ``standby``: it was live before, and still answers latents of its own bundle;
``filling``: it was never live, and answers no search."""
_INDEX: dict[str, JsonValue] = {"bundle_version": "ham10000-2026.11.1", "state": "live", "cases": 8470}
FILL = 256
"""Maximum number of cases in one request that fills an index."""


class Index(Contract):
    """One index, and answer to ``PUT /v1/indexes/{bundle_version}`` (body: the bundle's manifest)."""

    model_config = ConfigDict(json_schema_extra={"example": _INDEX})

    bundle_version: BundleVersion
    state: IndexState
    cases: int


class IndexList(Contract):
    """Answer to ``GET /v1/indexes`` and ``DELETE /v1/indexes/{bundle_version}``."""

    model_config = ConfigDict(json_schema_extra={"example": {"indexes": [_INDEX]}})

    indexes: list[Index] = Field(description="live first, then standby by when they were last live, then filling")


class IndexLag(Contract):
    """Answer to ``GET /v1/indexes/{bundle_version}/lag?after=&limit=``: cases that the index lacks.

    Its source is the live index: cases that the index lacks or has in another state. For the live index itself the
    source is the one that was live before: cases that were added there.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "source": "ham10000-2026.11.1",
                "cases": {"ISIC_0000001": "0" * 64},
                "passed": 256,
                "total": 8470,
                "next": None,
            }
        }
    )

    source: BundleVersion = Field(description="version of the index to copy them from")
    cases: dict[CaseId, str] = Field(description="digests by id, in the order of the ids")
    passed: int = Field(ge=0, description="number of cases of the source up to the end of this page")
    total: int = Field(ge=0, description="number of cases of the source")
    next: CaseId | None = Field(description="pass as `after` for the next page; none at the end")


class EncodedAnew(Contract):
    """A case of the source index with the latent of its image from another bundle."""

    id: CaseId
    digest: str = Field(pattern=r"^[0-9a-f]{64}$", description="digest of the state that was encoded")
    latent: Latent


class IndexFill(Contract):
    """Body of ``PUT /v1/indexes/{bundle_version}/latents``: metadata and image are those of the source."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "source": "ham10000-2026.11.1",
                "cases": [{"id": "ISIC_0000001", "digest": "0" * 64, "latent": [0.3, -1.2]}],
            }
        }
    )

    source: BundleVersion
    cases: list[EncodedAnew] = Field(min_length=1, max_length=FILL)


class IndexFilled(Contract):
    """Answer to an `IndexFill`, sent when all of it is durable."""

    model_config = ConfigDict(json_schema_extra={"example": {"stored": 256, "passed_over": []}})

    stored: int
    passed_over: list[CaseId] = Field(description="changed or deleted since they were encoded; ask for the lag again")


class Switch(Contract):
    """Body of ``PUT /v1/collection/index``."""

    model_config = ConfigDict(json_schema_extra={"example": {"bundle_version": "ham10000-2026.12.1"}})

    bundle_version: BundleVersion
    even_if_behind: bool = Field(default=False, description="allow it even if cases of the live index are missing")


class Switched(Contract):
    """Answer to a `Switch`: every copy of the service has the index as its live one."""

    model_config = ConfigDict(
        json_schema_extra={"example": {"live": "ham10000-2026.12.1", "before": "ham10000-2026.11.1", "behind": 0}}
    )

    live: BundleVersion
    before: BundleVersion | None = Field(description="the index that a roll back makes live; none if no other was live")
    behind: int = Field(ge=0, description="number of cases that it lacks or has in another state")
