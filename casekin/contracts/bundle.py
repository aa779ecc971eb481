"""The bundle: what training hands to serving, and their only tie.

A bundle is a folder of ONNX graphs and ``bundle.json``, which is a `BundleManifest`. Shapes: B batch,
D dimensions, H and W of an image, C classes. All tensors are float32.

=================  ==========================================  =====================================
``encoder.onnx``   ``image`` [B,3,H,W], RGB in 0..1             ``mean``, ``log_variance`` [B,D], raw
``decoder.onnx``   ``latent`` [B,D], standardised               ``image`` [B,3,h,w], RGB in 0..1
``head.onnx``      ``latent`` [B,D], standardised               ``probabilities`` [B,C]
=================  ==========================================  =====================================

A latent is standardised as (mean - dimension.mean) / dimension.std; normalisation of pixels is inside the
encoder's graph and the inverse of standardisation inside the other two, so that serving knows neither. A decoder may
have further outputs, which serving does not compute: ``base``, the image before a generator drew into it.
"""

from datetime import datetime
from typing import Literal, Self

from pydantic import ConfigDict, Field, JsonValue, model_validator

from casekin.contracts.base import BundleVersion, Code, Contract, Note, Preset
from casekin.contracts.names import DimensionName

GRAPHS = ("encoder.onnx", "decoder.onnx", "head.onnx")
SAME_PICTURE = 1e-3
"""Unweighted distance below which two latents are of one picture: an encoder repeats itself to within rounding.
A bundle that measured how near re-saved pictures lie says more."""


class InputSpec(Contract):
    """How an image of any size becomes the encoder's input.

    The image is scaled so that it covers height x width, keeping its aspect, and cropped about its centre.
    """

    height: int = Field(ge=16, le=2048)
    width: int = Field(ge=16, le=2048)
    resample: Literal["bilinear", "box", "bicubic"] = Field(description="Pillow's antialiasing filter of that name")


class OutputSpec(Contract):
    """Size in pixels of a decoded image."""

    height: int = Field(ge=16, le=2048)
    width: int = Field(ge=16, le=2048)


class NameEvidence(Contract):
    """How well a dimension follows what it is named after, measured on lesions that the encoder was not trained on."""

    figure: Literal["auc", "rank_correlation"] = Field(
        description="auc of something that an image has or has not, rank_correlation of a measure"
    )
    value: float = Field(ge=-1, le=1)
    low: float = Field(ge=-1, le=1, description="of the 95 % bootstrap interval over lesions")
    high: float = Field(ge=-1, le=1, description="likewise")
    p: float = Field(
        gt=0, le=1, description="share of permutations of the labels, between lesions, that reach the value"
    )
    images: int = Field(ge=1)
    positive: int | None = Field(default=None, ge=0, description="images that have it; none of a measure")
    lesions: int = Field(ge=1)
    data: Note = Field(description="where the images come from")

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if not self.low <= self.high:
            raise ValueError(f"the interval from {self.low} to {self.high} is empty")
        return self


class Dimension(Contract):
    """One coordinate of the latent."""

    index: int = Field(ge=0)
    name: DimensionName = Field(description="default name; a collection can change it")
    mean: float = Field(description="of the raw posterior mean over the training set")
    std: float = Field(gt=0, description="likewise")
    quantiles: dict[Code, float] = Field(
        description="of the standardised latent over the training set; keys 0.01 0.05 0.25 0.5 0.75 0.95 0.99"
    )
    evidence: NameEvidence | None = Field(
        default=None,
        description="for the default name; none where it is a number, or nothing was held out to measure",
    )


class CalibrationPoint(Contract):
    """Of validation pairs at this distance, the share that had one diagnosis."""

    distance: float = Field(ge=0, description="weighted distance under the preset")
    share: float = Field(ge=0, le=1)


class Tail(Contract):
    """The end of a measure's distribution over validation images: an exponential tail (peaks over a threshold)."""

    beyond: float = Field(description="5 per cent of the images lie further out than this, where nothing else is said")
    excess: float = Field(gt=0, description="by which they lie further out, on average")


MatchField = Literal["diagnosis", "evidence", "source"]
"""A field of a case whose value says how far the case can be relied on as a match."""


