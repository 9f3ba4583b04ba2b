"""Networks whose blocks are trained by the fused operations."""

from __future__ import annotations

import copy
from typing import cast

import torch
from torch import Tensor, nn

from asc_experiments.models.cp_mobile import CPMobileBlock, GlobalResponseNorm
from asc_experiments.models.cp_resnet import BasicBlock
from asc_experiments.training.embedding import is_listened_to
from asc_experiments.training.fused import operations
from asc_experiments.training.fused.convolutions import convolve
from asc_experiments.training.fused.library import fused_training

_CHANNELS = 8
"""Operations take a multiple of so many."""
_LONGEST_STRIDE = 2
_CONV_NORM = 2
"""A convolution and a norm; what comes behind them is ReLU."""


def fuse(model: nn.Module, heard: str = "") -> nn.Module:
    """A network that computes in training what another does, on the same parameters and running statistics.

    Blocks of CP-Mobile and CP-ResNet are fused, and elsewhere a batch norm with the ReLU behind it, where both follow
    a convolution in a sequence; everything else stays as it is.

    Args:
        model: on a processor.
        heard: the name of a module that is listened to, and so must stay.

    Returns:
        The model itself where there is nothing to fuse, or no compiled operations.
    """
    if fused_training() is None or next(model.parameters()).device.type != "cpu":
        return model
    fused = _fused(model)
    if fused is None or (heard and heard not in dict(fused.named_modules())):
        return model
    return fused


def _fused(module: nn.Module) -> nn.Module | None:
    """The fused form of a module, or ``None`` where none of it can be."""
    if not is_listened_to(module):
        if isinstance(module, CPMobileBlock) and _FusedInvertedBottleneck.fits(module):
            return _FusedInvertedBottleneck(module)
        if isinstance(module, BasicBlock) and _FusedBasicBlock.fits(module):
            return _FusedBasicBlock(module)
        if type(module) is nn.Sequential and _is_conv_norm(module):
            return _FusedConvNorm(module)
    parts = {name: part for name, child in module.named_children() if (part := _fused(child)) is not None}
    if not parts:
        return None
    fused = copy.copy(module)  # shares parameters, buffers, and the children that stay
    fused._modules = {**module._modules, **parts}
    return fused


def _can_be_fused(norm: nn.Module) -> bool:
    return (
        isinstance(norm, nn.BatchNorm2d)
        and norm.affine
        and norm.track_running_stats
        and norm.momentum is not None
        and norm.num_features % _CHANNELS == 0
        and norm.weight.dtype == torch.float32
    )


def _is_conv_norm(sequence: nn.Sequential) -> bool:
    kinds = [type(each) for each in sequence]
    is_known = kinds[1:] in ([nn.BatchNorm2d], [nn.BatchNorm2d, nn.ReLU]) and issubclass(kinds[0], nn.Conv2d)
    return is_known and _can_be_fused(sequence[1])


class _FusedConvNorm(nn.Module):
    """A convolution and its norm, with or without ReLU."""

    def __init__(self, sequence: nn.Sequential) -> None:
        super().__init__()
        self.convolution, self.norm = _pair(sequence)
        self.relu = len(sequence) > _CONV_NORM

    def forward(self, x: Tensor) -> Tensor:
        x = convolve(self.convolution, x)
        if self.norm.training:
            return operations.norm(x, self.norm, self.relu)
        return self.norm(x).relu() if self.relu else self.norm(x)  # somebody keeps its statistics as they are


class _FusedBlock(nn.Module):
    """A block that computes by itself where somebody keeps statistics of its norms as they are."""

    def __init__(self, block: nn.Module, *norms: nn.BatchNorm2d) -> None:
        super().__init__()
        self._whole = (block, norms)  # a tuple, as modules of the network itself are no parts of this one

    def forward(self, x: Tensor) -> Tensor:
        block, norms = self._whole
        if not all(norm.training for norm in norms):
            return cast(Tensor, block(x))
        return self._fused(x)

    def _fused(self, x: Tensor) -> Tensor:
        raise NotImplementedError


class _FusedInvertedBottleneck(_FusedBlock):
    """A block of CP-Mobile."""

    def __init__(self, block: CPMobileBlock) -> None:
        super().__init__(block, *(_pair(each)[1] for each in block.block))
        (self.expand, self.norm1), (self.filters, self.norm2), (self.project, self.norm3) = map(_pair, block.block)
        self.shortcut = block.shortcut
        self.response = block.after_block_norm

    @staticmethod
    def fits(block: CPMobileBlock) -> bool:
        if not all(_begins_with_pair(each) for each in block.block):
            return False
        (expand, _), (filters, _), _ = map(_pair, block.block)
        return (
            (filters.kernel_size, filters.padding) == ((3, 3), (1, 1))
            and max(filters.stride) <= _LONGEST_STRIDE
            and expand.in_channels % _CHANNELS == 0
            and type(block.after_block_norm) in (GlobalResponseNorm, nn.Identity)
        )

    def _fused(self, x: Tensor) -> Tensor:
        y = operations.depthwise(convolve(self.expand, x), self.norm1, self.filters, self.norm2)
        gamma, beta = getattr(self.response, "gamma", None), getattr(self.response, "beta", None)
        return operations.residual(convolve(self.project, y), self.norm3, self._past(x), gamma, beta)

    def _past(self, x: Tensor) -> Tensor | None:
        """What goes past the block."""
        if not isinstance(self.shortcut, nn.AvgPool2d):
            return None if self.shortcut is None else x
        stride = self.shortcut.stride
        assert isinstance(stride, tuple)
        return operations.average(x, stride)


class _FusedBasicBlock(_FusedBlock):
    """A block of CP-ResNet."""

    def __init__(self, block: BasicBlock) -> None:
        super().__init__(block, block.bn1, block.bn2)
        self.conv1, self.bn1, self.conv2, self.bn2 = block.conv1, block.bn1, block.conv2, block.bn2
        self.shortcut = _FusedConvNorm(block.shortcut) if len(block.shortcut) else nn.Identity()

    @staticmethod
    def fits(block: BasicBlock) -> bool:
        has_shortcut = len(block.shortcut) > 0
        return all(map(_can_be_fused, (block.bn1, block.bn2))) and (
            not has_shortcut or _begins_with_pair(block.shortcut)
        )

    def _fused(self, x: Tensor) -> Tensor:
        y = operations.norm(convolve(self.conv1, x), self.bn1, relu=True)
        return operations.residual(convolve(self.conv2, y), self.bn2, self.shortcut(x))


def _begins_with_pair(sequence: nn.Module) -> bool:
    """Whether a sequence still is what its class made it: batch norms may have been folded, convolutions replaced."""
    first, second = list(sequence.children())[:_CONV_NORM]
    return isinstance(first, nn.Conv2d) and _can_be_fused(second)


def _pair(sequence: nn.Module) -> tuple[nn.Conv2d, nn.BatchNorm2d]:
    """The convolution and the norm that a sequence begins with."""
    convolution, norm = list(sequence.children())[:_CONV_NORM]
    assert isinstance(convolution, nn.Conv2d)
    assert isinstance(norm, nn.BatchNorm2d)
    return convolution, norm
