"""Contracts of re-indexing: the collection encoded again by another bundle, beside the index that is searched."""

from typing import Literal

from pydantic import ConfigDict, Field

from casekin.contracts.base import BundleVersion, CaseId, Contract, ServiceUrl


class Reindex(Contract):
    """Encode every case of the collection for the index of the bundle that an encoder serves, slowly.

    Submitted again once it has ended, it looks again: only what is missing is encoded.
    """

    model_config = ConfigDict(
        json_schema_extra={"example": {"kind": "reindex", "encoder_url": "http://127.0.0.1:8111"}}
    )

    kind: Literal["reindex"] = "reindex"
    encoder_url: ServiceUrl | None = Field(
        default=None,
        description="of the encoder with the new bundle: on the workers' own machine, or the one of their settings, "
        "which is the default",
    )


class ReindexResult(Contract):
    """Result of ``reindex``: what the index has now, and what could not be encoded."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "bundle_version": "ham10000-2026.12.1",
                "source": "ham10000-2026.11.1",
                "cases": 8470,
                "encoded": 8469,
                "skipped": {"ISIC_0000001": "corrupt-image"},
            }
        }
    )

    bundle_version: BundleVersion
    source: BundleVersion = Field(description="the index that the cases were read from")
    cases: int = Field(description="of the source")
    encoded: int = Field(description="by this job; the others were there")
    skipped: dict[CaseId, str] = Field(description="cases that the index still lacks, with the code of what failed")
