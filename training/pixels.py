"""From a JPEG to the encoder's input, and a cache of it on disk so that no epoch waits for JPEG."""

import hashlib
import os
import zipfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import numpy.typing as npt

from casekin.contracts.bundle import InputSpec
from casekin.images import cover, read_image

Pixels = npt.NDArray[np.uint8]


def encoder_pixels(data: bytes, spec: InputSpec) -> Pixels:
    """Return an image file as the encoder sees it, uint8 [H,W,3], by the very functions that serve uploads."""
    return np.asarray(cover(read_image(data), spec))


class Archives:
    """Images of zip files by name without its ending; HAM10000 comes as several zips."""

    def __init__(self, paths: Sequence[Path]) -> None:
        self._zips = [zipfile.ZipFile(path) for path in paths]
        self._members = {
            Path(name).stem: (number, name)
            for number, archive in enumerate(self._zips)
            for name in archive.namelist()
            if name.lower().endswith((".jpg", ".png"))
        }

    def read(self, stem: str) -> bytes:
        """Return the bytes of the file; raises KeyError for a name that no zip has."""
        number, name = self._members[stem]
        return self._zips[number].read(name)


def cached_pixels(folder: Path, ids: Sequence[str], spec: InputSpec, cache: Path) -> Pixels:
    """Return the images of `ids` in order, uint8 [N,H,W,3], mapped from a file under `cache`.

    The file is made at the first call and named by all that decides its content.
    """
    zips = sorted(folder.glob("HAM10000_images_part_*.zip"))
    key = repr([(path.name, path.stat().st_size) for path in zips]) + spec.model_dump_json() + " ".join(ids)
    target = cache / f"pixels-{spec.height}x{spec.width}-{hashlib.sha256(key.encode()).hexdigest()[:16]}.npy"
    if not target.exists():
        cache.mkdir(parents=True, exist_ok=True)
        partial = target.with_suffix(f".{os.getpid()}.partial")
        shape = (len(ids), spec.height, spec.width, 3)
        store = np.lib.format.open_memmap(partial, mode="w+", dtype=np.uint8, shape=shape)
        for position, pixels in enumerate(_decoded(Archives(zips), ids, spec)):
            store[position] = pixels
        store.flush()
        # A killed run leaves only the partial file, never half a cache under the final name.
        partial.replace(target)
    mapped: Pixels = np.load(target, mmap_mode="r")
    return mapped


def _decoded(archives: Archives, ids: Sequence[str], spec: InputSpec) -> Iterator[Pixels]:
    with ThreadPoolExecutor(2) as pool:
        # Reading a zip is not safe across threads; decoding and scaling are, and release the GIL.
        for start in range(0, len(ids), 256):
            files = [archives.read(stem) for stem in ids[start : start + 256]]
            yield from pool.map(lambda data: encoder_pixels(data, spec), files)
