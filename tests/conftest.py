"""Fixtures for all tests: where real data and the shipped bundle are."""

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def shared_data(name: str) -> Path:
    """A folder of the real data beside the repository (or under ``CASEKIN_SHARED_DATA``), or a skip that says why."""
    base = Path(os.environ.get("CASEKIN_SHARED_DATA", ROOT.parent / "shared" / "data"))
    folder = base / name
    if not folder.is_dir():
        pytest.skip(f"needs the real data in {folder}; set CASEKIN_SHARED_DATA to where it is")
    return folder


@pytest.fixture(scope="session")
def ham10000() -> Path:
    """HAM10000 in the form of the official download, 200 x 150."""
    return shared_data("ham10000")


@pytest.fixture(scope="session")
def ham10000_full() -> Path:
    """Sixty images of HAM10000 at 600 x 450."""
    return shared_data("ham10000_600x450")


@pytest.fixture(scope="session")
def bundle() -> Path:
    """The shipped bundle."""
    return ROOT / "bundles" / "default"


@pytest.fixture(scope="session")
def proof() -> Path:
    """What the shipped bundle's recipe made without fold 0."""
    return ROOT / "bundles" / "proof"


@pytest.fixture(scope="session")
def tiny_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle of four dimensions and HAM10000's seven diagnoses that measures colours; needs no training."""
    from tests.tiny_bundle import build_tiny_bundle  # the onnx package is slow to import and few tests need it

    return build_tiny_bundle(tmp_path_factory.mktemp("bundles") / "tiny")
