"""Write the model card: what the bundle is, its data, its figures, and its limits, all from the collection."""

from collections import Counter
from collections.abc import Iterable, Sequence

from casekin.contracts.bundle import BundleManifest, Dimension
from training.data.cases import LabelledCollection
from training.data.vocabulary import Vocabulary
from training.evaluation.bootstrap import Interval
from training.evaluation.evaluate import Measured
from training.evaluation.metrics import AUC
from training.evaluation.reconstruction import Reconstruction
from training.evaluation.report.glossary import FIGURES, GROUPINGS, OF_DIAGNOSIS, SHORT
from training.evaluation.subgroups import FEWEST, RESTRICTIONS, SHOWN, SMALLEST, Group
from training.fit.feature_pca import CONDENSE
from training.fit.fit import FURTHER
from training.latent_space.held_out import TEMPERATURE, ranking_dimensions

TEMPLATE = """# Model card: {version}

A guided variational auto-encoder: EfficientNet-Lite0 encoder ({height} x {width} px{views}), {dimensions} dimensions, a
light decoder ({out_height} x {out_width} px), a linear class head. It places an image near images that look like it.
{guided} dimensions {shaped} (supervised contrastive and cross-entropy terms);
{free} are shaped by reconstruction, under the beta-VAE's divergence to a standard normal prior.

**It supports research and teaching. It does not diagnose.**

## Data
{data}; {licence}. {citation}
{further}{diagnoses}
{evidence}
{sources}

## Figures
{protocol}.
In brackets 95 % intervals: bootstrap over {lesions} lesions of {queries} queries; the gallery has {gallery} images.
They cover the choice of queries, not that of another training run.

{beside}{rows}

### On part of the queries
Preset {headline}, the same gallery. A source of mostly benign images makes malignancy easy, and a diagnosis that no
tissue confirmed may be wrong: read the figures above beside these.

{restricted}

{clinics}### By diagnosis
Preset {headline}. A "vote by prior" is one of 16 matches, divided by the diagnosis' share of the gallery.

{by_diagnosis}

### By site, sex and age
Preset {headline}. "P@1, all" is the mean over queries; the others are means over the diagnoses of which a group has at
least {fewest} queries (how many these are is given: a group without the rare ones looks better).
Groups of fewer than {smallest} queries are too small to tell.

{groups}

### Reconstruction, class head, speed
{reconstruction}
Class head, balanced accuracy: {head:.3f} with the data's prior, {head_balanced:.3f} without.
Its probabilities are scaled by temperature {temperature:.2f} and hold for
the shares of diagnoses in the training data, not for a consultation.
ONNX Runtime against torch: at most {parity:.1e} apart. Encoder: {encoder_ms:.1f} ms per image, one thread.

## Dimensions
Diagnosis dimensions come first, by clinical weight; then appearance, by how much of the image they change. They are
turned so that as many as possible follow an attribute that experts marked in images, then what can be measured in the
image and its mask, then a diagnosis ("Towards X"); the turn changes no clinical distance. One with
a number follows nothing that we know. Evidence comes from lesions that the network was not trained on: the area under
the ROC curve of what an image has or has not, the rank correlation (Spearman) with what is measured, both with 95 %
bootstrap interval over lesions. Names with evidence hold {share:.0%} of the clinical distance between two images.

{names}

## Limits
{limits}
"""
CLINICS = """### Of other clinics
Preset {headline}, queries of other clinics before the same gallery, which has no image of theirs. Lesions of these
folds had no part in training.

{table}
{unknown}
"""
CONDENSED = "are principal components of {roots}features that were learned for diagnosis"
AS_TRAINED = "are shaped by diagnosis"
CARD_GROUPINGS = ("site", "sex", "age")


def model_card(manifest: BundleManifest, collection: LabelledCollection, measured: Measured) -> str:
    """Return the card of a bundle that was trained on `collection` as Markdown."""
    figures, recipe = manifest.metrics, manifest.provenance.recipe
    vocabulary = collection.vocabulary(manifest.classes)
    pairs = zip(manifest.dimensions, manifest.clinical_weights, strict=True)
    names = [[str(d.index + 1), d.name, f"{weight:.2f}", *_evidence_of(d)] for d, weight in pairs]
    guided = ranking_dimensions(manifest)
    roots = "roots of " if _setting(manifest, "rooted") else ""
    return TEMPLATE.format(
        version=manifest.version,
        height=manifest.input.height,
        width=manifest.input.width,
        shaped=CONDENSED.format(roots=roots) if CONDENSE in recipe else AS_TRAINED,
        views=", mean of two mirrored views" if _setting(manifest, "mirrored") else "",
        out_height=manifest.output.height,
        out_width=manifest.output.width,
        dimensions=len(manifest.dimensions),
        guided=guided,
        free=len(manifest.dimensions) - guided,
        data=manifest.provenance.data,
        licence=manifest.provenance.licence,
        citation=manifest.provenance.citation,
        further=_further(manifest),
        diagnoses=_vocabulary(vocabulary),
        evidence=_evidence(collection),
        sources=_sources(collection),
        protocol=manifest.provenance.protocol[0].upper() + manifest.provenance.protocol[1:],
        headline=next(iter(measured.figures)),
        lesions=measured.lesions,
        queries=sum(measured.queries.values()),
        gallery=measured.gallery,
        smallest=SMALLEST,
        fewest=FEWEST,
        beside=_beside(measured),
        rows=_figures(measured),
        clinics=_clinics(measured),
        restricted=_groups(measured, RESTRICTIONS),
        by_diagnosis=_by_diagnosis(measured, vocabulary),
        groups=_groups(measured, CARD_GROUPINGS),
        names=_table(["", "dimension", "clinical weight", "evidence", "measured on"], names),
        share=_share_with_evidence(manifest),
        reconstruction=_reconstruction(manifest, measured.reconstruction),
        head=figures["head_balanced"],
        head_balanced=figures["head_balanced_by_prior"],
        temperature=recipe[TEMPERATURE],
        parity=figures["onnx_parity"],
        encoder_ms=figures["encoder_ms"],
        limits="\n".join(f"- {limit}" for limit in _limits(manifest, collection, measured, vocabulary)),
    )


