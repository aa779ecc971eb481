"""The vocabulary of the collection in the browser's store."""

from casekin.contracts.collection import CollectionInfo
from services.ui.presentation.vocabulary import Vocabulary
from services.ui.session.stores import Json, collection_in


def vocabulary_of(collection: Json) -> Vocabulary:
    """Names and colours; codes are shown as they are before the collection is known."""
    known = collection_in(collection)
    return Vocabulary(known.info if known else CollectionInfo(title="unknown"))
