from casekin.contracts.bundle import EXAMPLE, BundleManifest, NameEvidence
from services.ui.presentation.evidence import evidence_by_dimension

STREAKS = NameEvidence(
    figure="auc",
    value=0.824,
    low=0.75,
    high=0.881,
    p=0.005,
    images=313,
    positive=11,
    lesions=300,
    data="another clinic",
)
SIZE = NameEvidence(
    figure="rank_correlation", value=0.5, low=0.4, high=0.6, p=0.005, images=900, lesions=700, data="HAM10000"
)


def test_evidence__is_said_in_words_for_the_models_own_names_only() -> None:
    dimension = BundleManifest.model_validate(EXAMPLE).dimensions[0]
    given = [
        dimension.model_copy(update={"name": name, "evidence": evidence})
        for name, evidence in (("Streaks", STREAKS), ("Size", SIZE), ("Redness", SIZE), ("Dimension 4", None))
    ]
    assert evidence_by_dimension(given, ["Streaks", "Size", "Warmth", "Dimension 4"]) == [
        "Evidence for the name: area under the ROC curve 0.82 (95 % interval 0.75 to 0.88) on 313 images of 300 "
        "lesions, 11 of which have it, from another clinic, which the model was not trained on.",
        "Evidence for the name: rank correlation 0.50 (95 % interval 0.40 to 0.60) on 900 images of 700 lesions, "
        "from HAM10000, which the model was not trained on.",
        "",
        "",
    ]
