"""The model card: what the bundle is, what it was trained on, how well it does, and where it ends."""

from casekin.contracts.bundle import BundleManifest
from training.study import Study

FIGURES = {
    "p_at_1_macro": "precision at 1, mean over diagnoses",
    "p_at_1_micro": "precision at 1, mean over queries",
    "p_at_5_macro": "precision at 5, mean over diagnoses",
    "p_at_5_micro": "precision at 5, mean over queries",
    "knn5_balanced": "balanced accuracy of a vote of 5",
    "knn16_balanced": "balanced accuracy of a vote of 16",
    "knn16_balanced_by_prior": "the same, votes divided by the diagnosis' share",
    "melanoma_p_at_5": "precision at 5 of melanomas",
    "auc_malignant_16": "AUC of malignancy by the share of 16 neighbours",
}
TEMPLATE = """# Model card: {version}

A guided variational auto-encoder: EfficientNet-Lite0 encoder ({height} x {width} px), {dimensions} dimensions, a light
decoder ({out_height} x {out_width} px), a linear class head. It places a dermatoscopic image where images like it lie.
{guided} dimensions are shaped by diagnosis (supervised contrastive and cross-entropy terms), {free} by reconstruction;
all under the beta-VAE's divergence to a standard normal prior.

**It supports research and teaching. It does not diagnose.**

## Data
{data}; {licence}. {citation}

## Figures
{protocol}.

| figure | preset clinical | preset visual |
| --- | --- | --- |
{rows}

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
- Decoded images are smooth: they show what the latent keeps and must not be read as a lesion's detail.
"""


def model_card(manifest: BundleManifest, study: Study) -> str:
    """Return the card of a bundle as Markdown."""
    figures, model = manifest.metrics, study.model
    rows = [
        f"| {words} | {figures[name]:.3f} | {figures[f'visual_{name}']:.3f} |"
        for name, words in FIGURES.items()
        if name in figures
    ]
    pairs = zip(manifest.dimensions, manifest.clinical_weights, strict=True)
    names = [f"{d.index + 1}. {d.name} (clinical weight {weight:.2f})" for d, weight in pairs]
    return TEMPLATE.format(
        version=manifest.version,
        height=manifest.input.height,
        width=manifest.input.width,
        out_height=manifest.output.height,
        out_width=manifest.output.width,
        dimensions=len(manifest.dimensions),
        guided=model.exported_diagnosis,
        free=model.appearance_dimensions,
        data=manifest.provenance.data,
        licence=manifest.provenance.licence,
        citation=manifest.provenance.citation,
        protocol=manifest.provenance.protocol[0].upper() + manifest.provenance.protocol[1:],
        rows="\n".join(rows),
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
