"""Maps that no fit has made, so that a test knows where everything lies."""

from collections.abc import Sequence
from datetime import UTC, datetime

from casekin.contracts.base import Preset
from casekin.contracts.maps import CaseMap, MapFit, MapQuality, MapVersion, PlacingError

PLACING = [PlacingError(spread=0.05, median=0.01, p90=0.03), PlacingError(spread=0.5, median=0.1, p90=0.4)]


def map_id(number: int = 1) -> str:
    """The id of the map of that number."""
    return f"{number:032x}"


def version(
    cases: int,
    *,
    number: int = 1,
    bundle: str = "tiny-1",
    revision: str = "1",
    preset: Preset = "visual",
    weights: Sequence[float] = (1.0, 1.0),
) -> MapVersion:
    """A map's record."""
    return MapVersion(
        id=map_id(number),
        bundle_version=bundle,
        revision=revision,
        recipe=MapFit(preset=preset, start="pca"),
        weights=list(weights),
        created=datetime(2026, 11, 22, 12, number % 60, tzinfo=UTC),
        fit_s=0,
        cases=cases,
        fitted=cases,
        quality=MapQuality(
            neighbours=2, looked_at=cases, trustworthiness=1, continuity=1, agreement=[], placing=PLACING
        ),
        link=f"/v1/maps/{map_id(number)}",
    )


def case_map(places: dict[str, tuple[float, float]], about: MapVersion | None = None) -> CaseMap:
    """A map with each case where `places` says."""
    return CaseMap(
        version=about or version(len(places)),
        cases=list(places),
        diagnoses=[None] * len(places),
        x=[x for x, _ in places.values()],
        y=[y for _, y in places.values()],
    )
