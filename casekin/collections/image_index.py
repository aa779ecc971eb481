"""Finds the image that a table names, by path, by name or by name without ending; never guesses between several."""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from urllib.parse import unquote

from casekin.collections.files import Copies, ImageSource, seem_equal
from casekin.collections.listing import ListedFile
from casekin.collections.text import folded

READABLE = (".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".dcm", ".dicom", ".ima")
"""Endings of pictures that the encoder reads; it looks at the content, so any other file that a table names may do."""
OTHER_PICTURES = (
    ".tif", ".tiff", ".bmp", ".gif", ".heic", ".heif", ".avif", ".jp2", ".j2k", ".jxl", ".svg", ".psd", ".nef", ".cr2",
    ".cr3", ".arw", ".dng", ".raw",
)  # fmt: skip
"""Endings of pictures that the encoder refuses."""
_SAME_TYPE = {".jpeg": ".jpg", ".jpe": ".jpg", ".jfif": ".jpg", ".dicom": ".dcm", ".ima": ".dcm", ".tiff": ".tif"}
_ABSOLUTE = re.compile(r"(?:[A-Za-z][A-Za-z0-9+.-]+://|[A-Za-z]:[\\/]|[\\/]|~)")
NAMES_SHOWN = 3


def name_without_ending(key: str) -> str:
    """The last part of a path without the ending of a picture; other dots belong to the name."""
    name = _parts(key)[-1:] or [""]
    return _split(name[0])[0]


def is_picture(path: str) -> bool:
    """Whether the ending says that it is a picture, be it one that the encoder reads or not."""
    return _split(path.rpartition("/")[2])[1] != ""


@dataclass(frozen=True)
class Found:
    """The image of a key."""

    image: ImageSource
    files: tuple[ListedFile, ...]
    """One, or equal copies."""
    folders_agree: bool
    """False where the key names folders that the collection does not have."""


@dataclass(frozen=True)
class Missing:
    """No image, or several that differ."""

    nearest: tuple[ListedFile, ...]
    """Files that could be meant."""
    ambiguous: bool

    @property
    def names(self) -> str:
        """The paths of the files that could be meant, for messages."""
        shown = [listed.path for listed in self.nearest[:NAMES_SHOWN]]
        further = len(self.nearest) - len(shown)
        return " and ".join(shown) + (f" and {further} more" if further else "")


class ImageIndex:
    """All files of a collection by name and by name without ending."""

    def __init__(self, files: Iterable[ListedFile]) -> None:
        self.pictures: list[ListedFile] = []
        self._by_name: dict[str, list[ListedFile]] = defaultdict(list)
        self._by_stem: dict[str, list[ListedFile]] = defaultdict(list)
        for listed in files:
            if is_picture(listed.path):
                self.pictures.append(listed)
            for name in {path.rpartition("/")[2] for path in listed.all_paths}:
                stem, ending = _split(name)
                self._by_name[folded(stem + ending)].append(listed)
                if ending:
                    self._by_stem[folded(stem)].append(listed)

    def find(self, key: str, table_folder: str = "") -> Found | Missing:
        """The image that `key` names: a path, relative to the collection or to the table's folder, or of another
        computer; a name; or a name without ending.

        Case, Unicode form and direction of slashes do not matter where they need not; equal copies count as one.
        """
        found = self._find(key, table_folder)
        if isinstance(found, Missing) and not found.nearest and "%" in key:
            return self._find(unquote(key), table_folder)
        return found

    def _find(self, key: str, table_folder: str) -> Found | Missing:
        wanted = _parts(key)
        if not wanted:
            return Missing((), ambiguous=False)
        stem, ending = _split(wanted[-1])
        candidates = self._by_name.get(folded(stem + ending), [])
        if not ending or not candidates:
            candidates = candidates + _readable_if_any(self._by_stem.get(folded(wanted[-1]), []))
        if not candidates:
            others = self._by_stem.get(folded(stem), []) if ending else []
            return Missing(tuple(others), ambiguous=False)
        candidates = _in_same_case(candidates, wanted[-1])
        places = [wanted[:-1], [*_parts(table_folder), *wanted[:-1]]] if ending else []
        best = _nearest(candidates, wanted[:-1], places, is_absolute=bool(_ABSOLUTE.match(key)))
        if best is None:
            return Missing(tuple(candidates), ambiguous=False)
        return _one_of(best[0], folders_agree=best[1])


def _one_of(files: Sequence[ListedFile], *, folders_agree: bool) -> Found | Missing:
    files = tuple(files)
    if len(files) == 1:
        return Found(files[0].file, files, folders_agree)
    if seem_equal([listed.file for listed in files]):
        return Found(Copies(tuple(listed.file for listed in files)), files, folders_agree)
    return Missing(files, ambiguous=True)


def _nearest(
    candidates: Sequence[ListedFile], folders: list[str], exact: list[list[str]], *, is_absolute: bool
) -> tuple[list[ListedFile], bool] | None:
    """The candidates whose folders fit best, and whether they agree; none where all contradict a relative path."""
    ranked: dict[tuple[int, int], list[ListedFile]] = defaultdict(list)
    for listed in candidates:
        ranks = [_rank(_parts(path)[:-1], folders, exact) for path in listed.paths]
        ranks += [_rank(_parts(path)[:-1], folders, []) for path in listed.paths_without_zip]
        ranked[max(ranks)].append(listed)
    best = max(ranked)
    if best[0] == _CONTRADICTS and not is_absolute:
        return None
    return ranked[best], best[0] >= _ENDS_WITH_KEY


_EXACT, _ENDS_WITH_KEY, _KEY_ENDS_WITH, _CONTRADICTS = 3, 2, 1, 0


def _rank(have: list[str], wanted: list[str], exact: list[list[str]]) -> tuple[int, int]:
    """How well the folders of a file fit those of a key, and how many they share from the right."""
    if have in exact:
        return _EXACT, len(have)
    theirs, ours = [folded(part) for part in have], [folded(part) for part in wanted]
    shared = 0
    while shared < min(len(theirs), len(ours)) and theirs[-1 - shared] == ours[-1 - shared]:
        shared += 1
    if shared == len(ours):
        return _ENDS_WITH_KEY, shared
    return (_KEY_ENDS_WITH if shared == len(theirs) else _CONTRADICTS), shared


def _in_same_case(candidates: list[ListedFile], name: str) -> list[ListedFile]:
    """Those that are spelled as `name` is, with or without ending, if there are any."""
    same = [
        listed
        for listed in candidates
        if any(path.rpartition("/")[2] == name or _raw_stem(path) == name for path in listed.all_paths)
    ]
    return same or candidates


def _readable_if_any(candidates: list[ListedFile]) -> list[ListedFile]:
    return [listed for listed in candidates if listed.path.lower().endswith(READABLE)] or candidates


def _parts(path: str) -> list[str]:
    path = unicodedata.normalize("NFC", path).replace("\\", "/")
    path = re.sub(r"^(?:[A-Za-z][A-Za-z0-9+.-]+://|[A-Za-z]:(?=/))", "", path)
    return [part for part in PurePosixPath(path).parts if part not in ("/", "//", ".")]


def _split(name: str) -> tuple[str, str]:
    """Name and ending of a picture in one spelling for each type; no ending where it is none of a picture."""
    stem, dot, ending = name.rpartition(".")
    ending = f".{ending.lower()}"
    if not dot or not stem or ending not in (*READABLE, *OTHER_PICTURES):
        return name, ""
    return stem, _SAME_TYPE.get(ending, ending)


def _raw_stem(path: str) -> str:
    return _split(path.rpartition("/")[2])[0]
