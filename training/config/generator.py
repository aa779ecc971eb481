"""Every choice of the generator's training, with its reason."""

from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True)
class GeneratorLoss:
    """How much each term weighs."""

    reading: float = 1.0
    """Of the distance between the ranking coordinates wanted and those read from the degraded image."""
    leak: float = 0.5
    """Of the movement of other ranking dimensions than the moved one."""
    invisible: float = 0.5
    """Of what a move along one dimension lacks to `levels`."""
    levels: float = 9.0
    """Mean change of the lesion's pixels, of 255, that a move between the ends of a dimension has to make."""
    stamp: float = 0.5
    """Of the correlation between the changes that one move makes on different lesions."""
    stamp_beyond: float = 0.2
    """Correlation that costs nothing: lesions are round and lie in the middle."""
    reconstruction: float = 1.5
    """Of the mean absolute error plus (1 - SSIM) to the image of which the latent is."""
    perceptual: float = 0.2
    """Of the distance to that image in the frozen blocks' features."""
    appearance: float = 0.1
    """Of the distance between the appearance dimensions read from the generator's image and from the decoder's."""
    low: float = 10.0
    """Of the mean change of areas of 16 x 16 pixels beyond `low_levels`, in 0..1 units."""
    low_levels: float = 10.0
    """Change of such an area, of 255, that costs nothing: diagnosis shows in colour too."""
    critic: float = 0.04
    """Of the critic's mean logit. More draws texture at the cost of SSIM."""


@dataclass(frozen=True)
class GeneratorConfig:
    """Length, rates and weights of the generator's training."""

    width: int = 192
    """As `generator_width` of `ModelConfig`: with it a decoded image takes about three times the decoder's own time."""
    steps: int = 2400
    """Batches; about 40 minutes on two cores."""
    own: int = 8
    """Latents of images as they are, in a batch."""
    swapped: int = 8
    """Latents with the ranking dimensions of an image of another diagnosis."""
    pairs: int = 4
    """Lesions in a batch that are drawn at both ends of one dimension."""
    rate: float = 1.5e-3
    """Peak learning rate of Adam, warmed up and annealed by a cosine."""
    critic_rate: float = 6e-4
    """Of the critic: the slower of the two, so that the generator can follow."""
    critic_from: float = 0.05
    """Share of the steps before which the critic learns, but nothing from it: its first logits mean nothing."""
    average: float = 0.995
    """Decay of the moving average of the weights, which is what gets exported."""
    noise: float = 0.006
    """Largest standard deviation of noise on an image before it is read, in 0..1 units. The encoder of 2026.11.5 read
    real images with an error of 0.03; with noise of 0.005 0.08, of 0.01 0.19, of 0.03 0.60: more than this and no
    drawing can be read."""
    clip: float = 5.0
    """Largest norm of a gradient."""
    precision: Literal["32-true", "bf16-mixed"] = "bf16-mixed"
    """bfloat16 is faster where the processor has it."""
    save_every_s: float = 120.0
    """Seconds between two states on disk, from which an interrupted run resumes."""
    log_every: int = 25
    """Steps between two lines of figures."""
    loss: GeneratorLoss = field(default_factory=GeneratorLoss)

    def flat(self) -> dict[str, str | int | float | bool | None]:
        """Return the settings by name, as the recipe of a bundle lists them."""
        left_out = {"loss", "save_every_s", "log_every"}
        own = {name: value for name, value in vars(self).items() if name not in left_out}
        weights = {f"loss.{name}": value for name, value in vars(self.loss).items()}
        return {f"generator.{name}": value for name, value in (own | weights).items()}
