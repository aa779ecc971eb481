"""One upload through the services of the compose network, as the page does it; prints what came back as JSON.

Runs in the image of ingest: ``docker compose run --rm --entrypoint python ... ingest /trial/upload.py IMAGE``.
"""

import json
import os
import sys
from pathlib import Path

from casekin.clients import EncoderClient, ProjectorClient, SearchClient
from casekin.contracts.maps import MapFit, MapPlace, MapVersion, Placement
from casekin.contracts.rollouts import Rollout, RolloutResult
from casekin.contracts.search import SearchRequest


def main(image: Path) -> None:
    """Encode, search, fit the map if there is none, place, roll out."""
    key = os.environ["CASEKIN_API_KEY"]
    with (
        EncoderClient(os.environ["CASEKIN_ENCODER_URL"], api_key=key) as encoder,
        SearchClient(os.environ["CASEKIN_SEARCH_URL"], api_key=key) as search,
        ProjectorClient(os.environ["CASEKIN_PROJECTOR_URL"], api_key=key) as projector,
    ):
        encoded = encoder.encode(image.read_bytes())
        query = {"bundle_version": encoded.bundle_version, "latent": encoded.latent}
        found = search.search(SearchRequest(bundle_version=encoded.bundle_version, latents=(encoded.latent,), k=5))
        fitted = projector.wait(projector.submit(MapFit()), MapVersion, timeout_s=600)
        placed = projector.wait(projector.submit(MapPlace(**query)), Placement, timeout_s=60)
        rolled = projector.wait(projector.submit(Rollout(**query, dimensions=[0])), RolloutResult, timeout_s=60)
    told = {
        "cases": found.passing,
        "matches": [[match.case.id, match.case.diagnosis, round(match.distance, 4)] for match in found.matches],
        "map": {"id": fitted.id, "cases": fitted.cases},
        "place": [round(placed.x, 4), round(placed.y, 4)],
        "rollout_images": len(rolled.rows[0].steps),
    }
    print(json.dumps(told))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
