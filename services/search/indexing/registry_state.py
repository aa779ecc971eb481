"""Which indexes there are and which one is live, kept beside the images so that all copies of the service agree."""

from typing import Self, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from casekin.contracts.base import BundleVersion
from casekin.contracts.bundle import BundleManifest
from casekin.contracts.indexes import IndexState
from casekin.errors import NotFound, Unexpected
from services.search.storage.blob_store import Blobs

M = TypeVar("M", bound=BaseModel)
_REGISTER = "indexes/register.json"


class Register(BaseModel):
    """Indexes by the version of their bundle; a change makes another register."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    live: BundleVersion
    standby: tuple[BundleVersion, ...] = ()
    """Were live before, the last one first."""
    filling: tuple[BundleVersion, ...] = ()
    leaving: tuple[BundleVersion, ...] = ()
    """Their deletion has begun."""

    @property
    def states(self) -> dict[BundleVersion, IndexState]:
        """The state of each index, in the order of `IndexList`."""
        there: dict[BundleVersion, IndexState] = {self.live: "live"}
        return there | dict.fromkeys(self.standby, "standby") | dict.fromkeys(self.filling, "filling")

    def check(self, version: BundleVersion) -> None:
        """Raise `NotFound` where there is no such index."""
        if version not in self.states:
            raise NotFound(f"there is no index of bundle {version}; there are {', '.join(self.states)}")

    def with_new(self, version: BundleVersion) -> Self:
        """With one more that is to be filled; the same where it is there."""
        if version in self.states:
            return self
        return self.model_copy(update={"filling": (*self.filling, version), "leaving": _but(self.leaving, version)})

    def switched(self, version: BundleVersion) -> Self:
        """With another live one, and the one before first among those on standby."""
        if version == self.live:
            return self
        standby = (self.live, *_but(self.standby, version))
        return self.model_copy(
            update={"live": version, "standby": standby, "filling": _but(self.filling, version)},
        )

    def losing(self, version: BundleVersion) -> Self:
        """Without one whose deletion begins."""
        return self.model_copy(
            update={
                "standby": _but(self.standby, version),
                "filling": _but(self.filling, version),
                "leaving": (*self.leaving, version),
            }
        )

    def lost(self, version: BundleVersion) -> Self:
        """Its deletion is complete."""
        return self.model_copy(update={"leaving": _but(self.leaving, version)})


class Records:
    """``indexes/register.json`` and the manifest of each index in the image store."""

    def __init__(self, blobs: Blobs) -> None:
        self._blobs = blobs

    def read(self) -> Register | None:
        """As last written; none before the first start. Raises `Unexpected` where it is damaged."""
        data = self._blobs.read(_REGISTER)
        return None if data is None else _parsed(Register, data, _REGISTER)

    def write(self, register: Register) -> None:
        """Replace it, durably: from now on every copy that looks sees it."""
        self._blobs.write(_REGISTER, register.model_dump_json(indent=1).encode())

    def manifest(self, version: BundleVersion) -> BundleManifest:
        """Of the bundle whose index it is; raises `Unexpected` where it is not there."""
        key = _manifest(version)
        data = self._blobs.read(key)
        if data is None:
            raise Unexpected(f"{key} is not in the image store; start search once with CASEKIN_BUNDLE {version}")
        return _parsed(BundleManifest, data, key)

    def keep(self, manifest: BundleManifest) -> None:
        """Remember the manifest of a bundle, durably, unless it is known."""
        key, data = _manifest(manifest.version), manifest.model_dump_json().encode()
        if self._blobs.read(key) != data:
            self._blobs.write(key, data)

    def forget(self, version: BundleVersion) -> None:
        """Drop the manifest of a bundle."""
        self._blobs.delete([_manifest(version)])


def _manifest(version: BundleVersion) -> str:
    return f"indexes/manifests/{version}.json"


def _but(versions: tuple[BundleVersion, ...], one: BundleVersion) -> tuple[BundleVersion, ...]:
    return tuple(version for version in versions if version != one)


def _parsed(model: type[M], data: bytes, key: str) -> M:
    try:
        return model.model_validate_json(data)
    except ValidationError as error:
        raise Unexpected(f"{key} in the image store is damaged ({error.error_count()} faults)") from error
