import pytest
import torch
from torch.nn import functional

from training.models.depthwise import depthwise_convolution


@pytest.mark.parametrize(("kernel", "stride"), [(3, 1), (5, 1), (3, 2), (5, 2)])
def test_depthwise_convolution__has_the_gradient_of_conv2d(kernel: int, stride: int) -> None:
    torch.manual_seed(0)
    x = torch.randn(2, 8, 9, 11, requires_grad=True)
    weight = torch.randn(8, 1, kernel, kernel, requires_grad=True)
    wanted = functional.conv2d(x, weight, None, stride, kernel // 2, groups=8)
    towards = torch.randn_like(wanted)
    expected = torch.autograd.grad(wanted, (x, weight), towards)
    with torch.autocast("cpu", torch.bfloat16):
        result = depthwise_convolution(x, weight, (stride, stride), (kernel // 2, kernel // 2))
    assert result.dtype == torch.bfloat16
    torch.testing.assert_close(result.float(), wanted, atol=0.1, rtol=0.05)
    for ours, theirs in zip(torch.autograd.grad(result, (x, weight), towards), expected, strict=True):
        torch.testing.assert_close(ours, theirs, atol=0.3, rtol=0.05)
