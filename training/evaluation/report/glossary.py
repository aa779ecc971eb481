"""Names of figures and groups, for the page and the model card."""

FIGURES = {
    "p_at_1_macro": "first match right, mean over diagnoses",
    "p_at_1_micro": "first match right, mean over queries",
    "p_at_5_macro": "share right of 5 matches, mean over diagnoses",
    "p_at_5_micro": "share right of 5 matches, mean over queries",
    "p_at_10_macro": "share right of 10 matches, mean over diagnoses",
    "p_at_10_micro": "share right of 10 matches, mean over queries",
    "map_10_macro": "mean average precision at 10, mean over diagnoses",
    "map_10_micro": "mean average precision at 10, mean over queries",
    "knn5_balanced": "vote of 5 right, mean over diagnoses",
    "knn5_accuracy": "vote of 5 right, mean over queries",
    "knn5_balanced_by_prior": "vote of 5 divided by prior, mean over diagnoses",
    "knn5_accuracy_by_prior": "vote of 5 divided by prior, mean over queries",
    "knn16_balanced": "vote of 16 right, mean over diagnoses",
    "knn16_accuracy": "vote of 16 right, mean over queries",
    "knn16_balanced_by_prior": "vote of 16 divided by prior, mean over diagnoses",
    "knn16_accuracy_by_prior": "vote of 16 divided by prior, mean over queries",
    "melanoma_p_at_5": "share of melanomas among 5 matches of a melanoma",
    "auc_malignant_16": "AUC of malignancy by votes of 16",
    "auc_malignant_16_by_prior": "AUC of malignancy by votes of 16 divided by prior",
}
"""By the name in `evaluation.json`."""
SHORT = {
    "p_at_1_macro": "P@1",
    "p_at_1_micro": "P@1, all",
    "p_at_5_macro": "P@5",
    "knn5_balanced": "vote of 5",
    "melanoma_p_at_5": "melanoma P@5",
    "auc_malignant_16": "AUC malignant",
}
"""Of the headline figures."""
OF_DIAGNOSIS = {
    "p_at_1": "P@1",
    "p_at_5": "P@5",
    "p_at_10": "P@10",
    "map_10": "mAP@10",
    "knn5": "vote of 5",
    "knn5_by_prior": "by prior",
    "knn16": "vote of 16",
    "knn16_by_prior": "by prior",
}
"""Columns of the table by diagnosis."""
GROUPINGS = {
    "site": "Site",
    "sex": "Sex",
    "age": "Age",
    "evidence": "Confirmed by",
    "source": "Source",
    "without source": "Without source",
}
