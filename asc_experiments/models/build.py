"""Build a network by the name of its architecture."""

from __future__ import annotations

from typing import Any

from torch import nn

from asc_experiments.base.errors import nearest
from asc_experiments.models.architecture import Architecture
from asc_experiments.models.architectures import ARCHITECTURES


def build_model(arch: str, n_classes: int = 10, **settings: Any) -> nn.Module:
    """Build an untrained network that maps log-mels to logits.

    Args:
        arch: ``cp_mobile``, ``cp_resnet``, ``passt``, or one of an installed package.
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
    known = ARCHITECTURES[arch]
    if "size" in settings and known.named_sizes:
        settings = _named_size(known, **settings)
    valid = set(known.settings.model_fields) - {"arch", "pretrained"}
    for name in settings:
        if name not in valid:
            raise ValueError(f"{arch} has no setting '{name}'; {nearest(name, valid)}")
    return known.build(n_classes=n_classes, **settings)


def _named_size(known: Architecture, size: str, **settings: Any) -> dict[str, Any]:
    """Replace a named size by its settings; those given explicitly win."""
    if size not in known.named_sizes:
        raise ValueError(f"unknown {known.name} size '{size}'; {nearest(size, known.named_sizes)}")
    return {**known.named_sizes[size], **settings}
