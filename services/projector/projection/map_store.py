"""The kept maps: each fitted one with its quality, newest first, and which of them is current."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from casekin.atomic_files import write_durably
from casekin.contracts.base import CaseId, Preset
from casekin.contracts.maps import CaseMap, CurrentMap, MapId, MapVersion, MapVersions
from casekin.errors import NotFound
from services.projector.latents.collection_latents import stable_sample


class MapStore:
    """Maps by id under one folder; the last `kept` stay, and the current one."""

    def __init__(self, folder: Path, kept: int) -> None:
        self._maps, self._kept = folder / "maps", kept
        self._pointer = folder / "current-map.json"
        self._maps.mkdir(parents=True, exist_ok=True)

    def add(self, fitted: CaseMap) -> None:
        """Keep a map and drop the oldest beyond those kept; raises `StorageFull`."""
        self._write(fitted)
        current = self.current_id()
        for version in self._versions()[self._kept :]:
            if version.id != current:
                self.remove(version.id)

    def remove(self, map_id: MapId) -> None:
        """Remove a map, if it is kept."""
        self._about(map_id).unlink(missing_ok=True)
        self._map(map_id).unlink(missing_ok=True)

    def stored_ids(self) -> set[CaseId]:
        """The ids of all cases on any kept map."""
        return {case for fitted in self._maps_with_places() for case in fitted.cases}

    def remove_cases(self, ids: frozenset[CaseId]) -> int:
        """Take cases off every kept map; returns how many maps had one. Raises `StorageFull`."""
        changed = 0
        for fitted in self._maps_with_places():
            if not ids.isdisjoint(fitted.cases):
                self._write(_without(fitted, ids))
                changed += 1
        return changed

    def versions(self) -> MapVersions:
        """All kept maps, newest first."""
        return MapVersions(current=self.current_id(), maps=self._versions())

    def version(self, map_id: MapId) -> MapVersion:
        """One kept map without its coordinates; raises `NotFound`."""
        try:
            return MapVersion.model_validate_json(self._about(map_id).read_bytes())
        except FileNotFoundError as error:
            raise _missing(map_id) from error

    def read(self, map_id: MapId) -> bytes:
        """One kept map as JSON; raises `NotFound`."""
        try:
            return self._map(map_id).read_bytes()
        except FileNotFoundError as error:
            raise _missing(map_id) from error

    def has(self, map_id: MapId) -> bool:
        """Whether the map is kept."""
        return self._about(map_id).exists()

    def current_id(self) -> MapId | None:
        """The current map; none where none was fitted, or its file was taken away."""
        try:
            current = CurrentMap.model_validate_json(self._pointer.read_bytes()).id
        except FileNotFoundError:
            return None
        return current if self.has(current) else None

    def current(self) -> MapVersion | None:
        """The current map without its coordinates."""
        current = self.current_id()
        return self.version(current) if current is not None else None

    def make_current(self, map_id: MapId) -> MapVersion:
        """Make a kept map the current one; raises `NotFound`."""
        version = self.version(map_id)
        if self.current_id() != map_id:
            _write(self._pointer, CurrentMap(id=map_id).model_dump_json())
        return version

    def latest(self, bundle_version: str, preset: Preset, *, other_than: str) -> MapVersion | None:
        """The newest kept map of this bundle and preset that is of another revision of the collection."""
        return next(
            (
                version
                for version in self._versions()
                if (version.bundle_version, version.recipe.preset) == (bundle_version, preset)
                and version.revision != other_than
            ),
            None,
        )

    def _versions(self) -> list[MapVersion]:
        found = [MapVersion.model_validate_json(file.read_bytes()) for file in self._maps.glob("*.about.json")]
        return sorted(found, key=lambda version: version.created, reverse=True)

    def _maps_with_places(self) -> Iterator[CaseMap]:
        for version in self._versions():
            with suppress(NotFound):  # dropped meanwhile
                yield CaseMap.model_validate_json(self.read(version.id))

    def _write(self, fitted: CaseMap) -> None:
        _write(self._map(fitted.version.id), fitted.model_dump_json())
        _write(self._about(fitted.version.id), fitted.version.model_dump_json())

    def _map(self, map_id: MapId) -> Path:
        return self._maps / f"{map_id}.map.json"

    def _about(self, map_id: MapId) -> Path:
        return self._maps / f"{map_id}.about.json"


def _without(fitted: CaseMap, ids: frozenset[CaseId]) -> CaseMap:
    """The map without `ids`; of its cases that UMAP laid out, those that are left are still the same sample."""
    kept = [row for row, case in enumerate(fitted.cases) if case not in ids]
    laid_out = stable_sample(fitted.cases, fitted.version.fitted)
    left = sum(fitted.cases[row] not in ids for row in laid_out)
    return CaseMap(
        version=fitted.version.model_copy(update={"cases": len(kept), "fitted": left}),
        cases=[fitted.cases[row] for row in kept],
        diagnoses=[fitted.diagnoses[row] for row in kept],
        x=[fitted.x[row] for row in kept],
        y=[fitted.y[row] for row in kept],
    )


def _write(file: Path, content: str) -> None:
    write_durably(file, content.encode())


def _missing(map_id: MapId) -> NotFound:
    return NotFound(f"no map {map_id} is kept; GET /v1/maps lists those that are")
