"""Paths of the data and of the bundles that benchmarks use."""

import os
from pathlib import Path

ROOT = Path(__file__).parents[1]
DATA = Path(os.environ.get("CASEKIN_SHARED_DATA", ROOT.parent / "shared" / "data"))
"""Folder of all data sets."""
HAM10000 = DATA / "ham10000"
BUNDLE = Path(os.environ.get("CASEKIN_BUNDLE", ROOT / "bundles" / "default"))
"""The shipped bundle, trained on all folds: no benchmark may measure it on one of them."""
PROOF = ROOT / "bundles" / "proof"
"""The same recipe trained without fold 0; measured on fold 0, its figures stand for the recipe."""
