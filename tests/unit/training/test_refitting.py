import numpy as np
import pytest
import torch

from training.config import Config
from training.data import Collection
from training.encoding import encode
from training.evaluation.figures import retrieval_metrics
from training.fitting import module_for
from training.models import GuidedVAE
from training.refitting import RefitConfig, refit


@pytest.fixture
def before(collection: Collection, tiny: Config) -> GuidedVAE:
    """Untrained."""
    torch.manual_seed(0)
    return module_for(tiny, collection).averaged.eval()


def test_refit__draws_each_diagnosis_together_and_leaves_the_rest(
    collection: Collection, before: GuidedVAE, tiny: Config
) -> None:
    after = refit(before, collection, RefitConfig(epochs=60, batch_size=12, dropout=0.2, noise=0.3))
    guided, folds = tiny.model.diagnosis_dimensions, tiny.data.train_folds
    encoded, again = (encode(network, collection) for network in (before, after))
    np.testing.assert_array_equal(encoded.means[:, guided:], again.means[:, guided:])
    np.testing.assert_allclose(encoded.log_variances, again.log_variances, atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(again.means[:, :guided], axis=1), guided**0.5, rtol=1e-4)

    def right(found: object) -> float:
        cases = found.select(folds, found.means[:, :guided])  # type: ignore[attr-defined]
        return retrieval_metrics(cases, cases, np.ones(guided), collection.classes)["p_at_5_macro"]

    assert right(again) > max(0.9, right(encoded))
    assert not torch.equal(before.head.weight, after.head.weight)


def test_refit__brings_malignant_diagnoses_nearer_to_one_another(
    collection: Collection, before: GuidedVAE, tiny: Config
) -> None:
    guided, classes = tiny.model.diagnosis_dimensions, collection.classes
    assert set(classes) & set(collection.source.malignant) == {"bcc", "mel"}

    def alike(malignancy: float) -> float:
        config = RefitConfig(epochs=60, batch_size=12, dropout=0.2, noise=0.3, malignancy=malignancy)
        cases = encode(refit(before, collection, config), collection)
        means = {c: cases.means[cases.labels == classes.index(c), :guided].mean(0) for c in classes}
        return float(means["bcc"] @ means["mel"]) - float(means["bcc"] @ means["nv"])

    assert alike(1.0) > alike(0.0) + 0.1


def test_refit__of_no_epochs_changes_nothing(collection: Collection, before: GuidedVAE) -> None:
    after = refit(before, collection, RefitConfig(epochs=0))
    assert all(torch.equal(a, b) for a, b in zip(before.parameters(), after.parameters(), strict=True))
