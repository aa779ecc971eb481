"""Where benchmarks find what they measure: the data and the bundles."""

import os
from pathlib import Path

ROOT = Path(__file__).parents[1]
DATA = Path(os.environ.get("CASEKIN_SHARED_DATA", ROOT.parent / "shared" / "data"))
"""Folder of all data sets."""
HAM10000 = DATA / "ham10000"
BUNDLE = Path(os.environ.get("CASEKIN_BUNDLE", ROOT / "bundles" / "default"))
"""What ships; it has seen all folds."""
PROOF = ROOT / "bundles" / "proof"
"""What the same recipe made without fold 0, whose figures are those of the recipe."""
