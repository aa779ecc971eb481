import json
from pathlib import Path

from typer.testing import CliRunner

from casekin.bundle import open_bundle
from training.cli import app
from training.config import CONFIGS, Config


def test_cli__fits_evaluates_and_exports(collection_folder: Path, tiny: Config, tmp_path: Path, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setitem(CONFIGS, "tiny", tiny)
    given = ["--data", str(collection_folder), "--config", "tiny", "--store", str(tmp_path)]
    checkpoint = str(tmp_path / "runs" / "tiny" / "last.ckpt")
    runner = CliRunner()
    assert runner.invoke(app, ["fit", *given, "--epochs", "1"]).exit_code == 0
    evaluated = runner.invoke(app, ["evaluate", checkpoint, *given])
    assert 0 <= json.loads(evaluated.stdout)["p_at_1_macro"] <= 1
    target = tmp_path / "bundle"
    result = runner.invoke(app, ["export", checkpoint, *given, "--target", str(target), "--version", "tiny-3"])
    assert result.exit_code == 0, result.output
    assert open_bundle(target).manifest.version == "tiny-3"
