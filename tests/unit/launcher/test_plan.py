"""What the launcher starts."""

from pathlib import Path

from casekin.launcher.plan import Options, make_encoder_plan, make_plan


def test_plan__tells_the_worker_for_bulk_where_collections_are(tmp_path: Path) -> None:
    without, given = (
        make_plan(Options(data=tmp_path, bundle=tmp_path, host="127.0.0.1", port=0, collections=collections))
        for collections in (None, "s3://clinic/collections")
    )
    idle, bulk = (next(part for part in plan.parts if part.name == "worker-bulk") for plan in (without, given))
    assert bulk.environment["CASEKIN_COLLECTIONS"] == "s3://clinic/collections"
    assert "CASEKIN_COLLECTIONS" not in idle.environment
    assert bulk.command[-2:] == ["--queues", "bulk"]
    assert not bulk.awaited, "the page does not wait for it"


def test_encoder_plan__is_of_one_encoder_with_its_own_bundle_and_log(tmp_path: Path) -> None:
    plan = make_encoder_plan(tmp_path / "next", tmp_path / "bundle")
    (part,) = plan.parts
    assert (part.name, part.environment["CASEKIN_BUNDLE"]) == ("encoder", str(tmp_path / "bundle"))
    assert part.log.is_relative_to(tmp_path / "next")
    assert plan.urls == {"encoder": part.url}
