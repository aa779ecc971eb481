import copy
import hashlib
import itertools
import json
import re
import shutil
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from pydantic import TypeAdapter

from casekin.bundle import open_bundle
from casekin.contracts.bundle import BundleManifest, FileDigest
from casekin.errors import BadInput
from training.config.guided import Config, on_split
from training.data.cases import read_collection
from training.data.collection import Collection
from training.evaluation.evaluate import Measured
from training.evaluation.metrics import retrieval_metrics
from training.evaluation.systems import BundleSystem, learned_from
from training.export.bundle import content_version, export
from training.export.onnx_graphs import ParityLost, without_shuffles, write_graph
from training.export.quantise import FIRST_BLOCK
from training.export.renew_card import renew_card
from training.fit.feature_pca import CondenseConfig, condense
from training.fit.fit import module_for
from training.latent_space.axes import Axes, spread_to_power
from training.latent_space.calibrate import held_out_calibration
from training.latent_space.clinical_metric import temperature
from training.latent_space.figures import figures, rebuilt_by
from training.latent_space.held_out import read_proof
from training.latent_space.naming import dimension_names
from training.latent_space.recalibrate import recalibrate
from training.latent_space.study import Study
from training.models.guided_vae import Decoder


@pytest.fixture(scope="module")
def study(collection_folder: Path, tiny: Config, tmp_path_factory: pytest.TempPathFactory) -> Study:
    torch.manual_seed(0)
    collection = Collection(collection_folder, tmp_path_factory.mktemp("pixels"), tiny.data, tiny.seed)
    condensing = CondenseConfig(diagnosis_dimensions=5)
    network = condense(module_for(tiny, collection).averaged.eval(), collection, condensing, tiny.augment)
    return Study(tiny.data, network, tiny.flat() | condensing.flat(), collection, collection_folder)


