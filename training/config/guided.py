"""Every choice of a training run, with its reason, as frozen dataclasses."""

from dataclasses import dataclass, field, fields, is_dataclass, replace
from typing import Literal

from casekin.errors import BadInput
from training.config.generator import GeneratorConfig

Scalar = str | int | float | bool | None


@dataclass(frozen=True)
class DataConfig:
    """Which images, at which size, in which order."""

    mapping: str = ""
    """Description of the collection: a built-in name (ham10000, isic, nih) or a TOML file; empty looks for the folder's
    `collection.toml` and recognises downloads by their columns."""
    folds: int = 5
    """Number of folds when there is no `folds.csv`, which otherwise decides."""
    height: int = 192
    """Pixels; with width the 4:3 of dermatoscopes. More costs time in proportion."""
    width: int = 256
    """Pixels."""
    resample: Literal["bilinear", "box", "bicubic"] = "bilinear"
    """Pillow's filter of that name; serving uses the same one, named in the bundle."""
    train_folds: tuple[int, ...] = (2, 3, 4)
    """Folds to train on, of this collection and of those of other clinics."""
    validation_folds: tuple[int, ...] = (1,)
    """Folds for choosing, for the clinical weights and for calibration; never trained on."""
    batch_size: int = 64
    """Images per step; the contrastive term needs several of each diagnosis in it."""
    balance: float = 0.5
    """Power p of sampling: a class of share s is drawn in proportion to s^(1-p). 0 as it is, 1 all classes alike."""
    source_balance: float = 0.5
    """The same power for the sources (clinics, devices) within a class: a network that meets one diagnosis from one
    device alone learns the device."""
    further_weight: float = 0.5
    """Factor of the share of each source of further collections: their images may be small."""
    attributes: tuple[str, ...] = ("globules", "milia_like_cyst", "negative_network", "pigment_network", "streaks")
    """Columns of 0 and 1 that the network learns beside the diagnosis, from the images whose table has them: the
    dermoscopic attributes of ISIC 2018 task 2."""

    def __post_init__(self) -> None:
        if shared := set(self.train_folds) & set(self.validation_folds):
            raise ValueError(f"validation_folds shares {sorted(shared)} with train_folds; a fold is one or the other")
        for name in ("balance", "source_balance"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} is {getattr(self, name)}; it must lie in 0..1")


@dataclass(frozen=True)
class AugmentConfig:
    """Augmentation that keeps the diagnosis: a lesion has no upright orientation, and copies of it differ in detail."""

    rotation: float = 180.0
    """Largest turn to either side, in degrees; less where images have an upright orientation, as chest X-rays do."""
    mirror: bool = True
    """Whether to flip left and right; not for chest X-rays, where the heart is on the left."""
    scale: float = 0.18
    """Largest change of size, as a natural logarithm."""
    shift: float = 0.06
    """Largest shift, as a share of the image's height."""
    brightness: float = 0.10
    """Largest change of the pixel values, in 0..1 units."""
    contrast: float = 0.15
    """Largest relative change of contrast about the image's mean."""
    saturation: float = 0.2
    """Largest relative change of the distance to grey."""
    tint: float = 0.1
    """Largest relative gain of one colour channel: white balance differs between dermatoscopes."""
    corners: float = 0.1
    """Share of each batch that is blackened outside of a circle, as some dermatoscopes leave it."""
    degraded: float = 0.4
    """Share of each batch that is degraded in one of the four ways that follow, drawn for each batch."""
    coarsest: float = 0.35
    """Size to which an image may be scaled down before it is scaled up again: the same picture comes as 600 x 450 and
    as 84 x 84 pixels."""
    sharpness: float = 0.6
    """Largest weight of the detail (image minus its 3 x 3 blur) that is added (sharper) or taken (blurred)."""
    jpeg_quality: float = 40.0
    """Lowest quality of JPEG, as libjpeg counts it up to 100."""
    mixed: float = 0.0
    """Share of each batch whose images are blended with one another (mixup), labels and all."""
    mixing: float = 0.4
    """Both parameters of the Beta distribution that the shares of a blend come from: small ones leave most images
    nearly as they are."""

    @property
    def is_orientation_free(self) -> bool:
        """Whether images have no upright orientation, so that flips either way keep them valid."""
        return self.mirror and self.rotation >= 180


