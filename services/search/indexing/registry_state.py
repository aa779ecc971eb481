"""The list of indexes and the live one, stored beside the images so that all copies of the service agree."""

from typing import Self, TypeVar

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, ValidationError

from casekin.bundle import content_differences
from casekin.contracts.base import BundleVersion
from casekin.contracts.bundle import BundleManifest
from casekin.contracts.indexes import IndexState
from casekin.errors import Conflict, NotFound, Unexpected
from services.search.storage.blob_store import BlobStore

M = TypeVar("M", bound=BaseModel)
_STATE = "indexes/register.json"


class RegistryState(BaseModel):
    """The indexes, by the version of their bundle; a change makes another state."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    changes: int = 0
    """Number of changes so far: of two states that a process has read, the one with more is the newer one."""
    live: BundleVersion
    standby: tuple[BundleVersion, ...] = ()
    """Live before, the last one first."""
    filling: tuple[BundleVersion, ...] = ()
    deleting: tuple[BundleVersion, ...] = Field(default=(), validation_alias=AliasChoices("deleting", "leaving"))
    """Their deletion has begun; ``leaving`` in files of earlier releases."""

    @property
    def states(self) -> dict[BundleVersion, IndexState]:
        """The state of each index, in the order of `IndexList`."""
        live: dict[BundleVersion, IndexState] = {self.live: "live"}
        return live | dict.fromkeys(self.standby, "standby") | dict.fromkeys(self.filling, "filling")

    def check(self, version: BundleVersion) -> None:
        """Raise `NotFound` where there is no such index."""
        if version not in self.states:
            raise NotFound(f"there is no index of bundle {version}; there are {', '.join(self.states)}")

    def with_new(self, version: BundleVersion) -> Self:
        """With one more index to fill; the same where it has it."""
        if version in self.states:
            return self
        return self._changed(filling=(*self.filling, version), deleting=_without(self.deleting, version))

    def switched(self, version: BundleVersion) -> Self:
        """With another live index, and the one before first among those on standby."""
        if version == self.live:
            return self
        standby = (self.live, *_without(self.standby, version))
        return self._changed(live=version, standby=standby, filling=_without(self.filling, version))

    def without(self, version: BundleVersion) -> Self:
        """Without an index whose deletion begins."""
        return self._changed(
            standby=_without(self.standby, version),
            filling=_without(self.filling, version),
            deleting=(*self.deleting, version),
        )

    def with_deleted(self, version: BundleVersion) -> Self:
        """With the deletion of an index complete."""
        return self._changed(deleting=_without(self.deleting, version))

    def _changed(self, **fields: BundleVersion | tuple[BundleVersion, ...]) -> Self:
        return self.model_copy(update={**fields, "changes": self.changes + 1})


class RegistryStore:
    """``indexes/register.json`` and the manifest of each index in the image store."""

    def __init__(self, blobs: BlobStore) -> None:
        self._blobs = blobs

    def read(self) -> RegistryState | None:
        """The state last written; none before the first start. Raises `Unexpected` where it is damaged."""
        data = self._blobs.read(_STATE)
        return None if data is None else _parsed(RegistryState, data, _STATE)

    def write(self, state: RegistryState) -> None:
        """Replace the state, durably: every copy that reads it from now on sees this one."""
        self._blobs.write(_STATE, state.model_dump_json(indent=1).encode())

    def manifest(self, version: BundleVersion) -> BundleManifest:
        """The manifest of an index's bundle; raises `Unexpected` where there is none."""
        key = _manifest(version)
        data = self._blobs.read(key)
        if data is None:
            raise Unexpected(f"{key} is not in the image store; start search once with CASEKIN_BUNDLE {version}")
        return _parsed(BundleManifest, data, key)

    def add_manifest(self, manifest: BundleManifest) -> None:
        """Store a bundle's manifest, durably; of a known version its calibration and names may be new.

        Raises `Conflict` where the known bundle of this version has other graphs, standardisation or clinical weights:
        the latents of two models would mix in one index.
        """
        key, data = _manifest(manifest.version), manifest.model_dump_json().encode()
        known = self._blobs.read(key)
        if known is not None and (differ := content_differences(_parsed(BundleManifest, known, key), manifest)):
            raise Conflict(
                f"the index of bundle {manifest.version} was made with another bundle of that version: "
                f"{'; '.join(differ)}. Export this bundle under a version of its own, or delete that index first"
            )
        if known != data:
            self._blobs.write(key, data)

    def delete_manifest(self, version: BundleVersion) -> None:
        """Delete the manifest of a bundle."""
        self._blobs.delete([_manifest(version)])


def _manifest(version: BundleVersion) -> str:
    return f"indexes/manifests/{version}.json"


def _without(versions: tuple[BundleVersion, ...], one: BundleVersion) -> tuple[BundleVersion, ...]:
    return tuple(version for version in versions if version != one)


def _parsed(model: type[M], data: bytes, key: str) -> M:
    try:
        return model.model_validate_json(data)
    except ValidationError as error:
        raise Unexpected(f"{key} in the image store is damaged ({error.error_count()} faults)") from error
