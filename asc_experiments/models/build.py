"""Build a network by the name of its architecture."""

from __future__ import annotations

import inspect
from typing import Any

from torch import nn

from asc_experiments.base.errors import nearest
from asc_experiments.models.cp_mobile import CPMobile
from asc_experiments.models.cp_resnet import CPResNet
from asc_experiments.models.passt import PaSST
from asc_experiments.models.sizes import SIZES

ARCHITECTURES: dict[str, type[nn.Module]] = {"cp_mobile": CPMobile, "cp_resnet": CPResNet, "passt": PaSST}


def build_model(arch: str, n_classes: int = 10, **settings: Any) -> nn.Module:
    """Build an untrained network that maps log-mels to logits.

    Args:
        arch: ``cp_mobile``, ``cp_resnet`` or ``passt``.
        n_classes: number of scenes.
        **settings: the architecture's own: ``base_channels``, ``channels_multiplier``, ``expansion_rate`` for
            CP-Mobile; ``base_channels`` for CP-ResNet; ``size`` or ``embed_dim``, ``depth``, ``num_heads``, and
            ``patchout_frequency`` for PaSST.

    Returns:
        A network from ``(batch, 1, mels, frames)`` to ``(batch, n_classes)``.

    Raises:
        ValueError: if the architecture, a setting or its value is not valid.

    Examples:
        >>> build_model("cp_mobile", n_classes=10, base_channels=64, channels_multiplier=1.8, expansion_rate=2.1)
    """
    if arch not in ARCHITECTURES:
        raise ValueError(f"unknown architecture '{arch}'; {nearest(arch, ARCHITECTURES)}")
    if arch == "passt" and "size" in settings:
        settings = _passt_size(**settings)
    network = ARCHITECTURES[arch]
    valid = set(inspect.signature(network).parameters) - {"n_classes"}
    for name in settings:
        if name not in valid:
            raise ValueError(f"{arch} has no setting '{name}'; {nearest(name, valid)}")
    return network(n_classes=n_classes, **settings)


def _passt_size(size: str, **settings: Any) -> dict[str, Any]:
    """Replace a named size by width, depth and heads; those given explicitly win."""
    if size not in SIZES:
        raise ValueError(f"unknown PaSST size '{size}'; {nearest(size, SIZES)}")
    width, depth, heads = SIZES[size]
    return {"embed_dim": width, "depth": depth, "num_heads": heads} | settings