@dataclass(frozen=True)
class ModelConfig:
    """The shape of the guided VAE."""

    diagnosis_dimensions: int = 16
    """Dimensions shaped by diagnosis: their mean lies on a sphere, so Euclidean order is cosine order."""
    appearance_dimensions: int = 24
    """Dimensions shaped by reconstruction alone."""
    pretrained: bool = True
    """Start from ImageNet weights; False only for tests."""
    frozen_blocks: int = 1
    """Leading blocks (and the stem) that stay as ImageNet made them: they cost the most and change the least."""
    drop_connect: float = 0.1
    """Chance to skip the last residual block (stochastic depth); earlier blocks in proportion."""
    dropout: float = 0.2
    """Of the pooled features."""
    decoder_width: int = 128
    """Channels of the decoder at its coarsest; 128 is 28 million multiplications per image."""
    output_height: int = 96
    """Pixels of the decoded image, a multiple of 16."""
    output_width: int = 128
    """Pixels, a multiple of 16."""
    generator_width: int = 0
    """Channels, a multiple of 3, at the coarsest of the generator that draws the ranking dimensions into the decoder's
    image, at one and a half times its size. 0 is a network without one; `fit_generator` adds it."""
    mirrored: bool = False
    """Whether the pooled features are the mean over two views: the image left to right, and upside down. Twice the
    cost; training rotates images at random instead, and condensing turns this on."""
    rooted: bool = False
    """Whether diagnosis dimensions are read from square roots of the pooled features (Arandjelović & Zisserman 2012):
    a few channels with large values then dominate less. Condensing turns it on, likewise."""

    @property
    def small_height(self) -> int:
        """Pixels of the small copy that appearance is read from, and that the decoder's linear part draws."""
        return self.output_height // 2

    @property
    def small_width(self) -> int:
        """Pixels, likewise."""
        return self.output_width // 2

    @property
    def image_height(self) -> int:
        """Pixels of the image that the whole network draws, its generator included."""
        return self.output_height * 3 // 2 if self.generator_width else self.output_height

    @property
    def image_width(self) -> int:
        """Pixels, likewise."""
        return self.output_width * 3 // 2 if self.generator_width else self.output_width

    @property
    def dimensions(self) -> int:
        """D."""
        return self.diagnosis_dimensions + self.appearance_dimensions


@dataclass(frozen=True)
class LossConfig:
    """How much each term weighs."""

    reconstruction: float = 1.0
    """Of the mean absolute error plus (1 - SSIM)."""
    perceptual: float = 0.2
    """Of the distance of ImageNet's features, taken from the frozen blocks."""
    beta: float = 0.002
    """Normalised beta of Higgins 2017: beta x D / number of pixel values, times KL averaged over dimensions."""
    total_correlation: float = 0.002
    """Of the dependence among the appearance dimensions, on top of its share in KL (beta-TCVAE, Chen 2018, eq. 4)."""
    cross_entropy: float = 1.0
    """Of the class head."""
    contrastive: float = 1.0
    """Of the supervised contrastive term."""
    across_sources: float = 1.0
    """How much more a pair of one diagnosis counts in the contrastive term where its images are of two sources."""
    copies: float = 0.25
    """Of the term that tells an image's degraded copy from other images (InfoNCE), on the pooled features."""
    copied_share: float = 0.25
    """Share of each batch that is degraded to a copy for that term."""
    attributes: float = 1.0
    """Of the binary cross entropy of the attributes."""
    temperature: float = 0.1
    """Of the contrastive terms, on unit vectors."""
    label_smoothing: float = 0.05
    """Of the class head; some of HAM10000's labels are one expert's opinion."""
    decoder_gradient: float = 0.0
    """Share of the decoder's gradient that reaches the diagnosis dimensions; more costs ranking."""
    reconstruct_share: float = 0.125
    """Share of each batch that is decoded; less is faster."""


@dataclass(frozen=True)
class OptimiserConfig:
    """AdamW, warmed up linearly and annealed by a cosine."""

    epochs: int = 26
    """Passes over as many images as the training folds of the collection have."""
    coarse_share: float = 0.6
    """Share of the epochs, the first ones, that see images at three quarters of their size, in half of the time. The
    last see the full size, at which the statistics of features differ (Touvron 2019, "Fixing the train-test resolution
    discrepancy")."""
    backbone_rate: float = 4e-4
    """Peak learning rate of pretrained layers."""
    new_rate: float = 2e-3
    """Peak learning rate of layers that start at random."""
    linear_rate: float = 1e-4
    """Peak learning rate of the layers that start as principal components."""
    weight_decay: float = 0.02
    """Decoupled (AdamW)."""
    warmup: float = 0.08
    """Share of the steps in which the rate rises."""
    average: float = 0.997
    """Decay of the moving average of the weights, which is what gets exported."""
    clip: float = 5.0
    """Largest norm of the gradient."""
    precision: Literal["32-true", "bf16-mixed"] = "bf16-mixed"
    """bfloat16 is faster where the processor has it."""
    validate_every: int = 5
    """Epochs between two measurements of retrieval on the validation folds."""
    patience: int = 0
    """Measurements of retrieval on the validation folds without a better precision at 1 before the training stops;
    0 never does, and neither does a run without such folds."""
    accelerator: Literal["auto", "cpu", "gpu"] = "auto"
    """`auto` takes a GPU where there is one."""
    devices: int = 1
    """GPUs, or processes on a CPU. On more than one (DDP) each takes `batch_size` images a step: raise the rates."""
    threads: int = 2
    """Of torch, on a CPU, per process."""


