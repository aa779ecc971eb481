"""The segments of a JPEG: how many scans the image itself has, where it ends, and how its colours are stored.

A motion photo carries a video behind the picture and a phone puts previews and depth maps into its metadata; bytes that
look like scans there are none of the image (ITU-T T.81, annex B).
"""

import re
from dataclasses import dataclass, field

_SOI, _EOI, _SOS = 0xD8, 0xD9, 0xDA
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
"""Start of a frame of any process; the three left out are tables."""
_ALONE = frozenset((0x01, _SOI, *range(0xD0, 0xD8)))
"""Markers without a length."""
_END_OF_SCAN = re.compile(rb"\xff+[^\x00\xff\xd0-\xd7]", re.DOTALL)
"""Within entropy-coded data: a marker that is neither a stuffed byte nor a restart."""


@dataclass
class JpegStructure:
    """What the segments of one image say."""

    scans: int = 0
    precision: int = 0
    """Bits a sample; 0 where there is no frame header."""
    components: list[tuple[int, int]] = field(default_factory=list)
    """Id and sampling factors of each component, as in the frame header."""
    jfif: bool = False
    adobe_transform: int | None = None
    """Colour transform of the Adobe marker: 0 none, 1 YCbCr, 2 YCCK; none where there is no marker."""

    @property
    def subsampled(self) -> bool:
        """Whether the components differ in resolution, as chroma does and red, green and blue do not."""
        return len({factors for _, factors in self.components}) > 1


def jpeg_structure(data: bytes) -> JpegStructure:
    """Read the segments up to the end of the image, or of `data` where it is cut off."""
    found, position = JpegStructure(), 2
    while position + 4 <= len(data) and data[position] == 0xFF:
        marker = data[position + 1]
        if marker == _EOI:
            break
        if marker == 0xFF or marker in _ALONE:
            position += 1 if marker == 0xFF else 2
            continue
        length = int.from_bytes(data[position + 2 : position + 4], "big")
        _note(found, marker, data[position + 4 : position + 2 + length])
        position += 2 + max(length, 2)
        if marker == _SOS:
            end = _END_OF_SCAN.search(data, position)
            position = end.end() - 2 if end else len(data)
    return found


def _note(found: JpegStructure, marker: int, content: bytes) -> None:
    if marker == _SOS:
        found.scans += 1
    elif marker == 0xE0 and content.startswith(b"JFIF\0"):
        found.jfif = True
    elif marker == 0xEE and content.startswith(b"Adobe") and len(content) >= 12:
        found.adobe_transform = content[11]
    elif marker in _FRAMES and len(content) >= 6:
        found.precision = content[0]
        triples = content[6 : 6 + 3 * content[5]]
        found.components = [(triples[i], triples[i + 1]) for i in range(0, len(triples) - 2, 3)]
