"""Names of a collection's codes, and the colours of its diagnoses."""

from casekin.contracts.collection import CollectionInfo, Diagnosis

FALLBACK = (
    "#4477aa",
    "#d1495b",
    "#228833",
    "#c9a227",
    "#8f5fbf",
    "#2a9d9c",
    "#e07b39",
    "#6b8e23",
    "#b5548f",
    "#5c6f82",
)
"""Tol's bright scheme, darkened where white text or a white page needs it."""
UNKNOWN = "#8a94a0"
TOWARDS = "Towards "
"""A bundle names a dimension so, before a code, where it lies along the class head's direction of a diagnosis."""


class Vocabulary:
    """Names and colours for one collection; codes it does not explain are shown as they are, underscores as spaces."""

    def __init__(self, info: CollectionInfo) -> None:
        self._diagnoses = {entry.code: entry for entry in info.diagnoses}
        self._order = {code: place for place, code in enumerate(self._diagnoses)}
        self._labels = info.labels

    def diagnosis(self, code: str | None) -> str:
        """The name of a diagnosis."""
        entry = self._diagnoses.get(code or "")
        return entry.name if entry else self.label("diagnosis", code)

    def colour(self, code: str | None) -> str:
        """Of a diagnosis, ``#rrggbb``: the collection's own, otherwise by its place in the vocabulary."""
        if code is None:
            return UNKNOWN
        entry = self._diagnoses.get(code)
        if entry is not None and entry.colour is not None:
            return entry.colour
        return FALLBACK[self._order.get(code, sum(code.encode())) % len(FALLBACK)]

    def dimension(self, name: str) -> str:
        """The name of a dimension as the page shows it: ``Melanoma-like`` for ``Towards mel``."""
        entry = self._diagnoses.get(name.removeprefix(TOWARDS)) if name.startswith(TOWARDS) else None
        if entry is None:
            return name
        return entry.name if "-like" in entry.name else f"{entry.name}-like"

    def malignant(self, code: str | None) -> bool:
        """Whether the collection says so."""
        entry = self._diagnoses.get(code or "")
        return bool(entry and entry.malignant)

    def label(self, field: str, code: str | None) -> str:
        """What the page shows for `code` of `field`."""
        if code is None:
            return "unknown"
        if field == "diagnosis" and code in self._diagnoses:
            return self._diagnoses[code].name
        return self._labels.get(field, {}).get(code, code.replace("_", " "))

    def codes(self, field: str) -> list[str]:
        """The codes of `field` that the collection explains, in its order."""
        return list(self._diagnoses) if field == "diagnosis" else list(self._labels.get(field, {}))

    def place(self, code: str | None) -> int:
        """For sorting: diagnoses in the collection's order, others after them."""
        return self._order.get(code or "", len(self._order))

    def order(self, field: str, code: str | None) -> tuple[int, str]:
        """For sorting the values of `field`: diagnoses in the collection's order, all else by what is shown."""
        return (self.place(code) if field == "diagnosis" else 0, self.label(field, code).casefold())

    @property
    def diagnoses(self) -> list[Diagnosis]:
        """In the order to show them."""
        return list(self._diagnoses.values())
