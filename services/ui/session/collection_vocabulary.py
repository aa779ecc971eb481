"""The vocabulary of the collection that the browser holds."""

from typing import Any

from casekin.contracts.search import CollectionInfo
from services.ui.presentation.vocabulary import Vocabulary


def vocabulary_of(collection: dict[str, Any] | None) -> Vocabulary:
    """Names and colours; codes as they are before the collection is known."""
    info = {"title": "unknown"} if collection is None else collection["info"]
    return Vocabulary(CollectionInfo.model_validate(info))
