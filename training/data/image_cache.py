"""Decode image files to the encoder's input size, cached on disk so that no epoch waits for JPEG."""

import hashlib
import json
import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
import numpy.typing as npt

from casekin.atomic_files import stream_durably, write_durably
from casekin.collections import ImageSource
from casekin.contracts.bundle import InputSpec
from casekin.errors import CasekinError
from casekin.imaging.read import cover, read_image

Pixels = npt.NDArray[np.uint8]
CHUNK = 256
"""Images in memory at a time while the cache is made."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Decoded:
    """Images of a collection as the encoder sees them."""

    ids: list[str]
    """N, of those that could be read, in the requested order."""
    pixels: Pixels
    """[N,H,W,3], RGB; mapped from a file"""
    unreadable: dict[str, str]
    """Id -> why not."""


def encoder_pixels(data: bytes, spec: InputSpec) -> Pixels:
    """Return an image file as the encoder sees it, uint8 [H,W,3], by the very functions that serve uploads.

    A grey image has three equal channels, one of 16 bits its upper eight.
    """
    return np.asarray(cover(read_image(data), spec))


def cached_pixels(images: Mapping[str, ImageSource], ids: Sequence[str], spec: InputSpec, cache: Path) -> Decoded:
    """Return the images of `ids` in order, from files under `cache` that the first call makes.

    The files are named by all that decides their content, so that a changed image or size makes new ones.
    """
    key = hashlib.sha256(spec.model_dump_json().encode())
    for id in ids:
        key.update(f"\0{id}\0{images[id].stamp}".encode())
    name = f"pixels-{spec.height}x{spec.width}-{key.hexdigest()[:16]}"
    store, index = cache / f"{name}.u8", cache / f"{name}.json"
    if not index.exists():
        cache.mkdir(parents=True, exist_ok=True)
        _decode(images, ids, spec, store, index)
    kept = json.loads(index.read_text(encoding="utf-8"))
    shape = (len(kept["ids"]), spec.height, spec.width, 3)
    pixels: Pixels = np.memmap(store, np.uint8, "r", shape=shape) if kept["ids"] else np.empty(shape, np.uint8)
    return Decoded(kept["ids"], pixels, kept["unreadable"])


def _decode(images: Mapping[str, ImageSource], ids: Sequence[str], spec: InputSpec, store: Path, index: Path) -> None:
    """Write the pixels one after the other, then the index: a killed run leaves no index, so it is done again."""
    read: list[str] = []
    unreadable: dict[str, str] = {}

    def write(stream: BinaryIO) -> None:
        for id, result in _results(images, ids, spec):
            if isinstance(result, CasekinError):
                unreadable[id] = result.detail
            else:
                read.append(id)
                stream.write(result.tobytes())

    stream_durably(store, write)
    write_durably(index, json.dumps({"ids": read, "unreadable": unreadable}).encode())


def _results(
    images: Mapping[str, ImageSource], ids: Sequence[str], spec: InputSpec
) -> Iterator[tuple[str, Pixels | CasekinError]]:
    def decoded(id: str) -> Pixels | CasekinError:
        try:
            return encoder_pixels(images[id].read(), spec)
        except CasekinError as error:
            return error

    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        # Decoding and scaling release the GIL.
        for start in range(0, len(ids), CHUNK):
            some = ids[start : start + CHUNK]
            yield from zip(some, pool.map(decoded, some), strict=True)
            if start % (16 * CHUNK) == 0:
                log.info("decoded %d of %d images", start + len(some), len(ids))
