"""CP-ResNet: a residual network with a restricted receptive field, the published convolutional teacher.

K. Koutini et al., "Receptive Field Regularization Techniques for Audio Classification and Tagging with Deep
Convolutional Neural Networks", TASLP 2021; in the configuration of the DCASE 2023 winner: rho 8, stage 3 narrowed by
36 channels, stage 2 grouped by 2. State dicts carry the published names.
"""

from __future__ import annotations

import math
from collections import OrderedDict

from torch import Tensor, nn

from asc_experiments.models.layers import classifier, conv_norm

_STAGE3_CUT = 36
_STAGE3_LEAST = 4
"""What the cut leaves at 10 base channels; at 8 it would leave nothing."""
_N_BLOCKS = 4


class BasicBlock(nn.Module):
    """Two convolutions and a shortcut. Kernels of 3 keep the size, kernels of 1 do not look around."""

    def __init__(self, in_channels: int, out_channels: int, kernels: tuple[int, int], groups: int = 1) -> None:
        super().__init__()
        first, second = kernels
        self.conv1 = nn.Conv2d(in_channels, out_channels, first, padding=first // 3, groups=groups, bias=False)
        self.bn1 = nn.BatchNorm2d(out_channels)
        self.conv2 = nn.Conv2d(out_channels, out_channels, second, padding=second // 3, groups=groups, bias=False)
        self.bn2 = nn.BatchNorm2d(out_channels)
        self.relu = nn.ReLU(inplace=True)
        self.shortcut = nn.Sequential()
        if in_channels != out_channels:
            self.shortcut.add_module("conv", nn.Conv2d(in_channels, out_channels, 1, groups=groups, bias=False))
            self.shortcut.add_module("bn", nn.BatchNorm2d(out_channels))

    def forward(self, x: Tensor) -> Tensor:
        """``(batch, in_channels, mels, frames)`` to ``(batch, out_channels, mels, frames)``."""
        y = self.relu(self.bn1(self.conv1(x)))
        return self.relu(self.bn2(self.conv2(y)) + self.shortcut(x))


class CPResNet(nn.Module):
    """The CP-ResNet network.

    Args:
        n_classes: number of scenes.
        base_channels: width of stage 1; stage 2 is twice as wide, stage 3 four times less 36,
            but at least 4.

    Raises:
        ValueError: if ``base_channels`` is below 8 or cannot be grouped.
    """

    def __init__(self, n_classes: int = 10, base_channels: int = 32) -> None:
        super().__init__()
        if base_channels < 8 or base_channels % 2:
            raise ValueError(f"CP-ResNet needs an even base_channels of at least 8, not {base_channels}")
        wide, widest = 2 * base_channels, max(4 * base_channels - _STAGE3_CUT, _STAGE3_LEAST)
        self.in_c = conv_norm(1, base_channels, 5, stride=2, padding=1)
        self.stage1 = nn.Sequential(
            OrderedDict(
                [
                    ("maxpool0_0", nn.MaxPool2d(2)),
                    ("block1", BasicBlock(base_channels, base_channels, (3, 1))),
                    ("maxpool1_1", nn.MaxPool2d((2, 1))),
                    ("block2", BasicBlock(base_channels, base_channels, (3, 3))),
                    ("maxpool2_2", nn.MaxPool2d((2, 1))),
                ]
            )
        )
        self.stage2 = nn.Sequential(OrderedDict(block1=BasicBlock(base_channels, wide, (3, 3), groups=2)))
        self.stage3 = nn.Sequential(OrderedDict(block1=BasicBlock(wide, widest, (3, 1))))
        self.feed_forward = classifier(widest, n_classes)
        self.apply(_initialise)
        nn.init.zeros_(self.feed_forward[0].weight)  # type: ignore[arg-type]

    def forward(self, features: Tensor) -> Tensor:
        """Log-mels ``(batch, 1, mels, frames)`` to logits ``(batch, n_classes)``."""
        return self.feed_forward(self.stage3(self.stage2(self.stage1(self.in_c(features)))))


def _initialise(module: nn.Module) -> None:
    """He initialisation, and Fixup inside the blocks: each starts as (nearly) the identity."""
    if isinstance(module, BasicBlock):
        _he(module.conv1, 1 / math.sqrt(_N_BLOCKS))
        nn.init.zeros_(module.conv2.weight)
        if len(module.shortcut):
            _he(module.shortcut[0], 1.0)
    elif isinstance(module, nn.Conv2d):
        nn.init.kaiming_normal_(module.weight, mode="fan_in", nonlinearity="relu")


def _he(conv: nn.Module, scale: float) -> None:
    assert isinstance(conv, nn.Conv2d)
    fan = conv.kernel_size[0] * conv.kernel_size[1] * conv.out_channels
    nn.init.normal_(conv.weight, 0.0, scale * math.sqrt(2.0 / fan))
