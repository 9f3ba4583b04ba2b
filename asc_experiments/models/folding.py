"""Batch norm folded into the convolutions before it: what a trained network computes, in half the memory traffic."""

from __future__ import annotations

import copy

from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval


def fold_batch_norm(model: nn.Module) -> nn.Module:
    """A copy in evaluation mode in which every batch norm is part of the convolution before it.

    Args:
        model: in which a batch norm comes right after its convolution among a module's members, as in all here.
    """
    folded = copy.deepcopy(model).eval()
    for module in list(folded.modules()):
        convolution = ""
        for name, member in list(module.named_children()):
            if isinstance(member, nn.Conv2d):
                convolution = name
            elif isinstance(member, nn.BatchNorm2d):
                setattr(module, convolution, fuse_conv_bn_eval(getattr(module, convolution), member))
                setattr(module, name, nn.Identity())
    return folded


def has_batch_norm(model: nn.Module) -> bool:
    """Whether there is anything to fold; a transformer need not be copied."""
    return any(isinstance(member, nn.BatchNorm2d) for member in model.modules())
