"""The committed OpenAPI documents are what the services say, and what they exchange carries examples."""

import json
from pathlib import Path

import pytest

from services.openapi import FOLDER, differences, documents


@pytest.fixture(scope="module")
def served(tiny_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[Path, str]:
    return documents(tiny_bundle, tmp_path_factory.mktemp("data"))


def test_committed__equals_served(served: dict[Path, str]) -> None:
    assert differences(served) == "", "`make contracts` writes docs/openapi anew"
    assert {file.name for file in FOLDER.glob("*.json")} == {file.name for file in served}


def test_differences__are_shown(served: dict[Path, str]) -> None:
    file, text = next(iter(served.items()))
    changed = {file: text.replace('"/v1/', '"/v2/', 1)}
    assert "/v2/" in differences(changed)


def test_bodies__carry_an_example(served: dict[Path, str]) -> None:
    for file, text in served.items():
        document = json.loads(text)
        schemas = document["components"]["schemas"]
        bodies = {name for path in document["paths"].values() for name in referenced(path)}
        missing = {name for name in bodies if "example" not in schemas[name]} - {"HTTPValidationError"}
        assert not missing, f"{file.name}: no example on {sorted(missing)}"
        assert bodies


def test_paths__are_under_v1_but_the_probes(served: dict[Path, str]) -> None:
    for text in served.values():
        paths = json.loads(text)["paths"]
        assert {path for path in paths if not path.startswith("/v1/")} == {"/health", "/ready"}


def referenced(path: dict[str, object]) -> set[str]:
    """Names of the schemas that the operations of `path` take or give directly."""
    found = set()
    for operation in path.values():
        assert isinstance(operation, dict)
        bodies = [operation.get("requestBody", {}), *operation["responses"].values()]
        for content in (body.get("content", {}).get("application/json", {}) for body in bodies):
            schema = content.get("schema", {})
            for choice in [schema, *schema.get("anyOf", [])]:
                if "$ref" in choice:
                    found.add(choice["$ref"].rpartition("/")[2])
    return found