@pytest.fixture(scope="module")
def exported(study: Study, tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("bundles") / "tiny"
    with pytest.MonkeyPatch.context() as patch:
        # Whether an int8 encoder finds as well in a dozen queries is chance; these tests are of the float one.
        patch.setattr("training.export.bundle.WITHIN", -1)
        export(study, target, "tiny-1")
    return target


def _run(path: Path, **given: np.ndarray) -> list[np.ndarray]:
    session = onnxruntime.InferenceSession(path)
    return [np.asarray(out) for out in session.run(None, {k: v.astype(np.float32) for k, v in given.items()})]


def test_export__writes_a_bundle_that_serving_accepts(exported: Path) -> None:
    manifest = open_bundle(exported).manifest
    assert manifest.version == "tiny-1"
    assert manifest.classes == ["bcc", "mel", "nv"]
    assert np.mean(manifest.clinical_weights) == pytest.approx(1)
    assert manifest.provenance.recipe["data.validation_folds"] == "1"
    for points in manifest.similarity.values():
        assert all(a.distance < b.distance and a.share >= b.share for a, b in itertools.pairwise(points))
    for dimension in manifest.dimensions:
        assert sorted(dimension.quantiles.values()) == list(dimension.quantiles.values())


def test_export__lists_the_diagnoses_in_the_order_of_the_head(exported: Path, study: Study) -> None:
    system, collection = BundleSystem(exported), study.collection
    guessed = system.probabilities(system.embed(np.array(collection.pixels))).argmax(1)
    right = [system.classes[number] == case.diagnosis for number, case in zip(guessed, collection.cases, strict=True)]
    assert np.mean(right) > 0.8, "colours tell these diagnoses"


def test_study__chooses_on_the_validation_fold_and_reports_the_test_fold(study: Study, exported: Path) -> None:
    learned = learned_from(open_bundle(exported).manifest.provenance)
    assert (learned.weights, learned.choices) == ({2, 3, 4}, {1})
    assert study.folds.test == (0,)
    metrics = open_bundle(exported).manifest.metrics
    assert metrics["validation_knn5_balanced"] == pytest.approx(
        retrieval_metrics(
            study.labelled((1,)), study.labelled((2, 3, 4)), study.clinical_weights, study.collection.vocabulary
        )["knn5_balanced"],
        abs=1e-6,
    )
    held_out = held_out_calibration(study).measured
    assert open_bundle(exported).manifest.held_out_agreement == held_out.agreement
    assert held_out.agreement["clinical"]["nv"] == pytest.approx(held_out.by_diagnosis["nv"]["p_at_10"].value, abs=1e-4)
    said = "weights and calibration chosen on fold 1, figures with queries of fold 0, by which nothing of this run was"
    assert said in open_bundle(exported).manifest.provenance.protocol


def test_study__does_not_open_the_test_fold_where_runs_are_compared(study: Study, tiny: Config, tmp_path: Path) -> None:
    compared = Study(tiny.data, study.network, {}, study.collection, tmp_path, compared=True)
    assert (compared.folds.train, compared.folds.test, compared.folds.gallery) == ((2, 3, 4), (1,), (2, 3, 4))


def test_study__says_where_the_queries_chose_too(study: Study, tiny: Config, tmp_path: Path) -> None:
    without = replace(tiny.data, train_folds=(1, 2, 3, 4), validation_folds=())
    flattered = Study(without, study.network, {}, study.collection, tmp_path)
    assert "queries of fold 0, by which weights and calibration were chosen too" in flattered.protocol


def test_study__fits_the_temperature_to_held_out_lesions(study: Study) -> None:
    # Sure and right on the training folds; as sure and right every second time on the held-out one.
    held_out, labels = study.rows(study.folds.held_out), study.encoded.labels

    def logits(rows: np.ndarray) -> np.ndarray:
        wrong = np.isin(rows, held_out) & (rows % 2 == 1)
        return 5.0 * np.eye(3)[(labels[rows] + wrong) % 3]

    other = copy.copy(study)
    vars(other).pop("temperature", None)
    vars(other)["logits"] = logits
    assert temperature(logits(study.rows(study.folds.train)), labels[study.rows(study.folds.train)]) < 1
    assert other.temperature == temperature(logits(held_out), labels[held_out]) > 2


def test_export__hashes_each_graph(exported: Path) -> None:
    manifest = BundleManifest.model_validate(json.loads((exported / "bundle.json").read_text()))
    for name, digest in manifest.files.items():
        assert hashlib.sha256((exported / name).read_bytes()).hexdigest() == digest.sha256


def test_export__graphs_in_a_row_do_what_the_network_does(exported: Path, study: Study) -> None:
    manifest = open_bundle(exported).manifest
    pixels = np.array(study.collection.pixels[:5]).transpose(0, 3, 1, 2) / 255
    mean, _ = _run(exported / "encoder.onnx", image=pixels)
    latent = (mean - [d.mean for d in manifest.dimensions]) / [d.std for d in manifest.dimensions]
    np.testing.assert_allclose(latent, study.latents[:5], atol=2e-3)
    (image,) = _run(exported / "decoder.onnx", latent=latent)
    (probabilities,) = _run(exported / "head.onnx", latent=latent)
    with torch.no_grad():
        raw = study.network.encoder(torch.from_numpy(pixels).float()).mean.double()
        turned = (raw.numpy() - study.axes.centre) @ study.axes.matrix.T
        raw = torch.from_numpy(turned @ study.axes.inverse.T + study.axes.centre).float()
        expected = study.network.decoder(raw).numpy()
        logits = study.network.logits(raw).numpy() + study.log_prior
    np.testing.assert_allclose(image, expected, atol=1e-3)
    np.testing.assert_allclose(probabilities, torch.softmax(torch.tensor(logits / study.temperature), 1), atol=1e-3)


def test_export__standardised_latents_of_the_training_folds_have_mean_0_and_spread_1(study: Study) -> None:
    train = study.labelled(study.folds.train).latents
    np.testing.assert_allclose(train.mean(0), 0, atol=1e-4)
    np.testing.assert_allclose(train.std(0), 1, atol=1e-4)


def test_export__graphs_are_single_files_with_a_free_batch_axis(exported: Path) -> None:
    for path in exported.glob("*.onnx"):
        graph = onnx.load(path, load_external_data=False).graph
        assert not any(tensor.external_data for tensor in graph.initializer)
        for value in [*graph.input, *graph.output]:
            assert value.type.tensor_type.shape.dim[0].dim_param


def test_export__replaces_a_bundle_as_a_whole_and_leaves_nothing_beside_it(study: Study, tmp_path: Path) -> None:
    target = tmp_path / "bundles" / "default"
    target.mkdir(parents=True)
    (target / "left over").touch()
    export(study, target, "tiny-2")
    assert sorted(path.name for path in target.iterdir()) == [
        "MODEL_CARD.md",
        "bundle.json",
        "decoder.onnx",
        "encoder.onnx",
        "head.onnx",
        "measured.json",
    ]
    assert [path.name for path in target.parent.iterdir()] == ["default"]


def test_export__takes_an_int8_encoder_only_where_it_finds_as_well(
    study: Study, exported: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def operators(bundle: Path) -> set[str]:
        return {node.op_type for node in onnx.load(bundle / "encoder.onnx").graph.node}

    monkeypatch.setattr("training.export.bundle.WITHIN", 1.0)
    monkeypatch.setattr("training.export.bundle.latency", lambda graph, _: 1.0 if "int8" in graph.name else 2.0)
    manifest = export(study, tmp_path / "small", "tiny-3")
    assert (manifest.metrics["int8_kept"], manifest.metrics["encoder_ms"]) == (1, 1)
    assert "QuantizeLinear" in operators(tmp_path / "small")
    assert "QuantizeLinear" not in operators(exported)
    graph = onnx.load(tmp_path / "small" / "encoder.onnx").graph
    dequantised = {name for node in graph.node if node.op_type == "DequantizeLinear" for name in node.output}
    blocks = {
        int(found[1]): node.input[0] in dequantised
        for node in graph.node
        if (found := re.search(r"blocks\.(\d+)/depthwise.*Conv", node.name)) and node.op_type == "Conv"
    }
    assert blocks == {number: number >= FIRST_BLOCK for number in range(16)}


def test_export__leaves_an_int8_encoder_that_saves_little(
    study: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("training.export.bundle.WITHIN", 1.0)
    monkeypatch.setattr("training.export.bundle.latency", lambda graph, _: 1.4 if "int8" in graph.name else 2.0)
    manifest = export(study, tmp_path / "whole", "tiny-4")
    assert (manifest.metrics["int8_kept"], manifest.metrics["encoder_ms"]) == (0, 2)


def test_export__names_a_bundle_by_collection_date_and_content(
    study: Study, exported: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("training.export.bundle.WITHIN", -1)
    created = datetime(2026, 11, 29, tzinfo=UTC)
    first = export(study, tmp_path / "one", created=created)
    assert re.fullmatch(r"ham10000-2026\.11\.29-[0-9a-f]{8}", first.version)
    same = first.model_copy(update={"version": "x", "metrics": {}, "clinical_weights": first.clinical_weights[::-1]})
    assert content_version(same) == first.version
    moved = first.dimensions[0].model_copy(update={"mean": first.dimensions[0].mean + 1e-6})
    for change in (
        {"dimensions": [moved, *first.dimensions[1:]]},
        {"files": first.files | {"encoder.onnx": FileDigest(sha256="0" * 64, size=1)}},
    ):
        assert content_version(first.model_copy(update=change)) != first.version


def test_export__refuses_another_model_under_the_version_that_is_there(
    study: Study, exported: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("training.export.bundle.WITHIN", -1)
    target = shutil.copytree(exported, tmp_path / "bundle")
    before = {file.name: file.read_bytes() for file in target.iterdir()}
    other = copy.copy(study)
    other.network = copy.deepcopy(study.network)
    with torch.no_grad():
        other.network.decoder.linear.bias.add_(0.1)
    with pytest.raises(BadInput, match="holds another model under version tiny-1"):
        export(other, target, "tiny-1")
    assert {file.name: file.read_bytes() for file in target.iterdir()} == before
    export(other, target, "tiny-9")


@pytest.mark.parametrize(
    ("title", "slug"),
    [("Our Clinic, Wien (2026)", "our-clinic-wien-2026"), ("皮膚科", "collection"), ("x" * 120, "x" * 32)],
)
def test_content_version__is_valid_for_any_title(exported: Path, title: str, slug: str) -> None:
    manifest = open_bundle(exported).manifest
    provenance = manifest.provenance.model_copy(update={"data": f"{title}, 60 images"})
    version = content_version(manifest.model_copy(update={"provenance": provenance}))
    assert version.startswith(f"{slug}-2")
    BundleManifest.model_validate(manifest.model_dump() | {"version": version})


def test_bundle_system__gives_the_features_that_the_latent_is_condensed_from(exported: Path, study: Study) -> None:
    pixels = np.array(study.collection.pixels[:40])
    features = BundleSystem(exported).features(pixels)
    assert features is not None
    with torch.no_grad():
        images = torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 255
        expected = study.network.encoder.pooled(images).numpy()
    np.testing.assert_allclose(features, expected, atol=1e-3)


def test_model_card__names_data_licence_figures_and_limits(exported: Path) -> None:
    card = (exported / "MODEL_CARD.md").read_text()
    for words in ("HAM10000", "CC BY-NC 4.0", "Tschandl", "does not diagnose", "first match right", "## Limits"):
        assert words in card


def test_export__stores_the_evidence_for_each_name_and_the_card_shows_it(exported: Path, study: Study) -> None:
    manifest, card = open_bundle(exported).manifest, (exported / "MODEL_CARD.md").read_text()
    named = dimension_names(study)
    assert [(d.name, d.evidence) for d in manifest.dimensions] == [(one.name, one.evidence) for one in named]
    assert len({one.name.casefold() for one in named}) == len(named)
    assert not {one.name.casefold() for one in named} & {"melanoma", "melanocytic nevus", "basal cell carcinoma", "mel"}
    known = [d for d in manifest.dimensions[: study.diagnosis_dimensions] if d.evidence is not None]
    assert known
    for dimension in known:
        evidence = dimension.evidence
        assert evidence is not None
        assert evidence.images == 12, "of fold 1, which calibrates"
        figure = f"{evidence.value:.3f} ({evidence.low:.3f} to {evidence.high:.3f})"
        weight = manifest.clinical_weights[dimension.index]
        what = "AUC" if evidence.figure == "auc" else "rank correlation"
        assert f"| {dimension.index + 1} | {dimension.name} | {weight:.2f} | {what} {figure} |" in card
    proof = read_proof(exported)
    assert proof.evidence == {one.name: one.evidence for one in named if one.evidence}
    names = [one.name for one in named[: study.diagnosis_dimensions]]
    assert list(proof.chosen) == [name for name in names if not name.startswith("Dimension ")]


def test_model_card__gives_squared_error_beside_that_of_components(exported: Path) -> None:
    card, metrics = (exported / "MODEL_CARD.md").read_text(), open_bundle(exported).manifest.metrics
    change = metrics["mse_pca"] / metrics["mse"] - 1
    said = f"(PCA: {metrics['mse_pca']:.5f}, {abs(change):.0%} {'larger' if change > 0 else 'smaller'})"
    assert said in card


def test_renew_card__writes_the_same_card_from_the_bundle_alone(
    exported: Path, collection_folder: Path, tmp_path: Path
) -> None:
    bundle = shutil.copytree(exported, tmp_path / "tiny")
    card, measured = (bundle / "MODEL_CARD.md").read_text(), (bundle / "measured.json").read_bytes()
    (bundle / "MODEL_CARD.md").unlink()
    (bundle / "measured.json").unlink()
    renew_card(bundle, bundle, read_collection(collection_folder), tmp_path / "store")
    again = (bundle / "MODEL_CARD.md").read_text()
    figures = re.compile(r"\d\.\d+(?:e-\d+)?")
    assert figures.sub("#", again) == figures.sub("#", card)
    ours, theirs = (
        TypeAdapter(Measured).validate_json(text).figures
        for text in ((bundle / "measured.json").read_bytes(), measured)
    )
    assert ours["clinical"]["knn5_balanced"].value == pytest.approx(theirs["clinical"]["knn5_balanced"].value, abs=0.1)


def test_renew_card__queries_the_test_fold_of_another_clinic(
    exported: Path, collection_folder: Path, tmp_path: Path
) -> None:
    # Another clinic's collection in the same form, whose folds are a hash of its lesions.
    clinic = shutil.copytree(collection_folder, tmp_path / "clinic", ignore=shutil.ignore_patterns("folds.csv"))
    bundle = shutil.copytree(exported, tmp_path / "tiny")
    card = renew_card(bundle, bundle, read_collection(collection_folder), tmp_path / "store", [clinic])
    (found,) = TypeAdapter(Measured).validate_json((bundle / "measured.json").read_bytes()).other_clinics
    kept_apart = [case for case in read_collection(clinic).cases if case.fold == 0]
    assert (found.folds, found.queries) == ([0], len(kept_apart))
    assert f"| HAM10000 | 0 | {found.queries} | {found.lesions} |" in card


def test_renew_card__refuses_a_bundle_that_was_trained_on_all_folds(
    exported: Path, collection_folder: Path, tmp_path: Path
) -> None:
    bundle = shutil.copytree(exported, tmp_path / "tiny")
    manifest = json.loads((bundle / "bundle.json").read_text())
    manifest["provenance"]["recipe"]["data.train_folds"] = "0 1 2 3 4"
    (bundle / "bundle.json").write_text(json.dumps(manifest))
    with pytest.raises(BadInput, match="trained on all folds of this collection: name the proof"):
        renew_card(bundle, bundle, read_collection(collection_folder), tmp_path / "store")


def test_model_card__gives_figures_with_intervals_by_diagnosis_and_by_group(exported: Path, study: Study) -> None:
    card = (exported / "MODEL_CARD.md").read_text()
    found = held_out_calibration(study).measured
    first = found.figures["clinical"]["p_at_1_macro"]
    assert first.value == pytest.approx(figures(study, rebuilt_by(study))["p_at_1_macro"])
    assert (
        f"| first match right, mean over diagnoses | {first.value:.3f} ({first.low:.3f} to {first.high:.3f}) |" in card
    )
    assert re.search(rf"^\| mel \| {found.queries['mel']} \| .* \| yes \|$", card, re.MULTILINE)
    # The tiny collection has twelve queries, all of one group: too few to say anything of it.
    assert "| Sex: male | 12 | 8 | 0 | too small |" in card
    assert "Site: back" in card
    assert "Age: 45 to 59" in card


def test_model_card__says_how_the_diagnosis_dimensions_came_about(exported: Path) -> None:
    card = (exported / "MODEL_CARD.md").read_text()
    assert "32 x 64 px, mean of two mirrored views" in card
    assert "5 dimensions are principal components of roots of features that were learned for diagnosis" in card


def test_write_graph__refuses_a_graph_that_differs_from_torch(tmp_path: Path) -> None:
    class Fickle(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x + (1.0 if torch.onnx.is_in_onnx_export() else 0.0)

    with pytest.raises(ParityLost, match="limit is 1e-04"):
        write_graph(Fickle(), torch.zeros(3, 2), tmp_path / "fickle.onnx", "x", ["y"])


def test_without_shuffles__draws_the_same_images(tiny: Config) -> None:
    torch.manual_seed(2)
    decoder = Decoder(tiny.model).requires_grad_(False)
    for parameter in decoder.parameters():  # the last convolution begins at zero, and would hide the rest
        parameter.copy_(torch.randn_like(parameter) * 0.1)
    quicker = without_shuffles(decoder)
    assert not any(isinstance(layer, torch.nn.PixelShuffle) for layer in quicker.modules())
    latents = torch.randn(3, tiny.model.dimensions)
    drawn = decoder(latents)
    assert ((drawn > 0) & (drawn < 1)).float().mean() > 0.1
    torch.testing.assert_close(quicker(latents), drawn, atol=1e-5, rtol=0)


def test_axes__order_diagnosis_dimensions_by_clinical_weight_before_appearance(study: Study, tiny: Config) -> None:
    assert isinstance(study.axes, Axes)
    guided = tiny.model.diagnosis_dimensions
    assert study.axes.matrix.shape == (tiny.model.dimensions, tiny.model.dimensions)
    assert not study.axes.matrix[:guided, guided:].any()
    assert not study.axes.matrix[guided:, :guided].any()
    assert (np.diff(study.clinical_weights[:guided]) <= 0).all()


def test_axes__give_diagnosis_dimensions_the_distance_of_the_learned_power(study: Study, tiny: Config) -> None:
    guided = tiny.model.diagnosis_dimensions
    rows = study.rows(study.folds.train)
    means = study.encoded.means[rows, :guided]
    theirs = means @ spread_to_power(means, study.metric.power)
    ours = study.latents[rows, :guided] * np.sqrt(study.clinical_weights[:guided])
    here, there = (np.linalg.norm(values[1:] - values[0], axis=1) for values in (ours, theirs))
    np.testing.assert_allclose(here / there, here[0] / there[0], rtol=1e-3)


def test_export__of_a_network_that_saw_all_takes_what_its_proof_held(
    exported: Path, study: Study, tiny: Config, collection_folder: Path, tmp_path: Path
) -> None:
    ship = on_split(tiny, "ship").data
    collection = Collection(collection_folder, tmp_path, ship, tiny.seed)
    held = read_proof(exported)
    all_seen = Study(ship, study.network, tiny.flat(), collection, collection_folder, held)
    manifest = export(all_seen, tmp_path / "bundle", "tiny-ship")
    proof = open_bundle(exported).manifest
    assert manifest.similarity == proof.similarity
    assert manifest.neighbours == proof.neighbours
    assert manifest.metrics["p_at_1_macro"] == proof.metrics["p_at_1_macro"]
    assert "trained on folds 0, 1, 2, 3, 4 and has no figures of its own" in manifest.provenance.protocol
    guided = tiny.model.diagnosis_dimensions
    assert manifest.clinical_weights[guided] / np.mean(manifest.clinical_weights[:guided]) == pytest.approx(
        held.metric.share
    )
    assert all_seen.metric == held.metric
    chosen = [name for name in all_seen.ranking_names if name]
    assert set(chosen) == set(held.chosen)
    ours = {d.name: d.evidence for d in manifest.dimensions[:guided]}
    assert {name: ours[name] for name in chosen} == {name: held.evidence.get(name) for name in chosen}
    with pytest.raises(BadInput, match="no fold was held out to calibrate by"):
        Study(ship, study.network, tiny.flat(), collection, collection_folder)


def test_read_proof__refuses_a_bundle_that_proves_nothing(exported: Path, tmp_path: Path) -> None:
    (tmp_path / "bundle.json").write_bytes((exported / "bundle.json").read_bytes())
    with pytest.raises(BadInput, match=r"tiny-1 .* proves no recipe"):
        read_proof(tmp_path)


def test_recalibrate__finds_what_the_export_found_and_leaves_all_else(
    exported: Path, collection_folder: Path, tmp_path: Path
) -> None:
    bundle = tmp_path / "tiny"
    shutil.copytree(exported, bundle)
    before = open_bundle(exported).manifest
    forgotten = before.model_copy(
        update={"similarity": {preset: [] for preset in before.similarity}, "neighbours": None}
        | {"similarity_by_diagnosis": {}}
    )
    (bundle / "bundle.json").write_text(forgotten.model_dump_json())
    made = recalibrate(bundle, read_collection(collection_folder), tmp_path / "store")
    assert open_bundle(bundle).manifest == made
    calibrated = ("similarity", "similarity_by_diagnosis", "neighbours")
    assert made.model_copy(update={name: getattr(before, name) for name in calibrated}) == before
    for preset, points in before.similarity.items():
        told = [[(point.distance, point.share) for point in one] for one in (made.similarity[preset], points)]
        np.testing.assert_allclose(*told, atol=5e-3)
    assert made.neighbours is not None
    assert before.neighbours is not None
    for preset, calibration in before.neighbours.presets.items():
        again = made.neighbours.presets[preset]
        assert again.conformal == pytest.approx(calibration.conformal, abs=1e-2)
        assert [list(model.added) for model in again.similarity] == [list(m.added) for m in calibration.similarity]
    assert made.similarity_by_diagnosis["clinical"].keys() == before.similarity_by_diagnosis["clinical"].keys()


def test_recalibrate__takes_the_calibration_of_the_proof_that_is_named(
    exported: Path, collection_folder: Path, tmp_path: Path
) -> None:
    bundle, collection = tmp_path / "tiny", read_collection(collection_folder)
    shutil.copytree(exported, bundle)
    text = json.loads((bundle / "bundle.json").read_text())
    text["provenance"]["recipe"] |= {"data.train_folds": "0 1 2 3 4", "data.validation_folds": "", "held.folds": ""}
    (bundle / "bundle.json").write_text(json.dumps(text))
    with pytest.raises(BadInput, match="name the proof"):
        recalibrate(bundle, collection, tmp_path / "store")
    made, proof = recalibrate(bundle, collection, tmp_path / "store", exported), open_bundle(exported).manifest
    assert made.neighbours is not None
    assert proof.neighbours is not None
    for preset, calibration in proof.neighbours.presets.items():
        assert made.neighbours.presets[preset].conformal == pytest.approx(calibration.conformal, abs=1e-2)
    assert made.provenance.recipe["data.train_folds"] == "0 1 2 3 4"


def test_recalibrate__refuses_a_bundle_that_held_nothing_back(
    exported: Path, collection_folder: Path, tmp_path: Path
) -> None:
    bundle = tmp_path / "tiny"
    shutil.copytree(exported, bundle)
    text = json.loads((bundle / "bundle.json").read_text())
    text["provenance"]["recipe"] = {"data.train_folds": "1 2 3 4"}
    (bundle / "bundle.json").write_text(json.dumps(text))
    with pytest.raises(BadInput, match="held out no lesion"):
        recalibrate(bundle, read_collection(collection_folder), tmp_path / "store")
    assert json.loads((bundle / "bundle.json").read_text()) == text
