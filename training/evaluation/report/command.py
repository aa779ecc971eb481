"""Write the evaluation of a bundle to a folder: the record and the pages."""

from pathlib import Path

from training.data.cases import LabelledCollection
from training.evaluation.evaluate import Evaluation, baselines, evaluate, gather
from training.evaluation.report.page import evaluation_page
from training.evaluation.report.pairs import pairs_page, refuse_project
from training.evaluation.systems import BundleSystem


def write_evaluation(
    bundle: Path,
    collection: LabelledCollection,
    target: Path,
    store: Path,
    query_folds: tuple[int, ...],
    limit: int | None = None,
) -> Evaluation:
    """Measure a bundle on a collection; write `evaluation.json`, `index.html` and `pairs.html` to `target`.

    Raises ValueError for a target inside the project, and `BundleRefused` for a bundle that serving would refuse.
    """
    refuse_project(target)
    system = BundleSystem(bundle)
    material = gather(system, collection, store, query_folds, limit)
    evaluation = evaluate(system, material, baselines(system, material, store))
    target.mkdir(parents=True, exist_ok=True)
    (target / "evaluation.json").write_bytes(evaluation.to_json())
    (target / "index.html").write_text(evaluation_page(evaluation), encoding="utf-8")
    (target / "pairs.html").write_text(pairs_page(system, material), encoding="utf-8")
    return evaluation
