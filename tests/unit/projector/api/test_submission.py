"""Jobs are named by content."""

from casekin.contracts.maps import MapFit, MapPlace
from casekin.contracts.projector import JobRequest
from casekin.contracts.rollouts import Rollout
from services.projector.api.submission import name
from services.projector.jobs.kinds import QUEUES, kinds
from services.projector.settings import ProjectorSettings

PLACE = MapPlace(bundle_version="tiny-1", latent=[0.1, 0.2])


def test_name__is_equal_for_equal_content_only() -> None:
    assert name(PLACE, ["tiny-1", "r1"]) == name(MapPlace.model_validate(PLACE.model_dump()), ["tiny-1", "r1"])
    others = [
        name(PLACE, ["tiny-1", "r2"]),
        name(PLACE.model_copy(update={"latent": [0.1, 0.2000001]}), ["tiny-1", "r1"]),
        name(Rollout(bundle_version="tiny-1", latent=[0.1, 0.2]), ["tiny-1", "r1"]),
        name(MapFit(), ["tiny-1", "r1"]),
        name(MapFit(seed=8), ["tiny-1", "r1"]),
    ]
    assert len({name(PLACE, ["tiny-1", "r1"]), *others}) == 6


def test_kinds__are_those_of_the_contract_and_clicks_do_not_queue_behind_fits() -> None:
    known = kinds(ProjectorSettings())
    asked = JobRequest.model_json_schema()["discriminator"]["mapping"]
    assert set(known) == set(asked), "every kind that can be asked for is worked on"
    assert {kind.queue for kind in known.values()} == set(QUEUES)
    assert [kind.name for kind in known.values() if kind.queue == "maps"] == ["map.fit", "export"]
    assert [kind.name for kind in known.values() if kind.queue == "bulk"] == ["ingest", "reindex"]


def test_request__takes_its_type_from_its_kind() -> None:
    assert isinstance(JobRequest.model_validate({"kind": "map.fit"}).root, MapFit)
