"""What a hospital brings is trained on by the same command, whatever its form."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from casekin.bundle import open_bundle
from casekin.errors import BadInput
from casekin.phantoms import write_phantoms
from casekin.phantoms.population import population
from tests.exports import tinted, write_csv, write_isic, write_nih
from training.cli import app
from training.config.guided import CONFIGS, Config, DataConfig
from training.data.cases import read_collection
from training.data.collection import Collection

GARDEN = (("kelp", "Giant kelp", "true"), ("moss", "Peat moss", "false"), ("fern", "Wood fern", "false"))
GARDEN_TOML = """
base = "ham10000"
title = "The herbarium"
licence = "CC0-1.0"
citation = "Linnaeus 1753"
{diagnoses}
[values.diagnosis]
{values}
[labels.evidence]
histo = "under the lens"
"""
MOLES = {"naevus": (150, 100, 70), "wart": (220, 150, 150)}
CLINIC = """
title = "Our clinic"
licence = "internal"
citation = "nobody"
[columns]
image = "File"
lesion = "Mole"
diagnosis = "Label"
"""


@pytest.fixture
def clinic(tmp_path: Path) -> Path:
    """A folder with a table of its own and a description of it elsewhere."""
    folder = tmp_path / "clinic"
    folder.mkdir()
    (tmp_path / "clinic.toml").write_text(CLINIC)
    rows = []
    for number in range(40):
        kind = list(MOLES)[number // 2 % 2]
        (folder / f"{number}.jpg").write_bytes(tinted(MOLES[kind], number))
        rows.append((f"{number}.jpg", f"mole {number // 2}", kind))
    write_csv(folder / "cases.csv", ("File", "Mole", "Label"), rows)
    return folder


@pytest.fixture
def nih(tmp_path: Path) -> Path:
    return write_nih(tmp_path / "nih", 30)


def _run(*arguments: str | Path) -> str:
    outcome = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert outcome.exit_code == 0, outcome.output
    return outcome.stdout.strip()


@pytest.mark.parametrize("form", ["isic", "nih", "clinic", "phantoms"])
def test_fit__runs_on_every_form(
    form: str, clinic: Path, nih: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CASEKIN_TRAINING_DIR", str(tmp_path / "drawn"))
    data = {
        "isic": ["--data", write_isic(tmp_path / "isic", 30)],
        "nih": ["--data", nih, "--mapping", "nih"],
        "clinic": ["--data", clinic, "--mapping", tmp_path / "clinic.toml"],
        "phantoms": ["--data", "phantoms:40"],
    }[form]
    printed = _run("fit", *data, "--config", "debug", "--store", tmp_path / "store", "--epochs", "1", "--folds", "3")
    checkpoint = torch.load(printed.splitlines()[-1], weights_only=False)
    assert checkpoint["global_step"] > 0
    assert checkpoint["recipe"]["data.folds"] == 3


def test_export__of_a_collection_without_masks_names_its_own_licence(
    clinic: Path, tiny: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(CONFIGS, "tiny", tiny)
    given = ["--data", clinic, "--mapping", tmp_path / "clinic.toml", "--config", "tiny", "--folds", "3"]
    checkpoint = _run("fit", *given, "--store", tmp_path / "store", "--epochs", "1").splitlines()[-1]
    target = tmp_path / "bundle"
    printed = _run(
        "export", checkpoint, *given, "--store", tmp_path / "store", "--target", target, "--version", "own-1"
    )
    assert 0 <= json.loads(printed)["p_at_1_macro"] <= 1
    manifest = open_bundle(target).manifest
    assert manifest.classes == ["naevus", "wart"]
    assert manifest.provenance.data == "Our clinic, 40 images"
    assert manifest.provenance.licence.startswith("internal")


@pytest.fixture
def relabelled(tmp_path: Path) -> Path:
    """Phantoms under the labels of another field, with a description that calls one of them malignant."""
    folder = tmp_path / "garden"
    for _ in write_phantoms(folder, count=90, seed=3):
        pass
    codes = {diagnosis.code: GARDEN[n % 3][0] for n, diagnosis in enumerate(population().classes)}
    values = "\n".join(f'{theirs} = "{ours}"' for theirs, ours in codes.items())
    described = "\n".join(
        f'[[diagnoses]]\ncode = "{code}"\nname = "{name}"\nmalignant = {malignant}' for code, name, malignant in GARDEN
    )
    (folder / "collection.toml").write_text(GARDEN_TOML.format(values=values, diagnoses=described))
    return folder


def test_model_card__speaks_of_the_collection_that_was_trained_on(
    relabelled: Path, tiny: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(CONFIGS, "tiny", tiny)
    given = ["--data", relabelled, "--config", "tiny", "--folds", "3", "--store", tmp_path / "store"]
    checkpoint = _run("fit", *given, "--epochs", "1").splitlines()[-1]
    target = tmp_path / "bundle"
    figures = json.loads(_run("export", checkpoint, *given, "--target", target))
    card = (target / "MODEL_CARD.md").read_text()
    for words in (
        "The herbarium, 90 images; CC0-1.0",
        "3 diagnoses: fern (Wood fern), kelp (Giant kelp), moss (Peat moss); malignant, as the collection says: kelp.",
        "Of the malignant diagnoses, Giant kelp is found worst",
        "Diagnoses confirmed by: follow_up 50 %, under the lens 44 %",
        "It knows 3 diagnoses of The herbarium",
    ):
        assert words in card
    for foreign in ("HAM10000", "akiec", "bcc", "elanoma", "histopatholog", "Vienna", "Queensland", "Seven", "dermato"):
        assert foreign not in card
    assert re.search(r"^\| kelp \| \d+ \| .* \| yes \|$", card, re.MULTILINE)
    assert re.search(r"^\| moss \| \d+ \| .* \| no \|$", card, re.MULTILINE)
    assert 0 <= figures["auc_malignant_16"] <= 1
    assert "melanoma_p_at_5" not in figures
    assert figures["version"] == open_bundle(target).manifest.version
    assert re.fullmatch(r"the-herbarium-\d{4}\.\d\d\.\d\d-[0-9a-f]{8}", figures["version"])


def test_fit__refuses_to_go_on_with_a_run_on_another_collection(
    clinic: Path, nih: Path, tiny: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(CONFIGS, "tiny", tiny)
    given = ["--config", "tiny", "--store", str(tmp_path / "store"), "--epochs", "1", "--folds", "3"]
    _run("fit", "--data", clinic, "--mapping", tmp_path / "clinic.toml", *given)
    outcome = CliRunner().invoke(app, ["fit", "--data", str(nih), *given])
    assert outcome.exit_code == 1
    assert "begun on a collection with the diagnoses naevus, wart; this one has Cardiomegaly" in outcome.stderr


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (["--mapping", "derm7pt"], "there is no mapping 'derm7pt'; known: ham10000, isic, nih, or a TOML file"),
        (
            ["--mapping", "nih"],
            "has the columns Image Index, Patient ID, Finding Labels: cases.csv has File, Mole, Label",
        ),
        ([], "neither a download of HAM10000, ISIC, NIH nor described by a collection.toml: cases.csv has File"),
        (["--config", "best"], "there is no configuration 'best'"),
        (["--split", "most"], "there is no split 'most'; there are prove, ship"),
        (["--data", "nowhere"], "'nowhere' is no folder; name one with a collection, or phantoms"),
        (["--data", "phantoms:many"], "'phantoms:many' is no number of phantoms"),
    ],
)
def test_fit__says_in_a_line_what_is_wrong(clinic: Path, tmp_path: Path, given: list[str], words: str) -> None:
    arguments = ["fit", "--data", str(clinic), "--config", "debug", "--store", str(tmp_path / "store"), *given]
    outcome = CliRunner().invoke(app, arguments)
    assert outcome.exit_code == 1
    assert outcome.stderr.startswith("casekin-train: ")
    assert words in outcome.stderr
    assert outcome.stderr.count("\n") == 1


def test_collection__says_which_fold_is_empty(clinic: Path, tmp_path: Path) -> None:
    lines = (clinic / "cases.csv").read_text().splitlines()
    (clinic / "cases.csv").write_text("\n".join(lines[:3]))
    config = DataConfig(mapping=str(tmp_path / "clinic.toml"))
    with pytest.raises(BadInput, match=r"train_folds \(2, 3, 4\) hold no case; there are 0: 2"):
        Collection(clinic, tmp_path / "cache", config, seed=1)


def test_collection__knows_all_labels_of_an_image(nih: Path, tmp_path: Path) -> None:
    collection = Collection(nih, tmp_path / "cache", DataConfig(height=32, width=32, train_folds=(0, 2, 3, 4)), seed=1)
    assert collection.many_labels
    assert collection.classes == ["Cardiomegaly", "Effusion", "Hernia", "Infiltration", "No Finding"]
    for case, row in zip(collection.cases, collection.label_matrix, strict=True):
        assert {collection.classes[number] for number in np.flatnonzero(row)} == set(case.diagnoses)
        assert case.diagnosis == case.diagnoses[0]


def test_collection__shows_the_first_label_in_the_order_of_the_description(tmp_path: Path) -> None:
    folder = tmp_path / "clinic"
    folder.mkdir()
    described = "".join(f'[[diagnoses]]\ncode = "{code}"\nname = "{code}"\n' for code in ("zoster", "burn", "acne"))
    (folder / "collection.toml").write_text(CLINIC.replace("[columns]", 'separator = "+"\n[columns]') + described)
    labels = ["acne+zoster", "acne+burn", "zoster", "burn+acne", "acne"]
    rows = [(f"{n}.jpg", f"mole {n}", labels[n % 5]) for n in range(30)]
    for number, row in enumerate(rows):
        (folder / row[0]).write_bytes(tinted((100, 80, 60), number))
    write_csv(folder / "cases.csv", ("File", "Mole", "Label"), rows)
    config = DataConfig(height=32, width=32, folds=3, train_folds=(0, 2))
    collection = Collection(folder, tmp_path / "cache", config, seed=1)
    expected = [("zoster", "acne"), ("burn", "acne"), ("zoster",), ("burn", "acne"), ("acne",)]
    assert collection.classes == ["acne", "burn", "zoster"]
    for case, label, row in zip(collection.cases, collection.labels, collection.label_matrix, strict=True):
        shown = expected[int(case.id.removesuffix(".jpg")) % 5]
        assert (case.diagnosis, case.diagnoses) == (shown[0], shown)
        assert collection.classes[label] == shown[0]
        assert [collection.classes[number] for number in np.flatnonzero(row)] == sorted(shown)


def test_drawn_shares__are_what_batches_hold(nih: Path, tmp_path: Path) -> None:
    config = DataConfig(height=32, width=32, train_folds=(0, 2, 3, 4), balance=0.7)
    collection = Collection(nih, tmp_path / "cache", config, seed=1)
    met = np.zeros(len(collection.classes))
    epochs = 40
    for epoch in range(epochs):
        collection.sampler.set_epoch(epoch)
        drawn = [collection.train_positions[index] for index in collection.sampler]
        met += collection.label_matrix[drawn].mean(0) / epochs
    np.testing.assert_allclose(met, collection.drawn_shares(), atol=0.01)
    assert collection.drawn_shares().sum() > 1


def test_drawn_shares__of_one_label_each_sum_to_one(collection_folder: Path, tmp_path: Path, tiny: Config) -> None:
    collection = Collection(collection_folder, tmp_path, tiny.data, seed=1)
    assert not collection.many_labels
    assert collection.drawn_shares().sum() == pytest.approx(1)
    np.testing.assert_allclose(collection.drawn_shares(), collection.sampler.shares)


def test_read_collection__knows_what_the_collection_calls_malignant(tmp_path: Path) -> None:
    found = read_collection(write_isic(tmp_path, 6)).vocabulary()
    assert set(found.malignant) == {"Melanoma Invasive", "Basal cell carcinoma"}
