"""Names of dimensions: a file of changes for each bundle that only ever grows."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from casekin.contracts.bundle import BundleManifest
from casekin.contracts.names import DimensionNames, NameChange, NameHistory
from casekin.errors import BadInput, Conflict, NotFound
from casekin.file_lock import FileLock


class DimensionNameStore:
    """Names by bundle version; any number of processes may share the folder.

    A line is a change and durable before it is answered; a half written last line, left by a crash, is no change.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def names(self, manifest: BundleManifest) -> DimensionNames:
        """The names as they are now."""
        changes = self._changes(manifest)
        names = [_current(changes, one.index, one.name) for one in manifest.dimensions]
        changed = [one.index for one, name in zip(manifest.dimensions, names, strict=True) if name != one.name]
        return DimensionNames(bundle_version=manifest.version, names=names, changed=changed)

    def history(self, manifest: BundleManifest, index: int) -> NameHistory:
        """All changes of one name, the last first; raises `NotFound`."""
        default = _default(manifest, index)
        changes = [change for change in self._changes(manifest) if change.dimension == index]
        return NameHistory(default=default, changes=changes[::-1])

    def rename(self, manifest: BundleManifest, index: int, name: str, by: str) -> NameChange:
        """Change a name; raises `NotFound`, and `BadInput` where another one has it."""
        default = _default(manifest, index)
        with self._locked(manifest) as descriptor:
            changes = self._changes(manifest)
            for other in manifest.dimensions:
                if other.index != index and _current(changes, other.index, other.name).casefold() == name.casefold():
                    raise BadInput(f"dimension {other.index + 1} is named {name} already; choose another name")
            return _append(descriptor, index, name, _current(changes, index, default), by, undo=False)

    def undo(self, manifest: BundleManifest, index: int, name: str, by: str) -> NameChange:
        """Undo the change that gave the current name, `name`; a repeated call undoes it once.

        Raises `NotFound`, and `Conflict` where it has another name by now, or the bundle's.
        """
        default = _default(manifest, index)
        with self._locked(manifest) as descriptor:
            mine = [change for change in self._changes(manifest) if change.dimension == index]
            if mine and mine[-1].undo and mine[-1].before == name:
                return mine[-1]
            effective = _effective(mine, index, default)
            if effective[-1] != name:
                raise Conflict(f"dimension {index + 1} is named {effective[-1]} by now, not {name}; look again")
            if len(effective) < 2:
                raise Conflict(f"dimension {index + 1} has the bundle's own name, {default}; there is nothing to undo")
            return _append(descriptor, index, effective[-2], effective[-1], by, undo=True)

    def _changes(self, manifest: BundleManifest) -> list[NameChange]:
        try:
            content = self._file(manifest).read_bytes()
        except FileNotFoundError:
            return []
        lines = content[: content.rfind(b"\n") + 1].splitlines()
        return [NameChange.model_validate_json(line) for line in lines]

    def _file(self, manifest: BundleManifest) -> Path:
        return self._folder / f"{manifest.version}.jsonl"

    @contextmanager
    def _locked(self, manifest: BundleManifest) -> Iterator[int]:
        """The file, open for one writer among all processes and without a half-written last line."""
        with FileLock(self._folder / f"{manifest.version}.lock"):
            descriptor = os.open(self._file(manifest), os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
            try:
                content = self._file(manifest).read_bytes()
                os.ftruncate(descriptor, content.rfind(b"\n") + 1)
                yield descriptor
            finally:
                os.close(descriptor)


def _default(manifest: BundleManifest, index: int) -> str:
    if not 0 <= index < len(manifest.dimensions):
        raise NotFound(
            f"there is no dimension {index}; bundle {manifest.version} has 0 to {len(manifest.dimensions) - 1}"
        )
    return manifest.dimensions[index].name


def _effective(changes: list[NameChange], index: int, default: str) -> list[str]:
    """The names in effect one after the other without those undone, the bundle's first, the current one last."""
    names = [default]
    for change in changes:
        if change.dimension != index:
            continue
        if change.undo:
            names.pop()
        else:
            names.append(change.name)
    return names


def _current(changes: list[NameChange], index: int, default: str) -> str:
    return _effective(changes, index, default)[-1]


def _append(descriptor: int, index: int, name: str, before: str, by: str, *, undo: bool) -> NameChange:
    change = NameChange(dimension=index, name=name, before=before, by=by, at=datetime.now(UTC), undo=undo)
    os.write(descriptor, change.model_dump_json().encode() + b"\n")
    os.fsync(descriptor)
    return change
