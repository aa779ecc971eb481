"""Audit a split for leaks: shared lesions, equal pixels, nearly equal pictures; and the figures of a leaking split."""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from training.data.cases import LabelledCase
from training.data.image_cache import Pixels
from training.evaluation.bootstrap import Interval, retrieval_intervals
from training.evaluation.retrieval import Floats, Ints, Labelled, retrieve
from training.evaluation.split import Split, Vectors

GRID = (48, 64)
"""Height and width at which the fine structure of two images is compared."""
WINDOW = 7
"""Pixels over which light is evened out before."""
MARGIN = (8, 10)
"""Rows and columns left out at each edge: the rim of the dermatoscope looks alike in all images."""
CLIP = 20
"""Grey levels beyond which a hair or a reflex counts no more."""
ALIKE = 0.9
"""Correlation from which two images count as copies. On HAM10000 a copy under another lesion id reaches 0.99; of the
others, the most alike of 11 million pairs reaches 0.81."""
LEAKING = ("p_at_1_macro", "p_at_1_micro")


@dataclass(frozen=True)
class Copy:
    """A query and a case of the gallery that show the same picture."""

    query: str
    case: str
    correlation: float
    """Of their fine structure; 1 for equal pixels."""
    same_diagnosis: bool


@dataclass(frozen=True)
class LeakAudit:
    """Leaks of a split. For a sound one, both counts are 0 and the lists empty."""

    shared_lesions: int
    """Lesions with images among the queries and in the gallery."""
    equal_images: list[Copy]
    alike_images: list[Copy]
    """Nearly equal, mirrored ones included."""
    siblings: int
    """Queries whose lesion has another image: what the leaking figure lives on."""
    sound: dict[str, Interval]
    """Figures under this split."""
    leaking: dict[str, Interval]
    """The same if each query could find all other images, those of its own lesion included. NOT a figure of merit."""


def audit_leaks(split: Split, vectors: Vectors, pixels: Pixels) -> LeakAudit:
    """Return the audit of a split, with figures of the system `vectors`; pixels are uint8 [N,H,W,3] of all cases."""
    queries, gallery = split.queries, split.gallery
    sound, leaking = retrieval_intervals(split.retrieve(vectors)), _leaking(split, vectors)
    equal = equal_images(split.cases, queries, gallery, pixels)
    found = {(copy.query, copy.case) for copy in equal}
    alike = alike_images(split.cases, queries, gallery, pixels)
    images = Counter(case.lesion for case in split.cases)
    return LeakAudit(
        shared_lesions=len({split.cases[q].lesion for q in queries} & {split.cases[g].lesion for g in gallery}),
        equal_images=equal,
        alike_images=[copy for copy in alike if (copy.query, copy.case) not in found],
        siblings=sum(images[split.cases[q].lesion] > 1 for q in queries),
        sound={name: sound[name] for name in LEAKING},
        leaking={name: leaking[name] for name in LEAKING},
    )


def _leaking(split: Split, vectors: Vectors) -> dict[str, Interval]:
    # With image ids in place of lesion ids, only the query's own image is excluded.
    def part(rows: Ints) -> Labelled:
        return Labelled(vectors.latents[rows], split.labels[rows], [split.cases[row].id for row in rows])

    everything = np.arange(len(split.cases))
    outcomes = retrieve(part(split.queries), part(everything), vectors.weights, split.vocabulary)
    return retrieval_intervals(outcomes)


def equal_images(cases: Sequence[LabelledCase], queries: Ints, gallery: Ints, pixels: Pixels) -> list[Copy]:
    """Return the pairs of a query and a gallery case whose pixels are equal."""
    by_hash: dict[bytes, list[int]] = defaultdict(list)
    for row in gallery:
        by_hash[_hash(pixels[row])].append(int(row))
    return [_copy(cases, int(q), row, 1.0) for q in queries for row in by_hash.get(_hash(pixels[q]), [])]


def alike_images(
    cases: Sequence[LabelledCase], queries: Ints, gallery: Ints, pixels: Pixels, limit: float = ALIKE
) -> list[Copy]:
    """Return each query's most alike gallery case where both look like one picture, also mirrored or turned by 180°.

    Compared is the correlation of fine structure: grey levels less their mean over the pixels around, in the middle
    of the image. It does not feel brightness, tint or compression, and two pictures of one lesion rarely share it.
    """
    queried, known = fine_structure(pixels[queries]), _unit(fine_structure(pixels[gallery]))
    best, where = np.full(len(queries), -1.0), np.zeros(len(queries), dtype=int)
    for down, across in ((1, 1), (-1, 1), (1, -1), (-1, -1)):
        correlation = _unit(queried[:, ::down, ::across]) @ known.T  # [Q,G]
        nearest = correlation.argmax(1)
        value = correlation[np.arange(len(queries)), nearest]
        where = np.where(value > best, nearest, where)
        best = np.maximum(best, value)
    pairs = [(int(queries[q]), int(gallery[where[q]]), float(best[q])) for q in np.flatnonzero(best >= limit)]
    return [_copy(cases, *pair) for pair in sorted(pairs, key=lambda pair: -pair[2])]


def fine_structure(pixels: Pixels) -> Floats:
    """Return grey levels less their local mean [N,32,44] of images uint8 [N,H,W,3]."""
    height, width = GRID
    grey = np.stack(
        [np.asarray(Image.fromarray(p).convert("L").resize((width, height), Image.Resampling.BOX)) for p in pixels]
    ).astype(np.float32)
    windows = np.lib.stride_tricks.sliding_window_view(
        np.pad(grey, ((0, 0), (WINDOW // 2,) * 2, (WINDOW // 2,) * 2), mode="edge"), WINDOW, axis=1
    ).mean(-1)
    local = np.lib.stride_tricks.sliding_window_view(windows, WINDOW, axis=2).mean(-1)
    down, across = MARGIN
    return np.asarray(np.clip(grey - local, -CLIP, CLIP)[:, down:-down, across:-across])


def _unit(structure: Floats) -> Floats:
    flat = structure.reshape(len(structure), -1)
    flat = flat - flat.mean(1, keepdims=True)
    return np.asarray(flat / np.maximum(np.linalg.norm(flat, axis=1, keepdims=True), 1e-6))


def _hash(pixels: Pixels) -> bytes:
    return hashlib.sha256(np.ascontiguousarray(pixels).tobytes()).digest()


def _copy(cases: Sequence[LabelledCase], query: int, case: int, correlation: float) -> Copy:
    same = cases[query].diagnosis == cases[case].diagnosis
    return Copy(cases[query].id, cases[case].id, correlation, same)
