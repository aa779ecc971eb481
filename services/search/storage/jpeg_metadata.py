"""Strip all metadata from a JPEG without decoding its pixels (ITU-T T.81, annex B)."""

import struct
from collections.abc import Iterator

_SOI, _EOI, _SOS = 0xD8, 0xD9, 0xDA
_BARE = {0x01, *range(0xD0, 0xD8)}
"""Markers without a length: TEM and RST0 to RST7."""
_EXIF = b"Exif\0\0"
_ORIENTATION = 0x0112


def strip_jpeg(data: bytes, orientation: int = 1) -> bytes:
    """The same compressed image with only the segments that decoding needs.

    Kept: frame, tables, scans, the JFIF header without its thumbnail, Adobe's colour transform and the colour profile.
    Dropped: EXIF, XMP, IPTC, maker notes, comments, and everything after the image. An EXIF `orientation` other than 1
    is written back as the only EXIF field, since the image would be shown rotated without it. Raises ValueError where
    `data` is not a complete JPEG.
    """
    parts = [b"\xff\xd8", _orientation_exif(orientation) if orientation != 1 else b""]
    for marker, segment in _segments(data):
        if not 0xE0 <= marker <= 0xEF and marker != 0xFE:
            parts.append(segment)
        elif kept := _application(marker, segment):
            parts.append(kept)
    return b"".join([*parts, b"\xff\xd9"])


def _application(marker: int, segment: bytes) -> bytes | None:
    body = segment[4:]
    if marker == 0xE0 and body.startswith(b"JFIF\0") and len(body) >= 14:
        return b"\xff\xe0\x00\x10" + body[:12] + b"\0\0"
    if (marker == 0xEE and body.startswith(b"Adobe")) or (marker == 0xE2 and body.startswith(b"ICC_PROFILE\0")):
        return segment
    return None


def _orientation_exif(orientation: int) -> bytes:
    tiff = b"II*\0" + struct.pack("<IHHHIHHI", 8, 1, _ORIENTATION, 3, 1, orientation, 0, 0)
    return struct.pack(">BBH", 0xFF, 0xE1, 2 + len(_EXIF) + len(tiff)) + _EXIF + tiff


def _segments(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Marker and bytes of each segment up to the end of the image; a scan comes with its entropy-coded data."""
    at = 2
    while True:
        at, marker = _marker(data, at)
        if marker == _EOI:
            return
        if marker in _BARE:
            continue
        if at + 2 > len(data):
            raise ValueError("the JPEG ends within a segment")
        end = at + int.from_bytes(data[at : at + 2], "big")
        if marker == _SOS:
            end = _scan_end(data, end)
        yield marker, bytes((0xFF, marker)) + data[at:end]
        at = end


def _marker(data: bytes, at: int) -> tuple[int, int]:
    """Position after the next marker, and the marker; stray bytes before it are skipped, as decoders do."""
    while (at := data.find(b"\xff", at)) >= 0 and at + 1 < len(data):
        if data[at + 1] not in (0x00, 0xFF):
            return at + 2, data[at + 1]
        at += 1
    raise ValueError("the JPEG has no end marker")


def _scan_end(data: bytes, at: int) -> int:
    """Position where the entropy-coded data ends: the first marker that is not stuffing, a restart or padding."""
    while (at := data.find(b"\xff", at)) >= 0 and at + 1 < len(data):
        if data[at + 1] != 0x00 and not 0xD0 <= data[at + 1] <= 0xD7 and data[at + 1] != 0xFF:
            return at
        at += 1 if data[at + 1] == 0xFF else 2
    raise ValueError("the JPEG ends within a scan")