def _further(manifest: BundleManifest) -> str:
    """Return a line for each collection of another clinic that the network learned from."""
    recipe = manifest.provenance.recipe
    notes = [str(note) for name, note in sorted(recipe.items()) if name.startswith(f"{FURTHER}.")]
    return "".join(f"Learned from as well, and never a match: {note}\n" for note in notes)


def _evidence_of(dimension: Dimension) -> tuple[str, str]:
    """Return the figure behind a dimension's name, and the images that it was measured on."""
    evidence = dimension.evidence
    if evidence is None:
        return "none", "-"
    what = "AUC" if evidence.figure == "auc" else "rank correlation"
    having = "" if evidence.positive is None else f", {evidence.positive} with it"
    images = f"{evidence.images} images of {evidence.lesions} lesions{having}; {evidence.data}"
    return f"{what} {Interval(evidence.value, evidence.low, evidence.high)}", images


def _share_with_evidence(manifest: BundleManifest) -> float:
    """Return the share of the clinical distance, on average over pairs of images, in dimensions with evidence."""
    pairs = list(zip(manifest.dimensions, manifest.clinical_weights, strict=True))
    # All dimensions are standardised, so that each has a share in proportion to its weight.
    return sum(weight for d, weight in pairs if d.evidence is not None) / sum(weight for _, weight in pairs)


def _setting(manifest: BundleManifest, name: str) -> bool:
    """Return a setting of the network that ships: condensing, where there was any, overrides the model's."""
    recipe = manifest.provenance.recipe
    return bool(recipe.get(f"condense.{name}", recipe.get(f"model.{name}")))


def _vocabulary(vocabulary: Vocabulary) -> str:
    called = [f"{code} ({name})" if (name := vocabulary.name(code)) != code else code for code in vocabulary.codes]
    malignant = f"malignant, as the collection says: {', '.join(vocabulary.malignant)}"
    unsaid = "the collection calls none malignant, so there is no figure of malignancy"
    return f"{len(vocabulary)} diagnoses: {', '.join(called)}; {malignant if vocabulary.malignant else unsaid}."


def _evidence(collection: LabelledCollection) -> str:
    shares = _shares(collection, (case.evidence for case in collection.cases), "evidence")
    return (
        f"Diagnoses confirmed by: {shares}." if shares else "The collection does not say how diagnoses were confirmed."
    )


def _sources(collection: LabelledCollection) -> str:
    shares = _shares(collection, (case.source for case in collection.cases), "source")
    return f"Sources: {shares}." if shares else "The collection does not name clinics or devices."


def _shares(collection: LabelledCollection, values: Iterable[str], field: str) -> str:
    """Return the values with their shares of the cases, most frequent first; empty where none is recorded."""
    counts = Counter(values)
    if not any(counts):
        return ""
    labels = collection.info.labels.get(field, {}) | {"": "not recorded"}
    total = sum(counts.values())
    return ", ".join(f"{labels.get(value, value)} {100 * count / total:.0f} %" for value, count in counts.most_common())


def _reconstruction(manifest: BundleManifest, measured: Reconstruction | None) -> str:
    if measured is None:
        return f"Reconstruction: SSIM {manifest.metrics['ssim']:.3f}, mean squared error {manifest.metrics['mse']:.5f}."
    ssim, ssim_pca, mse, mse_pca = (measured.overall[name] for name in ("ssim", "ssim_pca", "mse", "mse_pca"))
    change = mse_pca.value / mse.value - 1
    return (
        f"Reconstruction of the queries at {manifest.output.height} x {manifest.output.width} px, beside a PCA of "
        f"{measured.components} components:\n"
        f"SSIM {ssim} (PCA: {ssim_pca}),\n"
        f"mean squared error {mse.value:.5f} ({mse.low:.5f} to {mse.high:.5f})"
        f" (PCA: {mse_pca.value:.5f}, {abs(change):.0%} {'larger' if change > 0 else 'smaller'})."
    )


