"""Ids of cases and lesions in the paths of URLs, in multipart file names and in file names.

An id is any text, so it is percent-encoded twice in a path: once would be undone on the way, where a server or a proxy
splits the path at slashes. Ids of letters, digits, dots, dashes and underscores stay as they are.
"""

import hashlib
import re
from typing import Annotated
from urllib.parse import quote, unquote

from pydantic import BeforeValidator, Field

from casekin.contracts.base import CaseId, Code

_IN_FILE_NAMES = re.compile(r'[<>:"/\\|?*%]')
"""What some file system refuses, and the sign of the escapes."""
_RESERVED = re.compile(r"(?i)(con|prn|aux|nul|com\d|lpt\d)(\..*)?")
"""Names of devices on Windows."""
_LONGEST_NAME = 200
"""Bytes; file systems allow 255, with the ending."""


def url_segment(text: str) -> str:
    """`text` as one segment of a URL's path."""
    return quote(quoted(text), safe="")


def quoted(text: str) -> str:
    """`text` percent-encoded, also where it is "." or "..", which name no file; `unquoted` undoes it."""
    return text.replace(".", "%2E") if text in (".", "..") else quote(text, safe="")


def unquoted(text: object) -> object:
    """The text that was percent-encoded."""
    return unquote(text) if isinstance(text, str) else text


_DESCRIPTION = "percent-encoded twice where it has other characters than letters, digits and ._-~"
CaseIdInPath = Annotated[CaseId, BeforeValidator(unquoted), Field(description=_DESCRIPTION)]
LesionIdInPath = Annotated[Code, BeforeValidator(unquoted), Field(description=_DESCRIPTION)]


def file_stem(case_id: CaseId) -> str:
    """Name of a case's file without its ending, for any file system; another id never has the same.

    Characters that a file system may refuse are percent-encoded, and the end of a long name is replaced by a hash.
    """
    name = _IN_FILE_NAMES.sub(lambda found: quote(found[0], safe=""), case_id)
    if name.startswith(".") or _RESERVED.fullmatch(name):
        name = f"%{ord(name[0]):02X}{name[1:]}"
    if name.endswith("."):
        name = f"{name[:-1]}%2E"
    if len(name.encode()) <= _LONGEST_NAME:
        return name
    digest = hashlib.sha256(case_id.encode()).hexdigest()[:32]
    return name.encode()[: _LONGEST_NAME - 33].decode(errors="ignore") + f"%{digest}"
