"""How the files of a collection are to be read and shown; written in TOML (``collection.toml``)."""

import tomllib
from collections import defaultdict
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, ValidationError

from casekin.collections.files import LooseFile, StoredFile
from casekin.collections.text import decoded, folded
from casekin.contracts.base import Code, Contract, Label, Note, worded
from casekin.contracts.collection import Diagnosis
from casekin.errors import BadInput

UNKNOWN = ["", "unknown", "NA", "n/a", "nan", "null", "none"]
"""Values that mean "not known" where a collection does not say otherwise; case does not matter."""
MAX_SPEC_BYTES = 10_000_000

Column = str | list[str]
"""Name of a column; of a list, each line takes the first with a known value, and not all need be there."""


class Columns(Contract):
    """Which column of the table holds which field of a case; what is not taken becomes an attribute."""

    id: Column | None = Field(default=None, description="none takes the image's file name without its ending")
    image: Column | None = Field(default=None, description="path or name, with or without ending; none takes the id")
    lesion: Column | None = None
    patient: Column | None = Field(default=None, description="for folds in training only; no case carries it")
    diagnosis: Column | None = None
    evidence: Column | None = None
    age: Column | None = Field(default=None, description="years, or DICOM's form: 058Y, 013M")
    sex: Column | None = None
    site: Column | None = None
    source: Column | None = None

    def named(self) -> dict[str, list[str]]:
        """Field -> columns to try in order, of those fields that have any."""
        given = self.model_dump()
        return {field: [c] if isinstance(c, str) else c for field, c in given.items() if c is not None}

    def positions(self, header: list[str]) -> dict[str, list[int]]:
        """Field -> positions of its columns in the header, by name or else by name in any case."""
        exact = {name: position for position, name in enumerate(header)}
        loose: dict[str, list[int]] = defaultdict(list)
        for position, name in enumerate(header):
            loose[folded(name)].append(position)

        def position_of(name: str) -> int | None:
            alike = loose[folded(name)]
            return exact.get(name, alike[0] if len(alike) == 1 else None)

        found = {
            field: [place for column in columns if (place := position_of(column)) is not None]
            for field, columns in self.named().items()
        }
        return {field: places for field, places in found.items() if places}

    def fit(self, header: list[str]) -> bool:
        """Whether a table of that header holds every named field, in one column of its list at least."""
        named = self.named()
        return bool(named) and self.positions(header).keys() == named.keys()

    def described(self) -> str:
        """All names for messages, alternatives joined by "or"."""
        return ", ".join(" or ".join(columns) for columns in self.named().values())


class CollectionSpec(Contract):
    """``collection.toml``: what the collection is, and what its columns and values mean."""

    title: Label
    licence: Note | None = None
    citation: Note | None = None
    metadata: str | None = Field(default=None, description="file name of the table; none takes all whose columns fit")
    unknown: list[str] = Field(default=UNKNOWN, description="values that mean not known")
    ignore: list[str] = Field(default_factory=list, description="patterns of files, folders and zips to leave out")
    columns: Columns = Columns()
    optional_columns: Columns = Field(default=Columns(), description="likewise, and may be absent")
    separator: str | None = Field(
        default=None, min_length=1, description="between several diagnoses of one image, in the column of diagnoses"
    )
    values: dict[str, dict[str, Code]] = Field(
        default_factory=dict, description="field -> value as the table has it, in any case -> code"
    )
    diagnoses: list[Diagnosis] = Field(
        default_factory=list, description="in the order to show them; of several in one image, the first stands for it"
    )
    labels: dict[Code, dict[Code, Label]] = Field(
        default_factory=dict, description="field -> code -> what the page shows"
    )
    evidence_weights: dict[Code, Annotated[float, Field(ge=0, le=1)]] = Field(
        default_factory=dict, description="how much a neighbour's diagnosis counts by its evidence; 1 where not named"
    )


def read_spec(file: StoredFile | Path) -> CollectionSpec:
    """Read a ``collection.toml``; ``base = "NAME"`` starts from a built-in one. Raises `BadInput`."""
    if isinstance(file, Path):
        file = LooseFile(file)
    try:
        content = tomllib.loads(decoded(file.read(MAX_SPEC_BYTES)))
    except ValueError as error:
        raise BadInput(f"{file.name} cannot be read as TOML: {error}") from error
    base = content.pop("base", None)
    if base is not None:
        inherited = _built_in_content(str(base))
        content = inherited | content | {"labels": _both(inherited.get("labels"), content.get("labels"))}
    return _validated(content, file.name)


def built_in_names() -> list[str]:
    """Names of the collections that are known by their columns."""
    folder = resources.files("casekin.collections")
    return sorted(entry.name.removesuffix(".toml") for entry in folder.iterdir() if entry.name.endswith(".toml"))


def built_in_spec(name: str) -> CollectionSpec:
    """The spec of a built-in collection; raises `BadInput` for any other name."""
    return _validated(_built_in_content(name), name)


def _both(inherited: Any, own: Any) -> Any:
    """Labels of both; what is no table is left to the validation."""
    if inherited is None or own is None:
        return own if inherited is None else inherited
    return inherited | own if isinstance(own, dict) else own


def _built_in_content(name: str) -> dict[str, Any]:
    if name not in built_in_names():
        raise BadInput(f"there is no built-in collection {name!r}; known: {', '.join(built_in_names())}")
    return tomllib.loads((resources.files("casekin.collections") / f"{name}.toml").read_text(encoding="utf-8"))


def _validated(content: Mapping[str, Any], where: str) -> CollectionSpec:
    try:
        return CollectionSpec.model_validate(content)
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, e['loc']))}: {worded(e)}" for e in error.errors()[:5])
        raise BadInput(f"{where} is not a usable collection.toml: {faults}") from error
