"""`casekin map`: draw the map of the collection."""

from pathlib import Path
from typing import Annotated, Any

import typer

from casekin.cli.options import ATTEMPTS, ApiKey, Data, ProjectorUrl, service_url
from casekin.cli.terminal.errors import stop
from casekin.cli.terminal.job_progress import follow
from casekin.clients import ProjectorClient
from casekin.contracts.maps import MapFit, MapQuality, MapVersion
from casekin.errors import CasekinError

_DEFAULTS: dict[str, Any] = {name: field.default for name, field in MapFit.model_fields.items()}


def draw_map(
    visual: Annotated[
        bool, typer.Option("--visual", help="Weigh all dimensions alike, not as learned from diagnoses.")
    ] = False,
    supervised: Annotated[bool, typer.Option(help="Also pull cases of one diagnosis together.")] = False,
    afresh: Annotated[bool, typer.Option("--afresh", help="Start from PCA, not from the current map.")] = False,
    neighbours: Annotated[int, typer.Option(min=2, max=200)] = _DEFAULTS["neighbours"],
    min_dist: Annotated[float, typer.Option(min=0, max=1)] = _DEFAULTS["min_dist"],
    seed: Annotated[int, typer.Option(min=0)] = _DEFAULTS["seed"],
    projector_url: ProjectorUrl = None,
    api_key: ApiKey = None,
    data: Data = Path("data"),
) -> None:
    """Draw the map of all cases and make it the current one; the same map is not drawn twice."""
    payload = MapFit(
        preset="visual" if visual else "clinical",
        supervised=supervised,
        start="pca" if afresh else "latest",
        neighbours=neighbours,
        min_dist=min_dist,
        seed=seed,
    )
    try:
        url = projector_url or service_url("projector", data)
        with ProjectorClient(url, api_key=api_key, attempts=ATTEMPTS) as projector:
            version = follow(projector, projector.submit(payload), "Map", MapVersion)
    except CasekinError as error:
        raise stop(error) from error
    typer.echo(f"map of {version.cases} cases: {_summary(version.quality)}")


def _summary(quality: MapQuality) -> str:
    moved = "" if quality.moved is None else f", moved {quality.moved:.1%} of its width"
    return f"trustworthiness {quality.trustworthiness:.3f}, continuity {quality.continuity:.3f}{moved}"
