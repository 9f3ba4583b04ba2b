"""The compiled operations as PyTorch's, with their gradients."""

from __future__ import annotations

import ctypes
from ctypes import c_float, c_int, c_long, c_void_p
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from asc_experiments.training.fused.library import fused_training

_CHANNELS_LAST = torch.channels_last
_NAMES = {torch.float32: "float32", torch.bfloat16: "bfloat16"}


class _Norm(ctypes.Structure):
    """``Norm`` of kernels.cpp."""

    _fields_ = [(name, c_void_p) for name in ("weight", "bias", "running_mean", "running_var")] + [
        ("eps", c_float), ("momentum", c_float)
    ]  # fmt: skip


class _Sizes(ctypes.Structure):
    """``Sizes`` of kernels.cpp."""

    _fields_ = [(name, c_long) for name in ("images", "h", "w", "c", "stride_h", "stride_w")]


def norm(x: Tensor, of: nn.BatchNorm2d, relu: bool) -> Tensor:
    """A batch norm in training, with ReLU or not; ``(batch, channels, mels, frames)`` to the same."""
    return _NormRelu.apply(x, of.weight, of.bias, of, relu)


def depthwise(x: Tensor, norm1: nn.BatchNorm2d, filters: nn.Conv2d, norm2: nn.BatchNorm2d) -> Tensor:
    """Norm, ReLU, a depthwise convolution of 3×3, norm, ReLU.

    Args:
        x: ``(batch, channels, mels, frames)``.
        norm1: what comes before the convolution.
        filters: the convolution, padded by 1.
        norm2: what comes after it.

    Returns:
        ``(batch, channels, mels', frames')``.
    """
    weights = (norm1.weight, norm1.bias, filters.weight, norm2.weight, norm2.bias)
    return _Depthwise.apply(x, *weights, norm1, filters.stride, norm2)


def residual(
    x: Tensor, of: nn.BatchNorm2d, shortcut: Tensor | None, gamma: Tensor | None = None, beta: Tensor | None = None
) -> Tensor:
    """A block's end: norm, plus the shortcut if there is one, global response normalisation if there is one, ReLU.

    Args:
        x: ``(batch, channels, mels, frames)``.
        of: the norm.
        shortcut: the same shape.
        gamma: of the response normalisation, ``(1,)``.
        beta: of the response normalisation, ``(1,)``.
    """
    return _Residual.apply(x, shortcut, of.weight, of.bias, gamma, beta, of)


def average(x: Tensor, stride: tuple[int, int]) -> Tensor:
    """What ``nn.AvgPool2d(3, stride, padding=1)`` gives of ``(batch, channels, mels, frames)``."""
    return _Average.apply(x, stride)


class _NormRelu(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, of: nn.BatchNorm2d, relu: bool) -> Tensor:
        x, (n, c) = _ready(x), _places(x)
        y, k = torch.empty_like(x), torch.empty(4, c)
        _call("norm", x, x, n, c, _norm_of(of), int(relu), k, y)
        ctx.save_for_backward(x, k)
        ctx.relu = relu
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, dy: Tensor) -> tuple[Tensor | None, ...]:
        x, k = ctx.saved_tensors
        n, c = _places(x)
        dx, dweight, dbias = torch.empty_like(x), torch.empty(c), torch.empty(c)
        _call("norm_gradient", x, _ready(dy), x, n, c, k, int(ctx.relu), dx, dweight, dbias)
        return dx, dweight, dbias, None, None


class _Depthwise(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight1: Tensor, bias1: Tensor, filters: Tensor, weight2: Tensor, bias2: Tensor,
        norm1: nn.BatchNorm2d, stride: tuple[int, int], norm2: nn.BatchNorm2d,
    ) -> Tensor:  # fmt: skip
        x = _ready(x)
        images, c, h, w = x.shape
        taps = filters.detach().view(c, 9).t().contiguous()
        sizes = _Sizes(images, h, w, c, *stride)
        shape = images, c, (h - 1) // stride[0] + 1, (w - 1) // stride[1] + 1
        middle = torch.empty(shape, dtype=x.dtype, memory_format=_CHANNELS_LAST)
        y, k = torch.empty_like(middle), torch.empty(8, c)
        _call("depthwise", x, x, sizes, _norm_of(norm1), taps, _norm_of(norm2), k, middle, y)
        ctx.save_for_backward(x, middle, taps, k)
        ctx.sizes = sizes
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, dy: Tensor) -> tuple[Tensor | None, ...]:
        x, middle, taps, k = ctx.saved_tensors
        c = x.shape[1]
        dx, dtaps, dnorms = torch.empty_like(x), torch.empty(9, c), torch.empty(4, c)
        _call("depthwise_gradient", x, _ready(dy), x, middle, ctx.sizes, taps, k, dx, dtaps, dnorms)
        return dx, dnorms[0], dnorms[1], dtaps.t().reshape(c, 1, 3, 3), dnorms[2], dnorms[3], None, None, None


