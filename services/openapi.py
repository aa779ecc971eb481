"""Writes the OpenAPI document of each service to docs/openapi: ``python -m services.openapi [--check]``.

The documents are committed: a change of a contract shows in its review, and ``--check`` fails where one was forgotten.
"""

import difflib
import json
import sys
import tempfile
from pathlib import Path

from fastapi import FastAPI

from services.encoder.app import create_app as create_encoder
from services.encoder.settings import EncoderSettings
from services.projector.app import create_app as create_projector
from services.projector.settings import ProjectorSettings
from services.search.app import create_app as create_search
from services.search.settings import SearchSettings

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "docs" / "openapi"


def applications(bundle: Path, data: Path) -> dict[str, FastAPI]:
    """The services that speak HTTP to others, as they would be served, by name; none is started."""
    return {
        "encoder": create_encoder(EncoderSettings(bundle=bundle)),
        "search": create_search(SearchSettings(bundle=bundle, data=data)),
        "projector": create_projector(ProjectorSettings(data=data)),
    }


def documents(bundle: Path, data: Path) -> dict[Path, str]:
    """What each file under docs/openapi must hold."""
    return {
        FOLDER / f"{name}.json": json.dumps(app.openapi(), indent=1, sort_keys=True) + "\n"
        for name, app in applications(bundle, data).items()
    }


def differences(wanted: dict[Path, str]) -> str:
    """A unified diff from what is committed to what the services say; empty where they agree."""
    lines: list[str] = []
    for file, text in wanted.items():
        committed = file.read_text() if file.exists() else ""
        name = str(file.relative_to(ROOT))
        lines += difflib.unified_diff(committed.splitlines(), text.splitlines(), name, "as served", lineterm="", n=1)
    return "\n".join(lines)


def main(arguments: list[str]) -> int:
    """Write the documents, or with ``--check`` compare; returns the exit status."""
    with tempfile.TemporaryDirectory() as data:
        wanted = documents(ROOT / "bundles" / "default", Path(data))
    if "--check" in arguments:
        found = differences(wanted)
        print(found + "\n`make contracts` writes docs/openapi anew" if found else "docs/openapi is current")
        return 1 if found else 0
    FOLDER.mkdir(parents=True, exist_ok=True)
    for file, text in wanted.items():
        file.write_text(text)
        print(f"wrote {file.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
