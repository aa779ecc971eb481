"""A map without a fit: the first two latent coordinates, so that a test knows where everything lies."""

from casekin.contracts.maps import CaseMap
from services.projector.projection.map_store import MapStore
from tests.integration.projector.conftest import Station
from tests.integration.projector.small_search import WEIGHTS
from tests.laid import version


def leave_map(station: Station, *, bundle: str = "tiny-1", number: int = 1) -> CaseMap:
    """Make such a map of the station's collection the current one."""
    held = station.collection
    about = version(
        len(held.cases),
        number=number,
        bundle=bundle,
        revision=held.revision,
        preset="clinical",
        weights=WEIGHTS["clinical"],
    )
    fitted = CaseMap(
        version=about,
        cases=[case.id for case in held.cases],
        diagnoses=[case.diagnosis for case in held.cases],
        x=held.latents[:, 0].tolist(),
        y=held.latents[:, 1].tolist(),
    )
    maps = MapStore(station.settings.folder, station.settings.maps_kept)
    maps.add(fitted)
    maps.make_current(about.id)
    return fitted
