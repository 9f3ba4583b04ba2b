"""CP-Mobile: the student, and a family of small teachers.

F. Schmid et al., "Distilling the Knowledge of Transformers and CNNs with CP-Mobile", DCASE Workshop 2023, section 3.
The baseline of DCASE 2024 and 2025 task 1 is the same without global response normalisation, and with other strides.
State dicts carry the published names, so that published weights load as they are.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from asc_experiments.models.layers import classifier, conv_norm

_BLOCKS_PER_STAGE = (3, 2, 1)
STRIDES: dict[str, tuple[int, int]] = {"b2": (2, 2), "b4": (2, 1)}
"""Of the blocks that have one, in mels and frames, as published in 2023."""


def divisible(channels: float, divisor: int = 8) -> int:
    """The multiple of ``divisor`` nearest to ``channels``, but never more than 10 % below it (MobileNetV2)."""
    rounded = max(divisor, int(channels + divisor / 2) // divisor * divisor)
    return rounded + divisor if rounded < 0.9 * channels else rounded


class GlobalResponseNorm(nn.Module):
    """Global response normalisation with one scale and one shift (ConvNeXt V2, arXiv 2301.00808, section 3.2)."""

    def __init__(self) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.zeros(1))
        self.beta = nn.Parameter(torch.zeros(1))

    def forward(self, x: Tensor) -> Tensor:
        """Normalise ``(batch, channels, mels, frames)``."""
        response = torch.linalg.vector_norm(x, dim=(2, 3), keepdim=True)
        relative = response / (response.mean(dim=1, keepdim=True) + 1e-6)
        return x * (1 + self.gamma * relative) + self.beta


class CPMobileBlock(nn.Module):
    """Inverted bottleneck: expand, filter depthwise, project; a shortcut where the width stays."""

    def __init__(
        self, in_channels: int, out_channels: int, expansion_rate: float, stride: tuple[int, int], response_norm: bool
    ) -> None:
        super().__init__()
        expanded = divisible(in_channels * expansion_rate)
        self.block = nn.Sequential(
            conv_norm(in_channels, expanded, 1),
            conv_norm(expanded, expanded, 3, stride, groups=expanded),
            conv_norm(expanded, out_channels, 1, relu=False),
        )
        self.shortcut: nn.Module | None = None
        if in_channels == out_channels:
            self.shortcut = nn.Identity() if stride == (1, 1) else nn.AvgPool2d(3, stride, padding=1)
        self.after_block_norm = GlobalResponseNorm() if response_norm else nn.Identity()
        self.after_block_activation = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        """``(batch, in_channels, mels, frames)`` to ``(batch, out_channels, mels', frames')``."""
        y = self.block(x)
        if self.shortcut is not None:
            y = y + self.shortcut(x)
        return self.after_block_activation(self.after_block_norm(y))


class CPMobile(nn.Module):
    """The CP-Mobile network.

    Args:
        n_classes: number of scenes.
        base_channels: channels after the input convolutions.
        channels_multiplier: growth of the width from stage to stage.
        expansion_rate: width inside a block over the width at its input.
        strides: of the blocks that have one, by name (``b1`` to ``b6``), in mels and frames.
        response_norm: whether blocks end with global response normalisation.
    """

    def __init__(
        self,
        n_classes: int = 10,
        base_channels: int = 32,
        channels_multiplier: float = 2.3,
        expansion_rate: float = 3.0,
        strides: Mapping[str, tuple[int, int]] = STRIDES,
        response_norm: bool = True,
    ) -> None:
        super().__init__()
        base = divisible(base_channels)
        widths = [base] + [divisible(base * channels_multiplier**stage) for stage in range(len(_BLOCKS_PER_STAGE))]
        self.in_c = nn.Sequential(conv_norm(1, base // 4, 3, 2), conv_norm(base // 4, base, 3, 2))
        self.stages = nn.Sequential()
        number = 0
        for stage, n_blocks in enumerate(_BLOCKS_PER_STAGE):
            blocks = nn.Sequential()
            for index in range(n_blocks):
                number += 1
                name = f"b{number}"
                width_in = widths[stage] if index == 0 else widths[stage + 1]
                stride = strides.get(name, (1, 1))
                block = CPMobileBlock(width_in, widths[stage + 1], expansion_rate, stride, response_norm)
                blocks.add_module(name, block)
            self.stages.add_module(f"s{stage + 1}", blocks)
        self.feed_forward = classifier(widths[-1], n_classes)
        self.apply(_initialise)

    def forward(self, features: Tensor) -> Tensor:
        """Log-mels ``(batch, 1, mels, frames)`` to logits ``(batch, n_classes)``."""
        return self.feed_forward(self.stages(self.in_c(features)))


def _initialise(module: nn.Module) -> None:
    if isinstance(module, nn.Conv2d):
        nn.init.kaiming_normal_(module.weight, mode="fan_out")