class SimilarityModel(Contract):
    """The probability that a match shares the query's diagnosis, as logistic regression fitted it to validation images.

    log-odds = constant + what the match's values add + votes x log-odds of its diagnosis's share of the calibrated
    votes of the query's neighbours + nearness x log-odds of the preset's curve at its distance. Beyond `far`, a
    probability above the diagnosis's share of the collection falls to that share. ``casekin.similarity`` computes it.
    """

    constant: float
    votes: float = Field(ge=0)
    nearness: float = Field(ge=0, description="not below 0, so that similarity falls with distance")
    added: dict[MatchField, dict[Code, float]] = Field(
        description="by field of the match and its value; the model is for matches of which it names all these fields"
    )
    far: Tail = Field(description="of the distances of matches: 1 per cent lie further out")


class VoteScale(Contract):
    """How votes of neighbours become probabilities: (share + smoothing x e^(-decay x agreement))^(1 / temperature).

    Shares sum to 1, and so do they once divided by prior; probabilities are normalised likewise. The agreement is the
    largest share of the votes, before any division: the smoothing for diagnoses without a vote is smaller the more
    the neighbours agree.
    """

    smoothing: float = Field(ge=0, description="what every diagnosis has beside its share where nobody agrees")
    decay: float = Field(ge=0, description="how fast smoothing falls as agreement grows")
    temperature: float = Field(gt=0)


class OutOfDistributionScale(Contract):
    """Tails of validation images: the out-of-distribution score sums by how many excesses a query lies beyond them."""

    upper: dict[Code, Tail] = Field(
        description="by measure: neighbour_distance, extreme_coordinate, reconstruction_error, sharpness, brightness"
    )
    lower: dict[Code, Tail] = Field(description="likewise, of measures that can be too low: sharpness, brightness")
    latent_limit: float = Field(ge=0, description="99 per cent of validation images score lower, by latent alone")
    image_limit: float = Field(ge=0, description="likewise by latent and image together")


class VoteCalibration(Contract):
    """What the nearest neighbours under one preset mean, measured on validation images."""

    plain: VoteScale = Field(description="over votes; fitted where diagnoses are as frequent as they are")
    corrected: VoteScale = Field(description="over votes by prior; fitted where all diagnoses count alike")
    conformal: dict[Code, float] = Field(
        description="least corrected probability with which a diagnosis belongs to the set (Mondrian: one each)"
    )
    widening: float = Field(
        default=0, ge=0, description="the least probabilities are divided by 1 + widening x out-of-distribution score"
    )
    strangeness: OutOfDistributionScale = Field(description="named as format 1 of the bundle has it")
    similarity: list[SimilarityModel] = Field(
        default_factory=list,
        description="for a match counts the first that names all of its values, or else the last, where a value that "
        "is not named adds 0; none in a bundle of before, whose similarity is the curve's share",
    )


class NeighbourCalibration(Contract):
    """How votes of neighbours are read; see ``training.latent_space.vote_calibration`` for how it is measured."""

    neighbours: int = Field(ge=1, le=200, description="nearest cases with a vote, one a lesion, never the query's own")
    coverage: float = Field(gt=0, lt=1, description="of the conformal set, within each diagnosis")
    near_duplicate_distance: float = Field(
        ge=0, description="unweighted; of images of different lesions one in a thousand is nearer to its nearest"
    )
    presets: dict[Preset, VoteCalibration] = Field(description="of all presets")

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if missing := sorted({"visual", "clinical"} - set(self.presets)):
            raise ValueError(f"presets lacks {', '.join(missing)}")
        return self


class FileDigest(Contract):
    """What a file of the bundle must hash to."""

    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    size: int = Field(gt=0, description="bytes")


class Provenance(Contract):
    """What the bundle was trained on and how."""

    data: Note
    licence: Note
    citation: Note
    protocol: Note = Field(description="which split the metrics were measured on, and how")
    recipe: dict[Code, Note | int | float | bool | None] = Field(description="the training configuration, flat")