@dataclass(frozen=True)
class SoupMember:
    """A further run of a soup, by its differences from the first."""

    name: str
    """Appended to the first run's name."""
    seed: int
    epochs: int
    mixed: float = 0.0
    """As in `AugmentConfig`."""


@dataclass(frozen=True)
class Config:
    """One training run."""

    name: str = "guided"
    """Folder of its checkpoints and logs."""
    seed: int = 7
    """Of everything random; an epoch draws from (seed, epoch), so a resumed run repeats an uninterrupted one."""
    start_seed: int = 7
    """Of the initial weights that are not pretrained. The runs of a soup share it, so that the mean of their backbones
    fits the same layers."""
    soup: tuple[SoupMember, ...] = ()
    """Runs whose backbones are averaged with this one's."""
    data: DataConfig = field(default_factory=DataConfig)
    augment: AugmentConfig = field(default_factory=AugmentConfig)
    model: ModelConfig = field(default_factory=ModelConfig)
    loss: LossConfig = field(default_factory=LossConfig)
    optimiser: OptimiserConfig = field(default_factory=OptimiserConfig)
    generator: GeneratorConfig = field(default_factory=GeneratorConfig)
    """Of the last step; the recipe of a bundle lists it where there is a generator."""

    def __post_init__(self) -> None:
        if (taken := self.loss.reconstruct_share + self.augment.mixed) > 1:
            raise ValueError(f"reconstruct_share and mixed take {taken} of a batch; blended images are not decoded")

    def soup_members(self) -> list["Config"]:
        """Return the configurations of the further runs of the soup."""
        return [
            replace(
                self,
                name=f"{self.name}-{one.name}",
                seed=one.seed,
                soup=(),
                augment=replace(self.augment, mixed=one.mixed),
                optimiser=replace(self.optimiser, epochs=one.epochs),
            )
            for one in self.soup
        ]

    def flat(self) -> dict[str, Scalar]:
        """Return all fields as one level of `part.field`, the form that the bundle's provenance takes."""
        rows: dict[str, Scalar] = {"name": self.name, "seed": self.seed, "start_seed": self.start_seed}
        for part in fields(self):
            section = getattr(self, part.name)
            # model_soup records the members of a soup, and the generator is listed once it is trained.
            if not is_dataclass(section) or part.name == "generator":
                continue
            for entry in fields(section):
                value = getattr(section, entry.name)
                rows[f"{part.name}.{entry.name}"] = " ".join(map(str, value)) if isinstance(value, tuple) else value
        return rows


def named(name: str) -> Config:
    """Return the configuration of that name; raises `BadInput` for an unknown one."""
    if name not in CONFIGS:
        raise BadInput(f"there is no configuration {name!r}; there are {', '.join(CONFIGS)}")
    return CONFIGS[name]


SPLITS: dict[str, tuple[int, tuple[int, ...]]] = {"prove": (2, (1,)), "ship": (0, ())}
"""First of the training folds, which run on to the last, and validation folds, by what a run is for.

`prove`: train on folds 2 and on; choose settings, checkpoints, weights, temperature and calibration on fold 1; report
fold 0, which nothing is trained on and nothing chosen by. `ship`: train on all, with what the proof learned. Runs of
other settings are compared on fold 1 too, so the run that wins is the proof (docs/decisions/0022)."""


def on_split(config: Config, split: str) -> Config:
    """Return the configuration for the folds of that split, under a name of its own."""
    if split not in SPLITS:
        raise BadInput(f"there is no split {split!r}; there are {', '.join(SPLITS)}")
    first, validation = SPLITS[split]
    train = tuple(range(first, config.data.folds))
    data = replace(config.data, train_folds=train, validation_folds=validation)
    return replace(config, name=f"{config.name}-{split}", data=data)


CONFIGS = {
    "debug": Config(
        name="debug",
        data=DataConfig(height=48, width=64, batch_size=16),
        model=ModelConfig(
            diagnosis_dimensions=8,
            appearance_dimensions=4,
            decoder_width=64,
            output_height=48,
            output_width=64,
        ),
        optimiser=OptimiserConfig(epochs=2, validate_every=1, precision="32-true"),
        generator=GeneratorConfig(width=48, steps=4, own=3, swapped=2, pairs=2, precision="32-true"),
    ),
    "guided": Config(name="guided", soup=(SoupMember("mixed", seed=7, epochs=18, mixed=0.75),)),
    # Chest X-rays of 1024 x 1024 pixels, several findings each: upright, with the heart on the left.
    "chest": Config(
        name="chest",
        data=DataConfig(height=160, width=160),
        augment=AugmentConfig(rotation=8.0, mirror=False, saturation=0.0, tint=0.0),
        model=ModelConfig(output_height=96, output_width=96),
    ),
}
