"""Opens a bundle; refuses one with files that differ from the sizes and hashes in its manifest."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from casekin.contracts.bundle import BundleManifest, FileDigest
from casekin.errors import BundleRefused

MANIFEST = "bundle.json"
_CHUNK = 1 << 20


@dataclass(frozen=True)
class Bundle:
    """A bundle folder with its files checked against the manifest."""

    folder: Path
    manifest: BundleManifest

    def file(self, name: str) -> Path:
        """Where the file `name` of the manifest lies; raises `BundleRefused` where the manifest has none."""
        if name not in self.manifest.files:
            raise BundleRefused(f"{self.folder / MANIFEST}: files lists no {name}; export the bundle again")
        return self.folder / name

    def read(self, name: str) -> bytes:
        """The bytes of the file `name`, checked again: a folder may change between its check and its use.

        Raises `BundleRefused`.
        """
        path, digest = self.file(name), self.manifest.files[name]
        try:
            data = path.read_bytes()
        except OSError as error:
            raise _missing(path, digest, error) from error
        if (found := hashlib.sha256(data).hexdigest()) != digest.sha256:
            raise _changed(path, digest, found)
        return data


def read_manifest(folder: Path) -> BundleManifest:
    """The manifest of the bundle in `folder`, its other files unread; raises `BundleRefused`."""
    path = folder / MANIFEST
    try:
        text = path.read_bytes()
    except OSError as error:
        raise BundleRefused(
            f"{path}: expected a bundle's manifest, found none ({error.strerror}); point CASEKIN_BUNDLE to a bundle"
        ) from error
    try:
        return BundleManifest.model_validate_json(text)
    except ValidationError as error:
        raise BundleRefused(f"{path}: {_faults(error)}") from error


def open_bundle(folder: Path) -> Bundle:
    """The bundle in `folder`, sizes and sha256 checked; raises `BundleRefused` naming the first file that fails."""
    manifest = read_manifest(folder)
    for name, digest in manifest.files.items():
        _check(folder, name, digest)
    return Bundle(folder, manifest)


def _check(folder: Path, name: str, digest: FileDigest) -> None:
    if Path(name).name != name or name in (MANIFEST, "", "..", "."):
        raise BundleRefused(f"{folder / MANIFEST}: files lists {name!r}, expected the name of a file beside it")
    path = folder / name
    try:
        size = path.stat().st_size
        if size != digest.size:
            raise BundleRefused(f"{path}: expected {digest.size} bytes, found {size}; copy or export the bundle again")
        found = sha256_of(path)
    except OSError as error:
        raise _missing(path, digest, error) from error
    if found != digest.sha256:
        raise _changed(path, digest, found)


def _missing(path: Path, digest: FileDigest, error: OSError) -> BundleRefused:
    return BundleRefused(
        f"{path}: expected a file of {digest.size} bytes, found none ({error.strerror}); copy the bundle again"
    )


def _changed(path: Path, digest: FileDigest, found: str) -> BundleRefused:
    return BundleRefused(
        f"{path}: expected sha256 {digest.sha256}, found {found}; the file was changed or damaged, copy it again"
    )


def content_differences(known: BundleManifest, given: BundleManifest) -> list[str]:
    """How two bundles differ in what latents and distances depend on, each as one phrase; empty where they do not.

    Calibration, names, metrics and provenance do not count: they may be renewed under the same version.
    """
    names = sorted(known.files.keys() | given.files.keys())
    differ = [
        f"{name} has sha256 {_short(given, name)}, not {_short(known, name)}"
        for name in names
        if _sha256(known, name) != _sha256(given, name)
    ]
    scales = [[(one.mean, one.std) for one in manifest.dimensions] for manifest in (known, given)]
    if scales[0] != scales[1]:
        differ.append("its dimensions are standardised otherwise")
    if known.clinical_weights != given.clinical_weights:
        differ.append("its clinical weights are others")
    if known.input != given.input:
        differ.append("its input is another")
    return differ


def _short(manifest: BundleManifest, name: str) -> str:
    sha256 = _sha256(manifest, name)
    return f"{sha256[:12]}..." if sha256 else "none"


def _sha256(manifest: BundleManifest, name: str) -> str:
    return manifest.files[name].sha256 if name in manifest.files else ""


def sha256_of(path: Path) -> str:
    """The sha256 of a file as 64 hexadecimal digits."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def _faults(error: ValidationError) -> str:
    lines = []
    for fault in error.errors(include_url=False)[:3]:
        where = ".".join(str(part) for part in fault["loc"]) or "the whole"
        lines.append(f"{where}: {fault['msg']}, found {str(fault['input'])[:80]!r}")
    return "; ".join(lines)
