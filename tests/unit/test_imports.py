"""Every package that the code imports is declared by the extra whose image runs that code."""

import ast
import re
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
OWN = {"casekin", "services", "training", "tests", "benchmarks", "deploy"}
DISTRIBUTIONS = packages_distributions()
CODE = {
    "": ["casekin"],
    "encoder": ["services/encoder"],
    "search": ["services/search"],
    "projector": ["services/projector"],
    "ui": ["services/ui"],
    "training": ["training"],
    "dev": ["tests", "benchmarks"],
}
"""By extra: the folders whose code runs from it alone; the empty one is what every installation has."""
LATE = {
    "casekin/parquet.py": "table",
    "casekin/launcher/redis.py": "standalone",
}
"""Files of ``casekin`` that an extra brings and nothing else imports at its start."""


def name_of(requirement: str) -> str:
    """The normalised name of a distribution in a requirement."""
    found = re.match(r"[A-Za-z0-9._-]+", requirement)
    assert found, requirement
    return normalised(found.group())


def normalised(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def declared(extra: str) -> set[str]:
    """Distributions that ``casekin[extra]`` names itself, with the extras that it includes."""
    found = {name_of(line) for line in PYPROJECT["dependencies"]}
    for line in PYPROJECT["optional-dependencies"].get(extra, []) if extra else []:
        if inner := re.match(r"casekin\[([^]]+)\]", line):
            found |= set().union(*(declared(one.strip()) for one in inner.group(1).split(",")))
        else:
            found.add(name_of(line))
    return found


def imports(file: Path) -> set[str]:
    """Top-level packages of others that a file imports, wherever in it; for type checks alone do not count."""
    found = set()
    tree = ast.parse(file.read_text())
    skipped = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING")
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if id(node) in skipped:
            continue
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            found.add(node.module.partition(".")[0])
    return found - OWN - sys.stdlib_module_names


@pytest.mark.parametrize("extra", CODE)
def test_imports__are_declared_by_their_extra(extra: str) -> None:
    missing = []
    for folder in CODE[extra]:
        for file in sorted((ROOT / folder).rglob("*.py")):
            there = file.relative_to(ROOT).as_posix()
            allowed = declared(LATE.get(there, extra))
            for package in sorted(imports(file)):
                distributions = {normalised(one) for one in DISTRIBUTIONS.get(package, [package])}
                if not distributions & allowed:
                    missing.append(f"{there} imports {package} ({', '.join(sorted(distributions))})")
    assert missing == [], f"declare them in pyproject.toml under {extra or 'dependencies'}"


@pytest.mark.parametrize("extra", ["search", "projector"])
def test_object_storage__is_in_the_extras_that_take_an_s3_address(extra: str) -> None:
    """fsspec imports it by the scheme of the address, which no parser of imports can see."""
    assert "s3fs" in declared(extra)


def test_constraints__pin_all_that_is_declared() -> None:
    pins = (line.partition("#")[0] for line in (ROOT / "constraints.txt").read_text().splitlines())
    pinned = {normalised(line.partition("==")[0].strip()) for line in pins if "==" in line}
    named = set().union(*(declared(extra) for extra in ("", *PYPROJECT["optional-dependencies"])))
    assert sorted(named - pinned) == []
