"""Collections on disk: some downloads known by their columns, or any folder of images with a table."""

from casekin.collections.collection import FOLDS_FILE, LoadedCollection, open_collection
from casekin.collections.files import ImageSource
from casekin.collections.locations import Location, location_of, store_errors
from casekin.collections.rows import Row, Skipped
from casekin.collections.spec import CollectionSpec, Columns, built_in_names, built_in_spec, read_spec
from casekin.collections.table import Table, read_table

__all__ = [
    "FOLDS_FILE",
    "CollectionSpec",
    "Columns",
    "ImageSource",
    "LoadedCollection",
    "Location",
    "Row",
    "Skipped",
    "Table",
    "built_in_names",
    "built_in_spec",
    "location_of",
    "open_collection",
    "read_spec",
    "read_table",
    "store_errors",
]
