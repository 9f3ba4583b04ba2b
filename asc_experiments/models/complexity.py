"""Parameters and multiply-accumulate operations of a network: the one place where they are counted, by two rules.

Convolutions, linear layers and products of matrices are counted as ptflops does it, with biases as an operation each.
Attention in one of PyTorch's fused kernels, which ptflops gives nothing for, counts as the two products that it is.
Norms, activations and the softmax count nothing.

DCASE 2024 and 2025 task 1 count with torchinfo instead, and bytes of parameters by their data types: at most 30 million
MACs for one second of sound and 128,000 bytes. Batch norm counts there; a linear layer counts once, however many tokens
it is applied to, and attention's products count nothing, so that it is no measure of a transformer.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn


@dataclass(frozen=True)
class Complexity:
    """What a network costs: parameters, and MACs for one input.

    Attributes:
        parameters: how many.
        macs: MACs, counted as ptflops does it.
        macs_torchinfo: MACs by torchinfo: the challenge's rule.
        bytes: of the parameters, each as long as its data type: the challenge's rule. Buffers count nothing.
    """

    parameters: int
    macs: int
    macs_torchinfo: int
    bytes: int


def measure_complexity(model: nn.Module, mels: int, frames: int) -> Complexity:
    """Count a network's parameters and its MACs for one input of ``(1, 1, mels, frames)`` in evaluation mode.

    The figures are the same whatever autocast, gradient mode or model's mode this is called in.
    """
    was_training, like = model.training, next(model.parameters())
    try:
        model.eval()
        macs = count_macs(lambda: model(torch.ones(1, 1, mels, frames, dtype=like.dtype, device=like.device)))
        by_torchinfo = count_by_torchinfo(model, mels, frames)
    finally:
        model.train(was_training)
    parameters = list(model.parameters())
    size = sum(each.numel() * each.element_size() for each in parameters)
    return Complexity(sum(each.numel() for each in parameters), macs, by_torchinfo, size)


def count_by_torchinfo(model: nn.Module, mels: int, frames: int) -> int:
    """MACs for one input of ``(1, 1, mels, frames)`` by torchinfo, on a copy in float32 where the model is not.

    torchinfo tells a convolution by its class's name, which has to have "Conv" in it.
    """
    from torchinfo import torchinfo

    like = next(model.parameters())
    counted = model if all(p.dtype == torch.float32 for p in model.parameters()) else copy.deepcopy(model).float()
    cpu, gpu = (torch.autocast(device, enabled=False) for device in ("cpu", "cuda"))
    with torch.inference_mode(False), cpu, gpu:
        given = torch.ones(1, 1, mels, frames, device=like.device)  # of a size alone it would draw random numbers
        found = torchinfo.summary(counted, input_data=given, verbose=0)
    torchinfo.clear_cached_forward_pass()  # else it holds the network until the next one of its class is counted
    return int(found.total_mult_adds)


def count_macs(forward: Callable[[], object]) -> int:
    """Carry out a forward pass, in the numbers that its operands are, and count its MACs.

    Args:
        forward: makes its input itself, since tensors that were made in inference mode are not counted.
    """
    from ptflops.aten_engine import FlopCounterMode

    _let_no_compiler_be_loaded(FlopCounterMode)
    counter = FlopCounterMode(custom_hooks=dict.fromkeys(_fused_attention(), _attention_macs))
    # In inference mode a linear layer is not taken apart into what ptflops knows: everything would count nothing.
    cpu, gpu = (torch.autocast(device, enabled=False) for device in ("cpu", "cuda"))
    with torch.inference_mode(False), torch.no_grad(), cpu, gpu, counter:
        forward()
    return int(counter.complexity)


def _attention_macs(inputs: tuple[Any, ...], outputs: object) -> int:
    """MACs of scaled dot-product attention: queries with keys, and their weights with values.

    Args:
        inputs: query ``(batch, heads, queries, width)``, key ``(batch, heads, keys, width)``, value ``(batch, heads,
            keys, width of a value)``, and the kernel's settings.
        outputs: not needed.
    """
    query, key, value = (tensor.shape for tensor in inputs[:3])
    batch, heads, queries, width = query
    return int(batch * heads * queries * key[-2] * (width + value[-1]))


def _fused_attention() -> list[Any]:
    """PyTorch's kernels of attention, on every device; one that it takes apart is counted by its parts."""
    names = (
        "_scaled_dot_product_flash_attention_for_cpu",
        "_scaled_dot_product_flash_attention",
        "_scaled_dot_product_efficient_attention",
        "_scaled_dot_product_cudnn_attention",
        "_scaled_dot_product_fused_attention_overrideable",
    )
    return [getattr(torch.ops.aten, name) for name in names if hasattr(torch.ops.aten, name)]


def _let_no_compiler_be_loaded(counter: type) -> None:
    """Tell PyTorch that this mode needs no protection from ``torch.compile``.

    PyTorch loads the whole compiler, which takes more than a second, to switch it off for the mode's method, and notes
    on the method that it did. With the note there it does not look. Nothing is compiled here in either case.
    """
    method = getattr(counter.__dict__.get("__torch_dispatch__"), "__wrapped__", None)
    if method is not None and not hasattr(method, "__dynamo_disable"):
        setattr(method, "__dynamo_disable", method)
