"""A map without a fit: the first two latent coordinates, so that a test knows where everything lies."""

from datetime import UTC, datetime

from casekin.contracts.projector import CaseMap
from services.projector.artefacts import Artefacts
from tests.integration.projector.conftest import Station


def leave_map(station: Station, *, version: str = "tiny-1", name: str = "laid") -> CaseMap:
    """Make such a map of the station's collection the current one."""
    cases = station.collection.cases
    fitted = CaseMap(
        id=f"{name}-{version}",
        bundle_version=version,
        revision=station.collection.revision,
        preset="clinical",
        created=datetime.now(UTC),
        fit_s=0,
        cases=[case.id for case in cases],
        diagnoses=[case.diagnosis for case in cases],
        x=station.collection.latents[:, 0].tolist(),
        y=station.collection.latents[:, 1].tolist(),
    )
    artefacts = Artefacts(station.settings.folder, station.settings.result_lifetime_s)
    artefacts.write(fitted.id, fitted)
    artefacts.set_current(fitted)
    return fitted