def _limits(
    manifest: BundleManifest, collection: LabelledCollection, measured: Measured, vocabulary: Vocabulary
) -> list[str]:
    title = collection.info.title
    return [
        f"It knows {len(vocabulary)} diagnoses of {title}; any other is placed near whatever looks alike.",
        f"Images are scaled to {manifest.input.height} x {manifest.input.width} px: finer structures are lost.",
        "Devices, clinics and people that the data do not hold may look otherwise; see above what is recorded. "
        "A property that is not recorded (such as skin type) has no figures by group.",
        *_hardest_malignant(measured, vocabulary),
        "Groups are not equally frequent: see the figures by group, and mind the groups without figures.",
        "Whoever chooses settings by the figures of these queries flatters them: settings are to be chosen on other "
        "folds, and these queries looked at once. Expect a little less on images of other places.",
        "Decoded images are smooth: they show what the latent keeps and must not be read as an image's detail.",
    ]


def _hardest_malignant(measured: Measured, vocabulary: Vocabulary) -> list[str]:
    found = {code: measured.by_diagnosis[code]["p_at_5"] for code in vocabulary.malignant if code in measured.queries}
    if not found:
        return []
    code, share = min(found.items(), key=lambda item: item[1].value)
    return [
        f"Of the malignant diagnoses, {vocabulary.name(code)} is found worst: it is {share.value:.0%} of the first "
        "five matches of its own images. Do not trust a list without one."
    ]


def _figures(measured: Measured) -> str:
    presets = measured.figures
    known = [name for name in FIGURES if name in next(iter(presets.values()))]
    rows = [[FIGURES[name], *(str(figures[name]) for figures in presets.values())] for name in known]
    return _table(["figure", *(f"preset {name}" for name in presets)], rows)


def _beside(measured: Measured) -> str:
    """Return the headline beside the same figures on each part of the queries that tells malignant from benign."""
    name, headline = next(iter(measured.figures.items()))
    parts = [group for group in measured.subgroups if group.by in RESTRICTIONS and AUC in group.figures]
    if not parts:
        return ""
    header = [f"figure, preset {name}", "all queries", *(_named(group) for group in parts)]
    rows = [
        [SHORT[figure], str(headline[figure])]
        + [str(group.figures[figure]) if figure in group.figures else "-" for group in parts]
        for figure in SHOWN
        if figure in headline
    ]
    return f"{_table(header, rows)}\n\n"


def _clinics(measured: Measured) -> str:
    """Return the section of other clinics' queries; empty where none was measured."""
    if not measured.other_clinics:
        return ""
    header = ["clinic", "folds", "queries", "lesions", "malignant", *(SHORT[name] for name in SHOWN)]
    rows = [
        [one.title, ", ".join(map(str, one.folds)), str(one.queries), str(one.lesions), str(one.malignant)]
        + [str(one.figures[name]) if name in one.figures else "-" for name in SHOWN]
        for one in measured.other_clinics
    ]
    unknown = [
        f"{one.title} has {', '.join(f'{count} of {code}' for code, count in one.unknown.items())}, "
        "of which the gallery has no case: they count for the AUC alone."
        for one in measured.other_clinics
        if one.unknown
    ]
    return CLINICS.format(
        headline=next(iter(measured.figures)), table=_table(header, rows), unknown="\n".join(["", *unknown])
    )


def _by_diagnosis(measured: Measured, vocabulary: Vocabulary) -> str:
    values = {"p_at_1": OF_DIAGNOSIS["p_at_1"], "p_at_5": OF_DIAGNOSIS["p_at_5"], "knn16_by_prior": "vote by prior"}
    rows = [
        [code, str(measured.queries[code]), *(str(figures[name]) for name in values), _malignancy(code, vocabulary)]
        for code, figures in measured.by_diagnosis.items()
    ]
    return _table(["diagnosis", "queries", *values.values(), "malignant"], rows)


def _malignancy(code: str, vocabulary: Vocabulary) -> str:
    called = {diagnosis.code: diagnosis.malignant for diagnosis in vocabulary.described}
    return {True: "yes", False: "no", None: "not said"}[called.get(code)]


def _groups(measured: Measured, groupings: Sequence[str]) -> str:
    shown = [name for name in SHOWN if name in next(iter(measured.figures.values()))]
    groups = sorted(
        (group for group in measured.subgroups if group.by in groupings), key=lambda group: groupings.index(group.by)
    )
    header = ["group", "queries", "malignant", "diagnoses", *(SHORT[name] for name in shown)]
    return _table(header, [_group(group, shown) for group in groups])


def _group(group: Group, shown: list[str]) -> list[str]:
    if group.too_small:
        cells = ["too small"] * len(shown)
    else:
        cells = [str(group.figures[name]) if name in group.figures else "-" for name in shown]
    counts = [str(count) for count in (group.queries, group.malignant, group.diagnoses)]
    return [_named(group), *counts, *cells]


def _named(group: Group) -> str:
    return f"{GROUPINGS[group.by]}: {group.name}"


def _table(header: list[str], rows: list[list[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
