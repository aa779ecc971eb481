"""Commands end with one line and a status, never with a trace."""

import importlib
import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from casekin.cli import app
from casekin.collections import LoadedCollection
from casekin.contracts.ingest import IngestPart, IngestResult
from casekin.contracts.projector import Job, JobState
from casekin.errors import CasekinError, Unavailable
from casekin.ingest import Kind, Outcome, Summary
from tests.exports import write_isic

# The package's attributes of these names are the commands themselves.
ingest_command, demo_command, bulk_command = (
    importlib.import_module(f"casekin.cli.{name}") for name in ("ingest", "demo", "bulk")
)
NOWHERE = "http://127.0.0.1:9"
URLS = ["--encoder-url", NOWHERE, "--search-url", NOWHERE]


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


class FakeIngest:
    """Ends each row, or what `outcomes` has; records that it was asked to stop."""

    outcomes: tuple[Outcome, ...] = ()
    before: Callable[[], None] = staticmethod(lambda: None)
    stopped = False

    def __init__(self, *_: object, **__: object) -> None:
        pass

    def run(self, loaded: LoadedCollection, on_outcome: Callable[[Outcome], None], stop: threading.Event) -> Summary:
        type(self).before()
        type(self).stopped = stop.is_set()
        summary = Summary(interrupted=stop.is_set())
        for outcome in self.outcomes:
            summary.add(outcome)
            on_outcome(outcome)
        return summary


@pytest.fixture
def fake_ingest(monkeypatch: pytest.MonkeyPatch) -> type[FakeIngest]:
    class Fresh(FakeIngest):
        pass

    monkeypatch.setattr(ingest_command, "Ingest", Fresh)
    return Fresh


@pytest.mark.parametrize(
    ("kinds", "status"),
    [
        ([], 1),
        ([Kind.SKIPPED, Kind.SKIPPED], 1),
        ([Kind.SKIPPED, Kind.INGESTED], 0),
        ([Kind.UNCHANGED], 0),
    ],
)
def test_ingest__after_which_nothing_is_in_ends_with_status_1(
    tmp_path: Path, fake_ingest: type[FakeIngest], kinds: list[Kind], status: int
) -> None:
    fake_ingest.outcomes = tuple(Outcome(str(i), kind, reason="why") for i, kind in enumerate(kinds))
    ended = run("ingest", write_isic(tmp_path / "isic", 1), "--data", tmp_path, *URLS)
    assert ended.exit_code == status
    assert ("no image of" in ended.stderr) == bool(status)
    assert (tmp_path / "ingest-report.csv").read_text().count("why") == len(kinds)


def test_ingest__ctrl_c_stops_it_with_status_130(tmp_path: Path, fake_ingest: type[FakeIngest]) -> None:
    fake_ingest.before = staticmethod(lambda: os.kill(os.getpid(), 2))
    fake_ingest.outcomes = (Outcome("a", Kind.INGESTED),)
    ended = run("ingest", write_isic(tmp_path / "isic", 1), "--data", tmp_path, *URLS)
    assert fake_ingest.stopped
    assert ended.exit_code == 130
    assert "finishing what is under way" in ended.stderr
    assert "the same command goes on where this stopped" in ended.stderr


def test_ingest__progress_counts_no_image_that_was_skipped_before(
    tmp_path: Path, fake_ingest: type[FakeIngest]
) -> None:
    folder = write_isic(tmp_path / "isic", 1)
    for number in range(20):
        (folder / f"stray{number}.jpg").write_bytes(b"x")
    skipped = tuple(Outcome(str(i), Kind.SKIPPED, "no-row") for i in range(20))
    fake_ingest.outcomes = (*skipped, Outcome("a", Kind.INGESTED), Outcome("b", Kind.INGESTED))
    ended = run("ingest", folder, "--data", tmp_path, *URLS)
    assert [line.partition(",")[0] for line in ended.stderr.splitlines()] == ["ISIC Archive: 2 of 2"]


def test_ingest__a_title_that_is_too_long_is_named_with_the_limit(tmp_path: Path) -> None:
    ended = run("ingest", write_isic(tmp_path / "isic", 1), "--data", tmp_path, *URLS, "--title", "x" * 5000)
    assert ended.exit_code == 1
    assert "--title: 'xxx" in ended.stderr
    assert "has 5000 characters" in ended.stderr
    assert "at most" in ended.stderr
    assert len(ended.stderr) < 400


