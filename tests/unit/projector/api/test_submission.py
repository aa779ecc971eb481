"""Jobs are named by content."""

from casekin.contracts.maps import MapFit, MapPlace
from casekin.contracts.rollouts import Rollout
from services.projector.api.jobs import job_request
from services.projector.api.submission import content_id
from services.projector.jobs.kinds import QUEUES
from services.projector.settings import ProjectorSettings
from services.projector.tasks.registry import HANDLERS, job_kinds

PLACE = MapPlace(bundle_version="tiny-1", latent=[0.1, 0.2])
SAME = MapPlace.model_validate(PLACE.model_dump())


def test_content_id__is_equal_for_equal_content_only() -> None:
    assert content_id(PLACE, ["tiny-1", "r1"]) == content_id(
        MapPlace.model_validate(PLACE.model_dump()), ["tiny-1", "r1"]
    )
    others = [
        content_id(PLACE, ["tiny-1", "r2"]),
        content_id(PLACE.model_copy(update={"latent": [0.1, 0.2000001]}), ["tiny-1", "r1"]),
        content_id(Rollout(bundle_version="tiny-1", latent=[0.1, 0.2]), ["tiny-1", "r1"]),
        content_id(MapFit(), ["tiny-1", "r1"]),
        content_id(MapFit(seed=8), ["tiny-1", "r1"]),
    ]
    assert len({content_id(PLACE, ["tiny-1", "r1"]), *others}) == 6


def test_handlers__take_clicks_off_the_queues_of_fits_and_ingests() -> None:
    kinds = job_kinds(HANDLERS, ProjectorSettings())
    assert len(kinds) == len(HANDLERS), "each kind has a name of its own"
    assert {kind.queue for kind in kinds.values()} == set(QUEUES)
    assert [kind.name for kind in kinds.values() if kind.queue == "maps"] == ["map.fit", "export"]
    assert [kind.name for kind in kinds.values() if kind.queue == "bulk"] == ["ingest", "reindex"]


def test_request__takes_its_type_from_its_kind() -> None:
    request = job_request(HANDLERS)
    assert isinstance(request.model_validate({"kind": "map.fit"}).root, MapFit)
    assert set(request.model_json_schema()["discriminator"]["mapping"]) == {handler.name for handler in HANDLERS}
