"""Strided depthwise convolutions stay float32 where a processor computes in bfloat16."""

import torch
from torch import nn

from asc_experiments.models import build_model
from asc_experiments.models.layers import StridedDepthwiseConv2d, conv_norm


def test_strided_depthwise_convolution_computes_in_float32_within_bfloat16() -> None:
    layer, given = StridedDepthwiseConv2d(6, 6, 3, 2, 1, groups=6, bias=False), torch.randn(2, 6, 9, 8)
    expected = nn.functional.conv2d(given, layer.weight, None, 2, 1, 1, 6)
    with torch.autocast("cpu", torch.bfloat16):
        made, other = layer(given), nn.Conv2d(6, 6, 3)(given)
    assert (made.dtype, other.dtype) == (torch.float32, torch.bfloat16)
    assert torch.equal(made, expected)
    assert torch.equal(layer(given), expected)


def test_network_in_half_precision_computes_in_it() -> None:
    """As networks are handed in to the challenge: 16 bits a parameter."""
    model, given = build_model("cp_mobile", base_channels=8).eval(), torch.rand(2, 1, 64, 20)
    with torch.no_grad():
        expected, made = model(given), model.half()(given.half())
    assert made.dtype == torch.float16
    torch.testing.assert_close(made.float(), expected, atol=0.02, rtol=0.02)


def test_only_depthwise_convolutions_with_a_stride_are_of_that_kind() -> None:
    kinds = [
        type(conv_norm(channels, channels, 3, stride, groups=groups)[0])
        for channels, stride, groups in ((4, 2, 4), (4, (2, 1), 4), (4, 1, 4), (4, 2, 1), (1, 2, 1))
    ]
    assert kinds == [StridedDepthwiseConv2d, StridedDepthwiseConv2d, nn.Conv2d, nn.Conv2d, nn.Conv2d]
    assert any(isinstance(module, StridedDepthwiseConv2d) for module in build_model("cp_mobile").modules())