@pytest.mark.parametrize("name", [b"gr\xf6\xdfe", b"x" * 200, "größe (2) 'q' \"p\" [b]".encode(), b"a\nb"])
def test_ingest__folder_of_any_name(tmp_path: Path, fake_ingest: type[FakeIngest], name: bytes) -> None:
    folder = Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + name))
    write_isic(folder, 1)
    fake_ingest.outcomes = (Outcome("a", Kind.INGESTED),)
    ended = run("ingest", folder, "--data", tmp_path, *URLS, "--image-column", "isic_id")
    assert ended.exit_code == 0, ended.output
    ended = run("ingest", folder / "none", "--data", tmp_path, *URLS)
    assert ended.exit_code == 1
    assert "is not a folder or zip" in ended.stderr
    assert len(ended.stderr.splitlines()) == 1


def test_ingest__report_that_cannot_be_written_any_further(tmp_path: Path, fake_ingest: type[FakeIngest]) -> None:
    fake_ingest.outcomes = (Outcome("a", Kind.INGESTED),)
    ended = run("ingest", write_isic(tmp_path / "isic", 1), "--data", tmp_path, *URLS, "--report", "/dev/full")
    assert ended.exit_code == 1
    assert "the report cannot be written" in ended.stderr


def test_demo__what_is_no_collection_is_refused_before_anything_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(demo_command, "served", lambda *_: pytest.fail("services were started"))
    for folder in (tmp_path, tmp_path / "none"):
        ended = run("demo", folder, "--data", tmp_path / "data")
        assert ended.exit_code == 1
        assert str(folder) in ended.stderr


def test_demo__has_the_options_that_its_refusals_advise() -> None:
    shown = run("demo", "--help").output
    assert "--metadata" in shown
    assert "--ignore" in shown
    assert "--take-over" in shown


class FakeProjector:
    """Jobs that have ended, each with the same result."""

    def __init__(self, result: IngestResult | CasekinError, state: JobState = JobState.SUCCEEDED) -> None:
        self._result, self._state = result, state

    def __enter__(self) -> "FakeProjector":
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def submit(self, _: IngestPart) -> Job:
        if isinstance(self._result, CasekinError):
            raise self._result
        example = Job.model_config["json_schema_extra"]["example"]  # type: ignore[index, call-overload]
        return Job.model_validate(example | {"state": self._state, "problem": None})

    def result(self, *_: object) -> IngestResult | CasekinError:
        return self._result


def ended_with(monkeypatch: pytest.MonkeyPatch, **counts: int) -> Result:
    fields = dict.fromkeys(Kind, 0) | counts
    result = IngestResult(**fields, skipped_by_code={}, media_type="text/csv", size=1, link="/x")
    monkeypatch.setattr(bulk_command, "ProjectorClient", lambda *_, **__: FakeProjector(result))
    return run("bulk", "clinic", "--parts", "2")


def test_bulk__after_which_nothing_is_in_ends_with_status_1(monkeypatch: pytest.MonkeyPatch) -> None:
    assert ended_with(monkeypatch, ingested=3).exit_code == 0
    assert ended_with(monkeypatch, unchanged=3).exit_code == 0
    nothing = ended_with(monkeypatch, skipped=3)
    assert nothing.exit_code == 1
    assert "0 ingested, 0 replaced, 0 unchanged, 6 skipped" in nothing.stdout


@pytest.mark.parametrize("folder", ["../other", "/etc", "a//b", "", ".hidden", "a\\b", "x" * 2000])
def test_bulk__name_that_leads_out_is_refused_in_words(folder: str) -> None:
    ended = run("bulk", folder)
    assert ended.exit_code == 1
    assert "is no name of a folder below the collections of the workers: " in ended.stderr


def test_bulk__service_that_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = FakeProjector(Unavailable("the projector does not answer"))
    monkeypatch.setattr(bulk_command, "ProjectorClient", lambda *_, **__: fake)
    ended = run("bulk", "größe (2).zip")
    assert (ended.exit_code, ended.stderr) == (1, "casekin: the projector does not answer\n")
