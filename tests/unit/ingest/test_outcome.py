"""The report is there line by line, whatever happens next."""

import csv
import os
from pathlib import Path

import pytest

from casekin.errors import BadInput, StorageFull
from casekin.ingest import Kind, Outcome, ReportFile, Summary

OUTCOMES = [
    Outcome("c1", Kind.INGESTED),
    Outcome("c2", Kind.SKIPPED, "corrupt-image", 'cut off, "after" 12 bytes'),
    Outcome("c3", Kind.SKIPPED, "no-image", "line 4"),
    Outcome("c4", Kind.UNCHANGED),
]


def test_report_file__each_line_is_readable_before_the_end(tmp_path: Path) -> None:
    file = tmp_path / "new" / "report.csv"
    with ReportFile(file) as report:
        for number, outcome in enumerate(OUTCOMES, 1):
            report.add(outcome)
            with file.open(newline="") as stream:
                lines = list(csv.DictReader(stream))
            assert len(lines) == number
            assert lines[-1] == {
                "id": outcome.id,
                "outcome": outcome.kind,
                "code": outcome.code,
                "reason": outcome.reason,
            }


def test_report_file__a_place_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(BadInput, match="--report"):
        ReportFile(tmp_path / "file" / "report.csv")


def test_summary__counts_by_kind_and_code() -> None:
    summary = Summary()
    for outcome in OUTCOMES:
        summary.add(outcome)
    summary.add(Outcome("c5", Kind.SKIPPED, "no-image"))
    assert summary.done == 5
    assert summary.counts == {Kind.INGESTED: 1, Kind.SKIPPED: 3, Kind.UNCHANGED: 1}
    assert summary.skipped_by_code == {"corrupt-image": 1, "no-image": 2}


def test_report_file__of_names_that_are_no_utf8(tmp_path: Path) -> None:
    with ReportFile(tmp_path / "report.csv") as report:
        report.add(Outcome("gr\udcf6\udcdfe", Kind.SKIPPED, "no-row", "größe"))
    assert (tmp_path / "report.csv").read_text(encoding="utf-8").splitlines()[
        1
    ] == r"gr\udcf6\udcdfe,skipped,no-row,größe"


def test_report_file__on_a_disk_that_is_full(tmp_path: Path) -> None:
    with ReportFile(tmp_path / "report.csv") as report:
        os.dup2(os.open("/dev/full", os.O_WRONLY), report._stream.fileno())
        with pytest.raises(StorageFull, match="any further: No space left"):
            report.add(Outcome("a", Kind.INGESTED))


@pytest.mark.parametrize(
    ("kind", "is_empty"),
    [(Kind.INGESTED, False), (Kind.REPLACED, False), (Kind.UNCHANGED, False), (Kind.SKIPPED, True), (None, True)],
)
def test_summary__is_empty_where_nothing_is_in(kind: Kind | None, is_empty: bool) -> None:
    summary = Summary()
    if kind:
        summary.add(Outcome("a", kind))
    assert summary.is_empty is is_empty


def test_report_file__is_made_with_its_folders_and_keeps_line_breaks(tmp_path: Path) -> None:
    file = tmp_path / "new" / "newer" / "report.csv"
    with ReportFile(file) as report:
        report.add(Outcome("a", Kind.SKIPPED, "bad-row", "two\nlines\r\nor three"))
    with file.open(newline="", encoding="utf-8") as stream:
        assert next(csv.DictReader(stream))["reason"] == "two\nlines\r\nor three"
