"""How the files of a collection are to be read and shown; written in TOML (``collection.toml``)."""

import tomllib
from collections.abc import Mapping
from importlib import resources
from typing import Annotated, Any

from pydantic import Field, ValidationError

from casekin.collections.places import Place, answering
from casekin.contracts.base import Code, Contract
from casekin.contracts.search import Diagnosis
from casekin.errors import BadInput

UNKNOWN = ["", "unknown", "NA", "n/a", "nan", "null", "none"]
"""What means "not known" where a collection does not say otherwise; case does not matter."""


Column = str | list[str]
"""Name of a column; of a list, the first that says something in a line is taken, and not all need be there."""


class Columns(Contract):
    """Which column of the table holds which field of a case; what is not taken becomes an attribute."""

    id: Column | None = Field(default=None, description="none takes the image's file name without its suffix")
    image: Column | None = Field(default=None, description="file name, with or without suffix; none takes the id")
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

    def fit(self, header: list[str]) -> bool:
        """Whether a table of that header holds every named field, in one column of its list at least."""
        named = self.named()
        return bool(named) and all(set(columns) & set(header) for columns in named.values())

    def described(self) -> str:
        """For messages: all names, alternatives by "or"."""
        return ", ".join(" or ".join(columns) for columns in self.named().values())


class CollectionSpec(Contract):
    """``collection.toml``: what the collection is, and what its columns and values mean."""

    title: str = Field(min_length=1, max_length=120)
    licence: str | None = None
    citation: str | None = None
    metadata: str | None = Field(default=None, description="file name of the table; none finds it by its columns")
    unknown: list[str] = Field(default=UNKNOWN, description="values that mean not known")
    ignore: list[str] = Field(default_factory=list, description="patterns of files and zips to leave alone")
    columns: Columns = Columns()
    optional_columns: Columns = Field(default=Columns(), description="likewise, and may be absent")
    separator: str | None = Field(
        default=None, min_length=1, description="between several diagnoses of one image, in the column of diagnoses"
    )
    values: dict[str, dict[str, str]] = Field(
        default_factory=dict, description="field -> value as the table has it, in any case -> code"
    )
    diagnoses: list[Diagnosis] = Field(
        default_factory=list, description="in the order to show them; of several in one image, the first stands for it"
    )
    labels: dict[str, dict[str, str]] = Field(default_factory=dict, description="field -> code -> what the page shows")
    evidence_weights: dict[Code, Annotated[float, Field(ge=0, le=1)]] = Field(
        default_factory=dict, description="how much a neighbour's diagnosis counts by its evidence; 1 where not named"
    )


def read_spec(file: Place) -> CollectionSpec:
    """Read a ``collection.toml``; ``base = "NAME"`` starts from a built-in one. Raises `BadInput`."""
    try:
        with answering(file):
            text = file.read_text(encoding="utf-8")
        content = tomllib.loads(text)
    except (OSError, ValueError) as error:
        raise BadInput(f"{file} cannot be read as TOML: {error}") from error
    base = content.pop("base", None)
    if base is not None:
        inherited = _built_in_content(str(base))
        labels = inherited.get("labels", {}) | content.get("labels", {})
        content = inherited | content | {"labels": labels}
    return _validated(content, str(file))


def built_in_names() -> list[str]:
    """Names of the collections that Casekin knows without being told."""
    folder = resources.files("casekin.collections")
    return sorted(entry.name.removesuffix(".toml") for entry in folder.iterdir() if entry.name.endswith(".toml"))


def built_in_spec(name: str) -> CollectionSpec:
    """The spec of a collection that Casekin knows; raises `BadInput` for any other name."""
    return _validated(_built_in_content(name), name)


def _built_in_content(name: str) -> dict[str, Any]:
    if name not in built_in_names():
        raise BadInput(f"there is no built-in collection {name!r}; known: {', '.join(built_in_names())}")
    return tomllib.loads((resources.files("casekin.collections") / f"{name}.toml").read_text(encoding="utf-8"))


def _validated(content: Mapping[str, Any], where: str) -> CollectionSpec:
    try:
        return CollectionSpec.model_validate(content)
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()[:5])
        raise BadInput(f"{where} is not a usable collection.toml: {faults}") from error
