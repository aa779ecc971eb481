"""Depthwise convolution whose gradient is computed in float32.

oneDNN runs a depthwise convolution forward in bfloat16 twice as fast as in float32, but its gradient three to ten times
slower (a 5 x 5 filter over 1152 channels: 43 against 14 ms). Half of a training step of EfficientNet-Lite0 went there.
"""

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional


class _Depthwise(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, stride: tuple[int, int], padding: tuple[int, int]) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.stride, ctx.padding = stride, padding
        return functional.conv2d(x, weight, None, stride, padding, groups=x.shape[1])

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        x, weight = ctx.saved_tensors
        of_input, of_weight, _ = torch.ops.aten.convolution_backward(
            gradients[0].float(), x.float(), weight.float(), None, ctx.stride, ctx.padding, (1, 1), False, (0, 0),
            x.shape[1], (ctx.needs_input_grad[0], ctx.needs_input_grad[1], False),
        )  # fmt: skip
        return (
            None if of_input is None else of_input.to(x.dtype),
            None if of_weight is None else of_weight.to(weight.dtype),
            None,
            None,
        )


def depthwise_convolution(x: Tensor, weight: Tensor, stride: tuple[int, ...], padding: tuple[int, ...] | str) -> Tensor:
    """Return [B,C,h,w] of x [B,C,H,W], each channel under its own filter of weight [C,1,k,k], as `conv2d` would."""
    device = x.device.type
    if device != "cpu" or not torch.is_autocast_enabled(device):
        return functional.conv2d(x, weight, None, stride, padding, groups=x.shape[1])
    narrow = torch.get_autocast_dtype(device)
    with torch.autocast(device, enabled=False):
        result: Tensor = _Depthwise.apply(x.to(narrow), weight.to(narrow), stride, padding)  # type: ignore[no-untyped-call]
    return result