EXAMPLE: dict[str, JsonValue] = {
    "format": 1,
    "version": "ham10000-2026.11.1",
    "created": "2026-11-22T12:00:00Z",
    "input": {"height": 144, "width": 192, "resample": "box"},
    "output": {"height": 96, "width": 128},
    "classes": ["mel", "nv"],
    "dimensions": [
        {
            "index": i,
            "name": f"Dimension {i + 1}",
            "mean": 0.01,
            "std": 0.9,
            "quantiles": {
                "0.01": -2.3,
                "0.05": -1.6,
                "0.25": -0.7,
                "0.5": 0.0,
                "0.75": 0.7,
                "0.95": 1.6,
                "0.99": 2.3,
            },
        }
        for i in range(2)
    ],
    "clinical_weights": [1.4, 0.6],
    "similarity": {
        "visual": [{"distance": 0.0, "share": 0.9}, {"distance": 5.0, "share": 0.4}],
        "clinical": [{"distance": 0.0, "share": 0.95}, {"distance": 5.0, "share": 0.4}],
    },
    "out_of_distribution": {"nearest_distance_0.99": 4.2, "reconstruction_error_0.99": 0.03},
    "neighbours": {
        "neighbours": 16,
        "coverage": 0.9,
        "near_duplicate_distance": 0.2,
        "presets": {
            preset: {
                "plain": {"smoothing": 0.05, "decay": 1.0, "temperature": 0.8},
                "corrected": {"smoothing": 0.4, "decay": 5.0, "temperature": 1.5},
                "conformal": {"mel": 0.2, "nv": 0.35},
                "strangeness": {
                    "upper": {
                        "neighbour_distance": {"beyond": 4.0, "excess": 0.5},
                        "extreme_coordinate": {"beyond": 3.1, "excess": 0.6},
                        "reconstruction_error": {"beyond": 0.012, "excess": 0.005},
                        "sharpness": {"beyond": 4.1, "excess": 1.2},
                        "brightness": {"beyond": 0.75, "excess": 0.03},
                    },
                    "lower": {
                        "sharpness": {"beyond": 0.3, "excess": 0.1},
                        "brightness": {"beyond": 0.5, "excess": 0.04},
                    },
                    "latent_limit": 3.5,
                    "image_limit": 5.2,
                },
            }
            for preset in ("visual", "clinical")
        },
    },
    "metrics": {"p_at_1_macro": 0.57},
    "held_out_agreement": {"clinical": {"mel": 0.48, "nv": 0.85}},
    "provenance": {
        "data": "HAM10000",
        "licence": "CC BY-NC 4.0",
        "citation": "Tschandl et al., Sci Data 5:180161, 2018",
        "protocol": "fold 0 against folds 1 to 4, by lesion",
        "recipe": {"epochs": 12},
    },
    "files": {name: {"sha256": "0" * 64, "size": 1000} for name in ("encoder.onnx", "decoder.onnx", "head.onnx")},
}


class BundleManifest(Contract):
    """``bundle.json``."""

    model_config = ConfigDict(json_schema_extra={"example": EXAMPLE})

    format: Literal[1]
    version: BundleVersion = Field(description="names the index collection too")
    created: datetime
    input: InputSpec
    output: OutputSpec
    classes: list[Code] = Field(min_length=2, description="diagnoses in the order of the head's outputs")
    dimensions: list[Dimension] = Field(min_length=1)
    clinical_weights: list[float] = Field(description="D non-negative weights, learned, mean 1")
    similarity: dict[Preset, list[CalibrationPoint]] = Field(
        description="over the nearest cases, by distance ascending, share falling: the weight of a neighbour's vote"
    )
    similarity_by_diagnosis: dict[Preset, dict[Code, list[CalibrationPoint]]] = Field(
        default_factory=dict,
        description="over the nearest cases of one diagnosis: similarity where the neighbours do not tell, as under "
        "filters; empty in a bundle of before",
    )
    out_of_distribution: dict[Code, float] = Field(
        description="training quantiles beyond which an image is out of distribution"
    )
    neighbours: NeighbourCalibration | None = Field(
        default=None, description="none where the bundle was made without: search then says that it is not calibrated"
    )
    metrics: dict[Code, float]
    held_out_agreement: dict[Preset, dict[Code, float]] = Field(
        default_factory=dict,
        description="share of the 10 nearest cases of other lesions that have an image's diagnosis, by preset and "
        "diagnosis, over images that the encoder (or the proof of its recipe) was not trained on; empty where the "
        "bundle does not say. Images that it was trained on find more",
    )
    provenance: Provenance
    files: dict[Code, FileDigest]

    @property
    def same_picture_within(self) -> float:
        """Unweighted distance up to which two latents are of one picture, saved anew or not."""
        return max(SAME_PICTURE, self.neighbours.near_duplicate_distance if self.neighbours else 0.0)

    @model_validator(mode="after")
    def _agree(self) -> Self:
        size = len(self.dimensions)
        if [d.index for d in self.dimensions] != list(range(size)):
            raise ValueError("dimensions must be listed by index 0..D-1")
        if len(self.clinical_weights) != size or min(self.clinical_weights) < 0:
            raise ValueError(f"clinical_weights must be {size} non-negative numbers")
        if missing := [name for name in GRAPHS if name not in self.files]:
            raise ValueError(f"files lacks {', '.join(missing)}")
        return self
