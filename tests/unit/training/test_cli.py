import json
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from casekin.bundle import open_bundle
from training.cli import app
from training.config.guided import CONFIGS, Config


def test_cli__fits_evaluates_and_exports(collection_folder: Path, tiny: Config, tmp_path: Path, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setitem(CONFIGS, "tiny", tiny)
    given = ["--data", str(collection_folder), "--config", "tiny", "--store", str(tmp_path)]
    checkpoint = str(tmp_path / "runs" / "tiny-prove" / "last.ckpt")
    runner = CliRunner()
    assert runner.invoke(app, ["fit", *given, "--epochs", "1"]).exit_code == 0
    target = tmp_path / "bundle"
    result = runner.invoke(app, ["export", checkpoint, *given, "--target", str(target), "--version", "tiny-3"])
    assert result.exit_code == 0, result.output
    assert open_bundle(target).manifest.version == "tiny-3"
    pages = tmp_path / "evaluation"
    where = [
        "--data",
        str(collection_folder),
        "--store",
        str(tmp_path),
        "--bundle",
        str(target),
        "--target",
        str(pages),
    ]
    result = runner.invoke(app, ["evaluate", *where])
    assert result.exit_code == 0, result.output
    assert result.stdout.strip() == str(pages / "index.html")
    measured = json.loads((pages / "evaluation.json").read_text())["measured"]
    figure = measured["figures"]["clinical"]["p_at_1_macro"]
    assert figure["value"] == pytest.approx(open_bundle(target).manifest.metrics["p_at_1_macro"], abs=1e-6)
    assert "WARNING" not in result.stderr
    warned = runner.invoke(app, ["evaluate", *where, "--fold", "2"])
    assert "WARNING: The model was TRAINED on fold 2" in warned.stderr


def test_recipe__proves_on_fold_0_and_ships_what_has_seen_all(
    collection_folder: Path, tiny: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(CONFIGS, "tiny", replace(tiny, optimiser=replace(tiny.optimiser, epochs=1)))
    given = ["--data", str(collection_folder), "--config", "tiny", "--store", str(tmp_path / "store")]
    where = ["--bundles", str(tmp_path / "bundles"), "--version", "tiny-4"]
    result = CliRunner().invoke(app, ["recipe", *given, *where])
    assert result.exit_code == 0, result.output
    proof, shipped = (open_bundle(tmp_path / "bundles" / name).manifest for name in ("proof", "default"))
    assert (proof.version, shipped.version) == ("tiny-4-proof", "tiny-4")
    assert proof.provenance.recipe["data.train_folds"] == "2 3 4"
    assert shipped.provenance.recipe["data.train_folds"] == "0 1 2 3 4"
    assert (proof.provenance.recipe["held.folds"], "held.folds" in shipped.provenance.recipe) == ("1", False)
    assert shipped.similarity == proof.similarity
    polished = tmp_path / "store" / "runs" / "tiny-ship" / "polished.ckpt"
    files = [polished, *(tmp_path / "bundles" / name / "bundle.json" for name in ("proof", "default"))]
    before = [file.stat().st_mtime_ns for file in files]
    assert CliRunner().invoke(app, ["recipe", *given, *where]).exit_code == 0
    assert [file.stat().st_mtime_ns for file in files] == before
