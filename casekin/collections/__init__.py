"""Collections on disk: HAM10000 as downloaded, or any folder of images with a table."""

from casekin.collections.collection import LoadedCollection, open_collection
from casekin.collections.rows import Row, Skipped
from casekin.collections.spec import CollectionSpec, Columns, built_in_spec, read_spec

__all__ = [
    "CollectionSpec",
    "Columns",
    "LoadedCollection",
    "Row",
    "Skipped",
    "built_in_spec",
    "open_collection",
    "read_spec",
]
