"""Every contract that carries an example means it."""

import importlib
import json
import pkgutil

import pytest

import casekin.contracts
from casekin.contracts.base import Contract


def all_contracts() -> list[type]:
    found: dict[str, type] = {}
    for module in pkgutil.iter_modules(casekin.contracts.__path__, "casekin.contracts."):
        for value in vars(importlib.import_module(module.name)).values():
            if isinstance(value, type) and value.__module__ == module.name and hasattr(value, "model_json_schema"):
                found[f"{module.name.rpartition('.')[2]}.{value.__name__}"] = value
    return list(found.values())


def example_of(contract: type) -> object:
    return (contract.model_config.get("json_schema_extra") or {}).get("example")


WITH_EXAMPLE = [contract for contract in all_contracts() if example_of(contract) is not None]


@pytest.mark.parametrize("contract", WITH_EXAMPLE, ids=lambda contract: contract.__name__)
def test_example__is_valid_and_survives_the_wire(contract: type) -> None:
    parsed = contract.model_validate_json(json.dumps(example_of(contract)))
    assert contract.model_validate_json(parsed.model_dump_json()) == parsed


@pytest.mark.parametrize("contract", WITH_EXAMPLE, ids=lambda contract: contract.__name__)
def test_example__stands_in_the_schema(contract: type) -> None:
    assert contract.model_json_schema()["example"] == example_of(contract)


@pytest.mark.parametrize(
    "contract", [c for c in all_contracts() if issubclass(c, Contract)], ids=lambda contract: contract.__name__
)
def test_contract__is_strict_and_immutable(contract: type) -> None:
    assert contract.model_config["extra"] == "forbid"
    assert contract.model_config["frozen"] is True
    assert contract.__doc__, "says in a sentence what it is"


def test_all__are_looked_at() -> None:
    names = {contract.__name__ for contract in WITH_EXAMPLE}
    assert {"BundleManifest", "EncodeResponse", "SearchRequest", "Job", "CaseMap", "Problem"} <= names
