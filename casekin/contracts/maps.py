"""Contracts of the map: fitting it, its versions with their quality, and placing a query on one of them.

The width of a map is the longer side of the box around its cases; distances on it are shares of that.
"""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import ConfigDict, Field, JsonValue, StringConstraints

from casekin.contracts.base import BundleVersion, CaseId, Code, Contract, Latent, Preset

MapId = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{32}$")]
"""The id of the job that fitted the map."""
_ID = "1f9a0c6e4b7d4e0a9c1d2b3a4f5e6d7c"


class MapFit(Contract):
    """Fit the 2-D UMAP map of the whole collection; the result becomes the current map."""

    model_config = ConfigDict(json_schema_extra={"example": {"kind": "map.fit", "preset": "clinical"}})

    kind: Literal["map.fit"] = "map.fit"
    preset: Preset = "clinical"
    neighbours: int = Field(default=15, ge=2, le=200)
    min_dist: float = Field(default=0.1, ge=0, le=1)
    seed: int = Field(default=7, ge=0, le=2**32 - 1)
    supervised: bool = Field(
        default=False,
        description="also draw cases of one diagnosis together: it then shows what is known, not only what is seen",
    )
    start: MapId | Literal["latest", "pca"] = Field(
        default="latest",
        description="where cases start: at their place on a kept map, so that it moves as little as it can (`latest`: "
        "the last one of this bundle and preset, if any), or at their first two principal components",
    )


class MapPlace(Contract):
    """Place a query on a map, from its neighbours' coordinates."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {"kind": "map.place", "bundle_version": "ham10000-2026.11.1", "latent": [0.3, -1.2]}
        }
    )

    kind: Literal["map.place"] = "map.place"
    bundle_version: BundleVersion
    latent: Latent
    neighbours: int = Field(default=15, ge=1, le=100)
    map_id: MapId | None = Field(default=None, description="of a kept map; the default is the current one")


class Agreement(Contract):
    """How often a case's nearest cases of other lesions share its diagnosis, on the map and in the latent space.

    An encoder that was trained on the collection's images finds their diagnoses more often than a new image's:
    `BundleManifest.held_out_agreement` says how often that is found.
    """

    diagnosis: Code
    cases: int = Field(ge=1, description="of the diagnosis that were looked at")
    on_map: float = Field(ge=0, le=1)
    in_latent: float = Field(ge=0, le=1)


class PlacingError(Contract):
    """How far from their own place cases were put whose neighbours lay this far apart, when each was left out."""

    spread: float = Field(ge=0, description="largest of the group, share of the map's width")
    median: float = Field(ge=0, description="share of the map's width")
    p90: float = Field(ge=0, description="likewise; nine in ten were nearer")


_QUALITY: dict[str, JsonValue] = {
    "neighbours": 15,
    "looked_at": 2000,
    "trustworthiness": 0.93,
    "continuity": 0.95,
    "agreement": [{"diagnosis": "nv", "cases": 1340, "on_map": 0.88, "in_latent": 0.9}],
    "placing": [{"spread": 0.02, "median": 0.008, "p90": 0.02}, {"spread": 0.2, "median": 0.06, "p90": 0.3}],
    "moved": 0.01,
}


class MapQuality(Contract):
    """How far a map can be trusted; from a sample of its cases against all others."""

    model_config = ConfigDict(json_schema_extra={"example": _QUALITY})

    neighbours: int = Field(description="nearest cases that each figure is about")
    looked_at: int = Field(description="cases in the sample")
    trustworthiness: float = Field(
        ge=0, le=1, description="1 where every neighbour on the map is one in the latent space; Venna and Kaski 2001"
    )
    continuity: float = Field(ge=0, le=1, description="1 where every neighbour in the latent space is one on the map")
    agreement: list[Agreement]
    placing: list[PlacingError] = Field(description="by spread ascending")
    moved: float | None = Field(
        default=None, ge=0, description="median move of the cases of the map it started from, share of the map's width"
    )


_VERSION: dict[str, JsonValue] = {
    "id": _ID,
    "bundle_version": "ham10000-2026.11.1",
    "revision": "8470-9f2c",
    "recipe": {"kind": "map.fit", "preset": "clinical", "start": "pca"},
    "weights": [1.4, 0.6],
    "created": "2026-11-22T12:00:00Z",
    "fit_s": 21.0,
    "cases": 8470,
    "fitted": 8470,
    "quality": _QUALITY,
    "link": f"/v1/maps/{_ID}",
}


class MapVersion(Contract):
    """Result of ``map.fit``: one kept map and how good it is; the coordinates are under `link`."""

    model_config = ConfigDict(json_schema_extra={"example": _VERSION})

    id: MapId
    bundle_version: str
    revision: str = Field(description="of the collection it was fitted on")
    recipe: MapFit = Field(description="as submitted, with the map that its cases started from")
    weights: list[float] = Field(description="of the preset, D")
    created: datetime
    fit_s: float
    cases: int
    fitted: int = Field(description="cases that UMAP laid out; the others were placed among them")
    quality: MapQuality
    link: str = Field(description="path of the map on this service")


class MapVersions(Contract):
    """Answer to ``GET /v1/maps``: the kept maps, newest first."""

    model_config = ConfigDict(json_schema_extra={"example": {"current": _ID, "maps": [_VERSION]}})

    current: MapId | None
    maps: list[MapVersion]


class CurrentMap(Contract):
    """Body of ``PUT /v1/maps/current``: make a kept map the current one again."""

    model_config = ConfigDict(json_schema_extra={"example": {"id": _ID}})

    id: MapId


class CaseMap(Contract):
    """Answer to ``GET /v1/maps/{id}`` and ``/v1/maps/current``: columns of equal length, one entry a case."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {"version": _VERSION, "cases": ["ISIC_0000001"], "diagnoses": ["nv"], "x": [1.5], "y": [-0.2]}
        }
    )

    version: MapVersion
    cases: list[CaseId]
    diagnoses: list[Code | None]
    x: list[float]
    y: list[float]


class Placement(Contract):
    """Result of ``map.place``."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "map_id": _ID,
                "x": 1.4,
                "y": -0.1,
                "spread": 0.03,
                "error": {"spread": 0.05, "median": 0.012, "p90": 0.04},
                "neighbours": ["ISIC_0000001"],
            }
        }
    )

    map_id: MapId
    x: float
    y: float
    spread: float = Field(
        ge=0, description="honesty: mean distance of the neighbours from the place, as a share of the map's width"
    )
    error: PlacingError | None = Field(
        description="how far off cases with such a spread were put; none where the map has too few cases to tell"
    )
    neighbours: list[CaseId]
