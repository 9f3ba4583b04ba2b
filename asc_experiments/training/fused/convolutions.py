"""Convolutions whose gradients oneDNN takes long for, by operations that it does quickly; the same sums.

Milliseconds are of one thread of an Intel with AMX, PyTorch 2.11.0, a batch of 64 in bfloat16.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

_CHANNELS_LAST = torch.channels_last
_OF_PARITY = ((0, 0, 1), (1, 0, 2), (1, 1, 0))
"""A parity of places before the convolution, the place behind it that it is reached from (this, 0, or the next, 1), and
by which of three taps."""


def convolve(convolution: nn.Conv2d, x: Tensor) -> Tensor:
    """What the layer gives, in the numbers of the surrounding autocast, with a gradient that is quicker where one is.

    Args:
        convolution: any.
        x: ``(batch, channels, mels, frames)``.

    Returns:
        ``(batch, channels', mels', frames')``.
    """
    dtype = torch.get_autocast_dtype("cpu") if torch.is_autocast_enabled("cpu") else x.dtype
    is_plain = type(convolution) is nn.Conv2d and convolution.groups == 1 and convolution.bias is None
    if not is_plain or convolution.padding_mode != "zeros":
        return convolution(x)
    is_pointwise = convolution.kernel_size == (1, 1) and convolution.stride == (1, 1)
    is_halving = (convolution.kernel_size, convolution.stride, convolution.padding) == ((3, 3), (2, 2), (1, 1))
    if is_pointwise and convolution.padding == (0, 0):
        return _Pointwise.apply(x.to(dtype), convolution.weight)
    if is_halving and convolution.dilation == (1, 1) and dtype == torch.bfloat16:
        return _Halving.apply(x.to(dtype), convolution.weight)
    return convolution(x)


class _Pointwise(torch.autograd.Function):
    """A convolution of 1×1. As matrix products its gradients take 3.2 ms where oneDNN's convolution takes 5.2."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor) -> Tensor:
        rows, matrix = _rows(x), weight.detach().flatten(1).to(x.dtype)
        ctx.save_for_backward(rows, matrix)
        ctx.shape = x.shape
        return _image(rows @ matrix.t(), x.shape)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, dy: Tensor) -> tuple[Tensor | None, Tensor]:
        rows, matrix = ctx.saved_tensors
        drows = _rows(dy)
        dx = _image(drows @ matrix, ctx.shape) if ctx.needs_input_grad[0] else None
        return dx, (drows.t() @ rows).float()[:, :, None, None]


class _Halving(torch.autograd.Function):
    """A convolution of 3×3 with stride 2 and padding 1, in bfloat16."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor) -> Tensor:
        lowered = weight.detach().to(x.dtype).contiguous(memory_format=_CHANNELS_LAST)
        ctx.save_for_backward(x, lowered)
        return torch.conv2d(x, lowered, stride=2, padding=1)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, dy: Tensor) -> tuple[Tensor | None, Tensor]:
        x, weight = ctx.saved_tensors
        dx = _gradient_of_halved(dy, weight, x.shape) if ctx.needs_input_grad[0] else None
        # Of a single channel it takes 4.7 ms in bfloat16, and 1.1 in float32.
        numbers = torch.float32 if x.shape[1] == 1 else x.dtype
        arrays = (dy.to(numbers), x.to(numbers), weight.to(numbers))
        settings = ([2, 2], [1, 1], [1, 1], False, [0, 0], 1, [False, True, False])
        return dx, torch.ops.aten.convolution_backward(*arrays, None, *settings)[1].float()


def _gradient_of_halved(dy: Tensor, weight: Tensor, shape: torch.Size) -> Tensor:
    """The gradient before the convolution: even and odd places each by a convolution of 2×2 without a stride, in one.

    It takes 2.8 ms where oneDNN takes 7.7.

    Args:
        dy: ``(batch, channels', mels', frames')``.
        weight: ``(channels', channels, 3, 3)``.
        shape: of the gradient.
    """
    batch, channels, mels, frames = shape
    _, outputs, rows, columns = dy.shape
    kernel = weight.new_zeros(2, 2, channels, outputs, 2, 2)
    for row_parity, row, row_tap in _OF_PARITY:
        for column_parity, column, column_tap in _OF_PARITY:
            kernel[row_parity, column_parity, :, :, row, column] = weight[:, :, row_tap, column_tap].t()
    kernel = kernel.view(4 * channels, outputs, 2, 2).contiguous(memory_format=_CHANNELS_LAST)
    of_parities = torch.conv2d(nn.functional.pad(dy, (0, 1, 0, 1)), kernel).permute(0, 2, 3, 1)
    of_rows = of_parities.reshape(batch, rows, columns, 2, 2 * channels).transpose(2, 3)
    dx = of_rows.reshape(batch, 2 * rows, 2 * columns, channels)[:, :mels, :frames]
    return dx.permute(0, 3, 1, 2)


def _rows(x: Tensor) -> Tensor:
    """``(batch, channels, mels, frames)`` to ``(places, channels)``, which is how it lies in memory."""
    return x.permute(0, 2, 3, 1).reshape(-1, x.shape[1])


def _image(rows: Tensor, shape: torch.Size) -> Tensor:
    """``(places, channels)`` to ``(batch, channels, mels, frames)``, with as many places as a shape says."""
    batch, _, mels, frames = shape
    return rows.view(batch, mels, frames, -1).permute(0, 3, 1, 2)