class _Residual(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, x: Tensor, shortcut: Tensor | None, weight: Tensor, bias: Tensor, gamma: Tensor | None,
        beta: Tensor | None, of: nn.BatchNorm2d,
    ) -> Tensor:  # fmt: skip
        x, (n, c), images = _ready(x), _places(x), len(x)
        shortcut = None if shortcut is None else _ready(shortcut.to(x.dtype))
        k, responses = torch.empty(4, c), torch.empty(images, c)
        before, y = torch.empty_like(x), torch.empty_like(x)
        sizes = images, n // max(images, 1), c
        _call("residual", x, x, shortcut, *sizes, _norm_of(of), gamma, beta, k, responses, before, y)
        ctx.save_for_backward(x, before, k, responses, gamma, beta)
        ctx.has_shortcut = shortcut is not None
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, dy: Tensor) -> tuple[Tensor | None, ...]:
        x, before, k, responses, gamma, beta = ctx.saved_tensors
        (n, c), images = _places(x), len(x)
        dbefore, dx = torch.empty_like(x), torch.empty_like(x)
        dweight, dbias, dresponse = torch.empty(c), torch.empty(c), torch.empty(2)
        arrays = (_ready(dy), x, before, images, n // max(images, 1), c, k, gamma, beta, responses)
        _call("residual_gradient", x, *arrays, dbefore, dx, dweight, dbias, dresponse)
        of_shortcut = dbefore if ctx.has_shortcut else None
        dgamma, dbeta = (None, None) if gamma is None else (dresponse[:1], dresponse[1:])
        return dx, of_shortcut, dweight, dbias, dgamma, dbeta, None


class _Average(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, stride: tuple[int, int]) -> Tensor:
        x = _ready(x)
        images, c, h, w = x.shape
        ctx.sizes, ctx.shape = _Sizes(images, h, w, c, *stride), x.shape
        shape = images, c, (h - 1) // stride[0] + 1, (w - 1) // stride[1] + 1
        y = torch.empty(shape, dtype=x.dtype, memory_format=_CHANNELS_LAST)
        _call("average", x, x, ctx.sizes, y, 0)
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, dy: Tensor) -> tuple[Tensor | None, ...]:
        dx = torch.empty(ctx.shape, dtype=dy.dtype, memory_format=_CHANNELS_LAST)
        _call("average", dy, _ready(dy), ctx.sizes, dx, 1)
        return dx, None


def _ready(x: Tensor) -> Tensor:
    return x.contiguous(memory_format=_CHANNELS_LAST)


def _places(x: Tensor) -> tuple[int, int]:
    """How many places there are in all images, and channels."""
    images, channels, mels, frames = x.shape
    return images * mels * frames, channels


def _norm_of(of: nn.BatchNorm2d) -> _Norm:
    mean, variance = of.running_mean, of.running_var
    assert mean is not None
    assert variance is not None
    assert of.momentum is not None
    assert of.num_batches_tracked is not None
    of.num_batches_tracked += 1
    pointers = (of.weight.data_ptr(), of.bias.data_ptr(), mean.data_ptr(), variance.data_ptr())
    return _Norm(*pointers, of.eps, of.momentum)


def _call(name: str, of: Tensor, *arguments: Any) -> None:
    """Call an operation for the numbers of a tensor, on as many threads as PyTorch would use."""
    library = fused_training()
    assert library is not None, "networks are fused only where the library is"
    failed = getattr(library, f"{name}_{_NAMES[of.dtype]}")(*map(_argument, arguments), c_int(torch.get_num_threads()))
    if failed:
        raise MemoryError(f"no memory for {name} of {tuple(of.shape)}")


def _argument(value: Any) -> Any:
    if isinstance(value, Tensor):
        return c_void_p(value.data_ptr())
    if isinstance(value, ctypes.Structure):
        return ctypes.byref(value)
    return c_void_p() if value is None else c_long(value)
