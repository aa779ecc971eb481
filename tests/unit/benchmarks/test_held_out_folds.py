"""Benchmarks that measure fold 0 refuse a bundle that has seen it, before they read any data."""

from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks import collection, neighbours, retrieval, seen
from casekin.errors import BadInput


@pytest.mark.parametrize(
    "measure",
    [
        lambda bundle: retrieval.main(Path("nowhere"), bundle),
        lambda bundle: neighbours.main(Path("nowhere"), bundle),
        lambda bundle: collection.encoded(bundle=bundle),
        lambda bundle: seen.main(Path("nowhere"), bundle, bundle, None),
    ],
    ids=["retrieval", "neighbours", "collection", "seen"],
)
def test_benchmark__refuses_the_shipped_bundle_which_has_seen_fold_0(
    bundle: Path, measure: Callable[[Path], object]
) -> None:
    with pytest.raises(BadInput, match="was trained on fold 0"):
        measure(bundle)
