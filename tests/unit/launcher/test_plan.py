"""What the launcher starts."""

from pathlib import Path

from casekin.launcher.plan import Options, make_plan


def test_plan__starts_a_worker_for_bulk_only_where_there_are_collections(tmp_path: Path) -> None:
    without, given = (
        make_plan(Options(data=tmp_path, bundle=tmp_path, host="127.0.0.1", port=0, collections=collections))
        for collections in (None, "s3://clinic/collections")
    )
    assert [part.name for part in given.parts if part.name not in {one.name for one in without.parts}] == [
        "worker-bulk"
    ]
    bulk = next(part for part in given.parts if part.name == "worker-bulk")
    assert bulk.environment["CASEKIN_COLLECTIONS"] == "s3://clinic/collections"
    assert bulk.command[-2:] == ["--queues", "bulk"]
    assert not bulk.awaited, "the page does not wait for it"
