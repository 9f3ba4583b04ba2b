"""A transformer's evaluation on a processor in bfloat16, with its weights rounded and laid out once."""

from __future__ import annotations

import copy
from typing import Literal

import torch
from torch import Tensor, nn

from asc_experiments.models.passt import Mlp
from asc_experiments.training.embedding import is_listened_to

_LEAST_WIDTH = 32
"""Narrower layers, such as a classifier, gain nothing."""
_ROWS = 880
"""Rows that a layer is laid out for, those of eight clips of a second in PaSST; it takes any number."""


def lowered(model: nn.Module) -> nn.Module:
    """A network that computes what another does under autocast to bfloat16, with its linear layers made ready for it.

    Autocast rounds a linear layer's weights for every batch, and oneDNN then lays them out for the processor's matrix
    units, each time; together they take a third of an evaluation of 8 clips (PyTorch 2.11.0). Here both are done once,
    and where a GELU follows in a transformer's block it is part of the product, computed before that is rounded.

    Args:
        model: in evaluation mode, which is not trained meanwhile; it stays as it is, and the two share what is not
            made ready, such as layers that somebody listens to.
    """
    if type(model) is nn.Linear:
        return model if is_listened_to(model) else _lowered_linear(model)
    parts = {name: None if child is None else lowered(child) for name, child in model._modules.items()}
    if all(parts[name] is child for name, child in model._modules.items()):
        return model
    other = copy.copy(model)
    other._modules = parts
    first = parts.get("fc1")
    if type(model) is Mlp and isinstance(first, _PackedLinear) and _is_plain_gelu(model.activation):
        first.activation, parts["activation"] = "gelu", nn.Identity()
    return other


def _is_plain_gelu(activation: nn.Module) -> bool:
    return type(activation) is nn.GELU and activation.approximate == "none" and not is_listened_to(activation)


def _lowered_linear(layer: nn.Linear) -> nn.Module:
    if min(layer.in_features, layer.out_features) >= _LEAST_WIDTH and _can_pack():
        return _PackedLinear(layer)
    other = nn.utils.skip_init(nn.Linear, layer.in_features, layer.out_features, layer.bias is not None)
    other.to(torch.bfloat16).load_state_dict(layer.state_dict())
    return other.requires_grad_(False).train(layer.training)


def _can_pack() -> bool:
    """Whether this PyTorch has the operations that its own compiler uses for packed weights."""
    names = ("_reorder_linear_weight", "_linear_pointwise")
    return torch.backends.mkldnn.is_available() and all(hasattr(torch.ops.mkldnn, name) for name in names)


class _PackedLinear(nn.Module):
    """A linear layer with bfloat16 weights in the order that the processor multiplies them in."""

    def __init__(self, layer: nn.Linear) -> None:
        super().__init__()
        self.in_features, self.out_features = layer.in_features, layer.out_features
        weight = layer.weight.detach().to(torch.bfloat16).contiguous()
        self._packed = torch.ops.mkldnn._reorder_linear_weight(weight, _ROWS)
        self.bias = None if layer.bias is None else layer.bias.detach().to(torch.bfloat16)
        self.activation: Literal["none", "gelu"] = "none"
        self.train(layer.training)

    @property
    def weight(self) -> Tensor:
        """``(out, in)`` bfloat16, for networks that look at it."""
        return self._packed.to_dense()

    def forward(self, x: Tensor) -> Tensor:
        """``(…, in)`` to ``(…, out)`` bfloat16."""
        x = x.to(torch.bfloat16)
        return torch.ops.mkldnn._linear_pointwise(x, self._packed, self.bias, self.activation, [], "none")
