"""Names of dimensions over HTTP: under the name of who asked, with history and undo."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from casekin.errors import BadInput, Conflict, NotFound
from tests.integration.projector.conftest import Station


def test_names__are_given_taken_back_and_audited(make_station: Callable[..., Station], tmp_path: Path) -> None:
    station = make_station(audit_file=tmp_path / "audit.jsonl")
    with station.api() as client:
        assert client.names().names == ["Red", "Green", "Blue", "Centre brightness"]
        assert client.rename(0, "  Redness ", user="dr.lee").name == "Redness"
        with pytest.raises(BadInput, match="dimension 1 is named redness already"):
            client.rename(1, "redness")
        assert client.undo_name(0, "Redness", user="dr.may").name == "Red"
        with pytest.raises(Conflict, match="nothing to undo"):
            client.undo_name(0, "Red")
        assert [(one.by, one.undo) for one in client.name_history(0).changes] == [("dr.may", True), ("dr.lee", False)]
        with pytest.raises(NotFound, match=r"0 to 3"):
            client.rename(4, "Hair")
        client.rename(2, "Blueness")
    with station.api() as client:
        assert client.names().names == ["Red", "Green", "Blueness", "Centre brightness"]
    lines = [json.loads(line) for line in (tmp_path / "audit.jsonl").read_text().splitlines()]
    assert [(line["who"], line["what"], line["subject"]) for line in lines] == [
        ("dr.lee", "name dimension", "0: Redness"),
        ("dr.may", "undo name of dimension", "0: Red"),
        ("local", "name dimension", "2: Blueness"),
    ]


@pytest.mark.parametrize("name", ["", "   ", "x" * 61, "two\nlines"])
def test_name__that_does_not_fit_a_line_is_refused(make_station: Callable[..., Station], name: str) -> None:
    with make_station().api() as client:
        assert client._http.put("/v1/dimensions/0/name", json={"name": name}).status_code == 422
