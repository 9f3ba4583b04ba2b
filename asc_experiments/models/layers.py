"""Layers that the convolutional networks share."""

from __future__ import annotations

from collections import OrderedDict

import torch
from torch import Tensor, nn


class StridedDepthwiseConv2d(nn.Conv2d):
    """A depthwise convolution with a stride, on a processor in its weights' numbers even where all else is bfloat16.

    Its gradient takes oneDNN ten times as long in bfloat16, a third of the whole network's step. The name ends as that
    of PyTorch's layer because torchinfo counts what has "Conv" in its class's name as a convolution, and nothing else.
    """

    def forward(self, input: Tensor) -> Tensor:
        """``(batch, channels, mels, frames)`` to ``(batch, channels, mels', frames')``."""
        if input.device.type != "cpu":
            return super().forward(input)
        with torch.autocast("cpu", enabled=False):
            return super().forward(input.to(self.weight.dtype))


def conv_norm(
    in_channels: int,
    out_channels: int,
    kernel: int,
    stride: int | tuple[int, int] = 1,
    padding: int | None = None,
    groups: int = 1,
    relu: bool = True,
) -> nn.Sequential:
    """Convolution without bias, batch norm and optionally ReLU, as members 0, 1 and 2 (the published names)."""
    padding = (kernel - 1) // 2 if padding is None else padding
    kind = StridedDepthwiseConv2d if groups == in_channels > 1 and stride not in (1, (1, 1)) else nn.Conv2d
    conv = kind(in_channels, out_channels, kernel, stride, padding, groups=groups, bias=False)
    layers: list[nn.Module] = [conv, nn.BatchNorm2d(out_channels)]
    return nn.Sequential(*layers, nn.ReLU(inplace=True)) if relu else nn.Sequential(*layers)


def classifier(in_channels: int, n_classes: int) -> nn.Sequential:
    """1×1 convolution, batch norm, average over mels and frames: ``(batch, channels, …)`` to ``(batch, n_classes)``."""
    return nn.Sequential(
        OrderedDict(
            [
                ("0", nn.Conv2d(in_channels, n_classes, 1, bias=False)),
                ("1", nn.BatchNorm2d(n_classes)),
                ("2", nn.AdaptiveAvgPool2d(1)),
                ("3", nn.Flatten()),
            ]
        )
    )
