"""Text of unknown origin: names and paths made printable and comparable, bytes decoded."""

import codecs
import os
import unicodedata
from pathlib import Path

from upath import UPath

_BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)


def printable(text: str | Path | UPath) -> str:
    """`text` as it can be encoded and shown: undecodable bytes, surrogates and control characters become escapes."""
    text = str(text)
    if text.isprintable():
        return text
    escaped = (c if c.isprintable() else c.encode("unicode_escape", "surrogatepass").decode("ascii") for c in text)
    return "".join(escaped)


def file_name_spellings(name: str) -> list[str]:
    """The name in composed form; where it has undecodable bytes, also as Windows' encoding of western Europe reads it.

    File systems and zips store names as bytes of unknown encoding; Python keeps bytes that are no UTF-8 as surrogates.
    """
    if not any("\udc80" <= c <= "\udcff" for c in name):
        return [unicodedata.normalize("NFC", name)]
    return [os.fsencode(name).decode("cp1252", errors="replace"), printable(name)]


def folded(text: str) -> str:
    """`text` for comparison without regard to case and to the form of accents."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).casefold())


def decoded(data: bytes) -> str:
    """The text of a file: by its byte-order mark, else UTF-16 where every other byte is 0, else UTF-8, else cp1252."""
    for mark, encoding in _BYTE_ORDER_MARKS:
        if data.startswith(mark):
            return data[len(mark) :].decode(encoding, errors="replace").lstrip("\ufeff")
    if unmarked := _unmarked_utf16(data):
        return data.decode(unmarked, errors="replace")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("cp1252", errors="replace")


def _unmarked_utf16(data: bytes) -> str | None:
    start = data[:1024]
    half = len(start) // 2
    if half == 0:
        return None
    if start[1::2].count(0) > 0.7 * half and start[::2].count(0) < 0.1 * half:
        return "utf-16-le"
    if start[::2].count(0) > 0.7 * half and start[1::2].count(0) < 0.1 * half:
        return "utf-16-be"
    return None
