"""Contracts of the collection: what it says of itself, its diagnoses, sources and counts."""

from typing import Annotated

from pydantic import ConfigDict, Field

from casekin.contracts.base import (
    Code,
    Contract,
    Label,
    Note,
)


class Diagnosis(Contract):
    """One diagnosis of the collection's vocabulary."""

    code: Code
    name: Label
    malignant: bool | None = Field(default=None, description="none where the collection does not say")
    colour: str | None = Field(default=None, pattern=r"^#[0-9a-fA-F]{6}$")


class Source(Contract):
    """One of several collections whose cases were ingested."""

    title: Label
    licence: Note | None = None
    citation: Note | None = None


class CollectionInfo(Contract):
    """What a collection says of itself; body of ``PUT /v1/collection``.

    Where the cases come from several collections, `sources` names each, and title, licence and citation are of all.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "title": "HAM10000",
                "licence": "CC BY-NC 4.0",
                "citation": "Tschandl et al., Sci Data 5:180161, 2018",
                "diagnoses": [{"code": "nv", "name": "Melanocytic nevus", "malignant": False, "colour": "#7c9cbf"}],
                "labels": {"evidence": {"histo": "histopathology"}},
                "evidence_weights": {"histo": 1.0},
            }
        }
    )

    title: Label
    licence: Note | None = None
    citation: Note | None = None
    sources: tuple[Source, ...] = Field(default=(), description="in the order they came; empty where there is one")
    diagnoses: list[Diagnosis] = Field(default_factory=list, description="in the order to show them")
    labels: dict[Code, dict[Code, Label]] = Field(
        default_factory=dict, description="by field: code -> what the page shows"
    )
    evidence_weights: dict[Code, Annotated[float, Field(ge=0, le=1)]] = Field(
        default_factory=dict, description="how much a neighbour's diagnosis counts by its evidence; 1 where not named"
    )


class Collection(Contract):
    """Answer to ``GET /v1/collection``."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "info": {"title": "HAM10000"},
                "bundle_version": "ham10000-2026.11.1",
                "cases": 8470,
                "lesions": 6304,
                "revision": "8470-9f2c",
            }
        }
    )

    info: CollectionInfo
    bundle_version: str
    cases: int
    lesions: int
    revision: str = Field(description="changes when a case is added, changed or deleted; keys the map")
