"""The model card: what the bundle is, what it was trained on, how well it does, for whom, and where it ends."""

from casekin.contracts.bundle import BundleManifest
from training.evaluation.evaluate import Measured
from training.evaluation.report.glossary import FIGURES, GROUPINGS, OF_DIAGNOSIS, SHORT
from training.evaluation.subgroups import FEWEST, SHOWN, SMALLEST, Group
from training.fit.feature_pca import CONDENSE
from training.latent_space.study import Study

TEMPLATE = """# Model card: {version}

A guided variational auto-encoder: EfficientNet-Lite0 encoder ({height} x {width} px{views}), {dimensions} dimensions, a
light decoder ({out_height} x {out_width} px), a linear class head. It places a dermatoscopic image where images like it
lie. {guided} dimensions {shaped} (supervised contrastive and cross-entropy terms);
{free} are shaped by reconstruction, under the beta-VAE's divergence to a standard normal prior.

**It supports research and teaching. It does not diagnose.**

## Data
{data}; {licence}. {citation}

## Figures
{protocol}.
In brackets 95 % intervals: bootstrap over {lesions} lesions of {queries} queries; {gallery} images could be found.
They say what other queries would have changed, not what another training would.

{rows}

### By diagnosis
Preset {headline}. A "vote by prior" is one of 16 matches, divided by the diagnosis' share of the gallery.

{diagnoses}

### By skin site, sex and age
Preset {headline}. "P@1, all" is the mean over queries; the others are means over the diagnoses of which a group has at
least {fewest} queries (how many these are is given: a group without the rare ones looks better).
Groups of fewer than {smallest} queries are too small to tell.

{groups}

### Reconstruction, class head, speed
Reconstruction of the test images at {out_height} x {out_width} px:
SSIM {ssim:.3f} (a PCA of {dimensions} components: {pca:.3f}),
mean squared error {mse:.5f}.
Class head, balanced accuracy: {head:.3f} with the data's prior, {head_balanced:.3f} without.
Its probabilities are scaled by temperature {temperature:.2f} and hold for
the shares of diagnoses in the training data, not for a consultation.
ONNX Runtime against torch: at most {parity:.1e} apart. Encoder: {encoder_ms:.1f} ms per image, one thread.

## Dimensions
Diagnosis dimensions come first, by clinical weight; then appearance, by how much of the image they change. A dimension
"Towards X" points along the class head's direction of diagnosis X. A dimension named after a property correlates with
that property, measured on images and lesion masks of the training folds, by at least 0.5 in size;
one with a number goes with nothing that we measured.

{names}

## Limits
- Seven diagnoses of HAM10000; an eighth is placed near whatever looks alike. Few images of skin darker than type III.
- Trained on 200 x 150 px: fine structures (thin networks, small globules) are lost.
- Two sources (Vienna, Queensland) and few dermatoscopes; other devices shift colours.
- Labels confirmed by histology for about half of the cases; the others by follow-up, consensus or confocal microscopy.
- Melanomas often lie among nevi and keratoses: see their figure above before you trust a list without one.
- Sites, ages and skin types are not met equally often: see the figures by group, and mind the groups without figures.
- The recipe was chosen among some dozens by its figures on the queries above: expect a little less on other lesions.
- Decoded images are smooth: they show what the latent keeps and must not be read as a lesion's detail.
"""


CONDENSED = "are principal components of {roots}features that were learned for diagnosis"
AS_TRAINED = "are shaped by diagnosis"
CARD_GROUPINGS = ("site", "sex", "age")


def model_card(manifest: BundleManifest, study: Study, measured: Measured) -> str:
    """Return the card of a bundle as Markdown."""
    figures, model = manifest.metrics, study.model
    pairs = zip(manifest.dimensions, manifest.clinical_weights, strict=True)
    names = [f"{d.index + 1}. {d.name} (clinical weight {weight:.2f})" for d, weight in pairs]
    return TEMPLATE.format(
        version=manifest.version,
        height=manifest.input.height,
        width=manifest.input.width,
        shaped=CONDENSED.format(roots="roots of " if model.rooted else "") if CONDENSE in study.recipe else AS_TRAINED,
        views=", mean of two mirrored views" if model.mirrored else "",
        out_height=manifest.output.height,
        out_width=manifest.output.width,
        dimensions=len(manifest.dimensions),
        guided=model.diagnosis_dimensions,
        free=model.appearance_dimensions,
        data=manifest.provenance.data,
        licence=manifest.provenance.licence,
        citation=manifest.provenance.citation,
        protocol=manifest.provenance.protocol[0].upper() + manifest.provenance.protocol[1:],
        headline=next(iter(measured.figures)),
        lesions=measured.lesions,
        queries=sum(measured.queries.values()),
        gallery=measured.gallery,
        smallest=SMALLEST,
        fewest=FEWEST,
        rows=_figures(measured),
        diagnoses=_diagnoses(measured),
        groups=_groups(measured),
        names="\n".join(names),
        ssim=figures["ssim"],
        pca=figures["ssim_pca"],
        mse=figures["mse"],
        head=figures["head_balanced"],
        head_balanced=figures["head_balanced_by_prior"],
        temperature=study.temperature,
        parity=figures["onnx_parity"],
        encoder_ms=figures["encoder_ms"],
    )


def _figures(measured: Measured) -> str:
    presets = measured.figures
    known = [name for name in FIGURES if name in next(iter(presets.values()))]
    rows = [[FIGURES[name], *(str(figures[name]) for figures in presets.values())] for name in known]
    return _table(["figure", *(f"preset {name}" for name in presets)], rows)


def _diagnoses(measured: Measured) -> str:
    values = {"p_at_1": OF_DIAGNOSIS["p_at_1"], "p_at_5": OF_DIAGNOSIS["p_at_5"], "knn16_by_prior": "vote by prior"}
    rows = [
        [code, str(measured.queries[code]), *(str(figures[name]) for name in values)]
        for code, figures in measured.by_diagnosis.items()
    ]
    return _table(["diagnosis", "queries", *values.values()], rows)


def _groups(measured: Measured) -> str:
    shown = [name for name in SHOWN if name in next(iter(measured.figures.values()))]
    groups = sorted(
        (group for group in measured.subgroups if group.by in CARD_GROUPINGS),
        key=lambda group: CARD_GROUPINGS.index(group.by),
    )
    header = ["group", "queries", "malignant", "diagnoses", *(SHORT[name] for name in shown)]
    return _table(header, [_group(group, shown) for group in groups])


def _group(group: Group, shown: list[str]) -> list[str]:
    if group.too_small:
        cells = ["too small"] * len(shown)
    else:
        cells = [str(group.figures[name]) if name in group.figures else "-" for name in shown]
    counts = [str(count) for count in (group.queries, group.malignant, group.diagnoses)]
    return [f"{GROUPINGS[group.by]}: {group.name}", *counts, *cells]


def _table(header: list[str], rows: list[list[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
