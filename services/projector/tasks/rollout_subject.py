"""What all kinds of rollouts check on submission: the subject fits the model, named cases exist, the map is known."""

from typing import TypeVar

from casekin.clients import SearchClient
from casekin.contracts.base import CaseId
from casekin.contracts.bundle import BundleManifest
from casekin.contracts.collection import Collection
from casekin.contracts.maps import MapId
from casekin.contracts.rollouts import FromSubject, SteppedRollout
from casekin.errors import Conflict, NotFound
from casekin.weights import weights_for
from services.projector.projection.map_store import MapStore
from services.projector.rollouts.rollouts import check_subject
from services.projector.tasks.handler import SubmissionTools

S = TypeVar("S", bound=FromSubject)


def manifest_of(payload: FromSubject, tools: SubmissionTools) -> BundleManifest:
    """The manifest that the payload is for; raises `WrongLatent` where the encoder runs another bundle."""
    manifest = tools.manifests.of(payload.bundle_version)
    check_subject(payload, manifest)
    return manifest


def manifest_of_steps(payload: SteppedRollout, tools: SubmissionTools) -> BundleManifest:
    """The manifest that the payload is for; raises `WrongLatent`, `WrongWeights` where the weights do not fit."""
    manifest = manifest_of(payload, tools)
    weights_for(manifest, payload.preset, payload.weights)
    return manifest


def prepare_subject(payload: S, tools: SubmissionTools, *cases: CaseId | None) -> tuple[S, list[str]]:
    """Name the map; raises `NotFound` for a map that is not kept, and where the subject or a case of `cases` is not."""
    collection = tools.search.collection()
    if named := [case for case in (payload.case, *cases) if case is not None]:
        _check_cases(named, payload.bundle_version, collection, tools.search)
    map_id = choose_map(payload.map_id, payload.bundle_version, tools.maps)
    return payload.model_copy(update={"map_id": map_id}), [collection.revision]


def choose_map(map_id: MapId | None, bundle_version: str, maps: MapStore) -> MapId | None:
    """The map of that id, else the current one; none where that is of another bundle. Raises `NotFound`."""
    version = maps.version(map_id) if map_id else maps.current()
    return version.id if version and version.bundle_version == bundle_version else None


def _check_cases(cases: list[CaseId], bundle_version: str, collection: Collection, search: SearchClient) -> None:
    if collection.bundle_version != bundle_version:
        raise Conflict(
            f"the collection is of bundle {collection.bundle_version}, the encoder runs {bundle_version}: the latent "
            f"of case {cases[0]} is not known to it; re-index the collection first"
        )
    stored = search.digests(cases)
    if missing := [case for case in cases if case not in stored]:
        raise NotFound(f"no case {missing[0]} in the collection; it may have been deleted")
