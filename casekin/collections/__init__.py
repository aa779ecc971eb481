"""Collections on disk: some downloads known by their columns, or any folder of images with a table."""

from casekin.collections.collection import FOLDS_FILE, LoadedCollection, open_collection
from casekin.collections.places import Place, answering, place_at
from casekin.collections.rows import Row, Skipped
from casekin.collections.sources import ImageSource
from casekin.collections.spec import CollectionSpec, Columns, built_in_names, built_in_spec, read_spec
from casekin.collections.table import Table, read_table

__all__ = [
    "FOLDS_FILE",
    "CollectionSpec",
    "Columns",
    "ImageSource",
    "LoadedCollection",
    "Place",
    "Row",
    "Skipped",
    "Table",
    "answering",
    "built_in_names",
    "built_in_spec",
    "open_collection",
    "place_at",
    "read_spec",
    "read_table",
]
