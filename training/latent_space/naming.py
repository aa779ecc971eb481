"""Default names of latent dimensions, each with what held-out lesions say for it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from casekin.contracts.bundle import NameEvidence
from training.latent_space.axes import Floats, standardised
from training.latent_space.evidence import auc_evidence, correlation_evidence
from training.latent_space.held_out import UNNAMED
from training.latent_space.named_axes import unlike
from training.latent_space.study import Study

LEAST_CORRELATION = 0.5
"""Of an appearance dimension with what it is named after."""
LEAST_EVIDENCE = {"auc": 0.65, "rank_correlation": 0.3}
"""On held-out lesions: what falls short loses its name. A little below what training lesions had to show, so that
chance seldom decides."""
SIGNIFICANT = 0.05
"""Largest share of permutations that may reach the evidence of a name."""
SET_APART = " (appearance)"
"""Behind the name of an appearance dimension that follows the same measure as a ranking dimension."""


@dataclass(frozen=True)
class Named:
    """Default name of a dimension."""

    name: str
    evidence: NameEvidence | None = None


def dimension_names(study: Study) -> list[Named]:
    """Return the name of each of D dimensions; its number where nothing that has a name goes with it.

    No two are alike, and none is called exactly like a diagnosis. Evidence is measured on the held-out folds, whose
    lesions the network was not trained on, or is that of the proof for the same name; a name that it speaks against is
    dropped.
    """
    train, guided = study.rows(study.folds.train), study.diagnosis_dimensions
    factors = study.factors
    follows = study.ranking_names + followed(study.latents[train][:, guided:], factors.values[train], factors.names)
    vocabulary, codes = study.collection.vocabulary, study.collection.classes
    taken = {name.casefold() for code in codes for name in (code, vocabulary.name(code))}
    result = []
    for index, target in enumerate(follows):
        repeated = index >= guided and target in study.ranking_names
        name = unlike(f"{target}{SET_APART if repeated else ''}" if target else f"{UNNAMED}{index + 1}", taken)
        evidence = _evidence(study, index, target, name) if target else None
        if evidence is not None and not holds(evidence):
            name, evidence = f"{UNNAMED}{index + 1}", None
        taken.add(name.casefold())
        result.append(Named(name, evidence))
    return result


def holds(evidence: NameEvidence) -> bool:
    """Return whether a dimension may keep its name: it grows with what it is named after, by more than chance."""
    return evidence.value >= LEAST_EVIDENCE[evidence.figure] and evidence.p <= SIGNIFICANT


def followed(latents: Floats, factors: Floats, names: Sequence[str]) -> list[str | None]:
    """Return the factor that each dimension of latents [N,D] follows, or None.

    Factors are [N,F], NaN in rows without them. A factor goes to at most one dimension, the one that grows with it
    most, and only from a correlation of 0.5 on.
    """
    known = np.isfinite(factors).all(1)
    result: list[str | None] = [None] * latents.shape[1]
    if not known.any():
        return result
    correlation = standardised(latents[known]).T @ standardised(factors[known]) / known.sum()  # [D,F]
    for _ in names:
        dimension, factor = np.unravel_index(correlation.argmax(), correlation.shape)
        if correlation[dimension, factor] < LEAST_CORRELATION:
            break
        result[dimension] = names[factor]
        correlation[dimension] = correlation[:, factor] = 0
    return result


def _evidence(study: Study, index: int, target: str, name: str) -> NameEvidence | None:
    if study.proven is not None:
        return study.proven.evidence.get(name)
    attributes = study.attributes
    if attributes is not None and target in attributes.names:
        rows = attributes.in_folds(study.folds.held_out)
        values = attributes.values[rows, attributes.names.index(target)]
        scores = study.attribute_latents[rows, index]
        return auc_evidence(scores, values, attributes.groups[rows], attributes.title)
    rows = study.rows(study.folds.held_out)
    scores, lesions = study.latents[rows, index], [study.encoded.lesions[row] for row in rows]
    title = study.collection.source.info.title
    if target in study.factors.names:
        values = study.factors.values[rows, study.factors.names.index(target)]
        return correlation_evidence(scores, values, lesions, title)
    if target not in study.diagnosis_names:
        return None  # an attribute whose images are not at hand
    number = study.diagnosis_names.index(target)
    labels = study.collection.label_matrix[[study.encoded.positions[row] for row in rows], number]
    return auc_evidence(scores, labels.astype(float), lesions, title)
