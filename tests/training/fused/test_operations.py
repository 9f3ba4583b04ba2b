"""Fused operations give what PyTorch's layers give, and the same gradients."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from asc_experiments.training.fused import fused_training, operations
from asc_experiments.training.fused.convolutions import convolve

pytestmark = pytest.mark.skipif(fused_training() is None, reason="no C++ compiler, or no AVX-512")

_CLOSE = {torch.float32: 2e-5, torch.bfloat16: 0.2}
"""Relative, in the norm: bfloat16 has eight bits, and lets a few ReLUs fall to the other side."""


def _images(*shape: int, dtype: torch.dtype = torch.float32) -> Tensor:
    values = torch.randn(*shape).to(dtype).to(memory_format=torch.channels_last)
    return values.requires_grad_()


def _norm(channels: int) -> nn.BatchNorm2d:
    norm = nn.BatchNorm2d(channels)
    nn.init.uniform_(norm.weight, 0.5, 1.5)
    nn.init.normal_(norm.bias)
    return norm


def _double(module: nn.Module) -> nn.Module:
    """The same layer in float64, to compare with."""
    copy = type(module)(**_settings(module)).double()
    copy.load_state_dict(module.state_dict())
    return copy


def _settings(module: nn.Module) -> dict[str, object]:
    if isinstance(module, nn.BatchNorm2d):
        return {"num_features": module.num_features}
    assert isinstance(module, nn.Conv2d)
    names = ("in_channels", "out_channels", "kernel_size", "stride", "padding", "groups")
    return {name: getattr(module, name) for name in names} | {"bias": False}


def _compare(
    ours: Callable[..., Tensor], theirs: Callable[..., Tensor], inputs: list[Tensor], layers: list[nn.Module]
) -> None:
    """Both on the same inputs and layers, theirs in float64: outputs, gradients, running statistics."""
    close = _CLOSE[inputs[0].dtype]
    exact = [_double(layer) for layer in layers]
    exact_inputs = [each.detach().double().requires_grad_() for each in inputs]
    output, expected = ours(*inputs, *layers), theirs(*exact_inputs, *exact)
    assert output.dtype == inputs[0].dtype
    _assert_close(output, expected, close)
    gradient = torch.randn(expected.shape).to(output.dtype)
    output.backward(gradient)
    expected.backward(gradient.double())
    for ours_of, theirs_of in zip(inputs, exact_inputs, strict=True):
        _assert_close(ours_of.grad, theirs_of.grad, close)
    for layer, of_exact in zip(layers, exact, strict=True):
        for name, parameter in layer.named_parameters():
            assert parameter.grad is not None
            assert parameter.grad.dtype == torch.float32
            _assert_close(parameter.grad, of_exact.get_parameter(name).grad, close, name)
        for name, buffer in layer.named_buffers():
            _assert_close(buffer.double(), of_exact.get_buffer(name).double(), close, name)


def _assert_close(ours: Tensor | None, theirs: Tensor | None, close: float, what: str = "") -> None:
    assert ours is not None
    assert theirs is not None
    assert (ours.double() - theirs).norm() <= close * theirs.norm() + 1e-9, what


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(4)


@pytest.mark.parametrize("dtype", _CLOSE, ids=str)
@pytest.mark.parametrize("relu", [True, False])
@pytest.mark.parametrize("channels", [8, 24, 32])
def test_norm(channels: int, relu: bool, dtype: torch.dtype) -> None:
    def theirs(x: Tensor, norm: nn.Module) -> Tensor:
        return F.relu(norm(x)) if relu else norm(x)

    _compare(
        lambda x, norm: operations.norm(x, norm, relu),
        theirs,
        [_images(5, channels, 7, 9, dtype=dtype)],
        [_norm(channels)],
    )


@pytest.mark.parametrize("away", [10.0, 100.0, 1000.0])
def test_norm_of_numbers_that_lie_close_together_and_far_from_zero(away: float) -> None:
    x, norm = _images(16, 8, 64, 32).detach() - away, _norm(8)
    exact = _double(norm)
    error = (operations.norm(x, norm, relu=False).double() - exact(x.double())).norm() / x.numel() ** 0.5
    assert error < 1e-6 * away
    torch.testing.assert_close(norm.running_var.double(), exact.running_var)  # type: ignore[union-attr]


@pytest.mark.parametrize("dtype", _CLOSE, ids=str)
@pytest.mark.parametrize("size", [(8, 5), (7, 6), (1, 1), (2, 70)])
@pytest.mark.parametrize("stride", [(1, 1), (2, 2), (2, 1), (1, 2)])
@pytest.mark.parametrize("channels", [8, 40])
def test_depthwise(channels: int, stride: tuple[int, int], size: tuple[int, int], dtype: torch.dtype) -> None:
    filters = nn.Conv2d(channels, channels, 3, stride, padding=1, groups=channels, bias=False)

    def theirs(x: Tensor, norm1: nn.Module, conv: nn.Module, norm2: nn.Module) -> Tensor:
        return F.relu(norm2(conv(F.relu(norm1(x)))))

    x = _images(6, channels, *size, dtype=dtype)
    _compare(operations.depthwise, theirs, [x], [_norm(channels), filters, _norm(channels)])


@pytest.mark.parametrize("dtype", _CLOSE, ids=str)
@pytest.mark.parametrize("has_shortcut", [True, False])
@pytest.mark.parametrize("responds", [True, False])
def test_residual(responds: bool, has_shortcut: bool, dtype: torch.dtype) -> None:
    gamma, beta = (torch.tensor([0.7]), torch.tensor([-0.2])) if responds else (None, None)
    for each in (gamma, beta):
        if each is not None:
            each.requires_grad_()
    exact = [None if each is None else each.detach().double().requires_grad_() for each in (gamma, beta)]

    def ours(x: Tensor, *rest: object) -> Tensor:
        *shortcut, norm = rest
        return operations.residual(x, norm, shortcut[0] if shortcut else None, gamma, beta)  # type: ignore[arg-type]

    def theirs(x: Tensor, *rest: object) -> Tensor:
        *shortcut, norm = rest
        x = norm(x) + (shortcut[0] if shortcut else 0)  # type: ignore[operator]
        if responds:
            response = torch.linalg.vector_norm(x, dim=(2, 3), keepdim=True)
            relative = response / (response.mean(dim=1, keepdim=True) + 1e-6)
            x = x * (1 + exact[0] * relative) + exact[1]
        return F.relu(x)

    inputs = [_images(5, 24, 6, 7, dtype=dtype) for _ in range(1 + has_shortcut)]
    _compare(ours, theirs, inputs, [_norm(24)])
    for each, of_exact in zip((gamma, beta), exact, strict=True):
        if each is not None and of_exact is not None:
            _assert_close(each.grad, of_exact.grad, _CLOSE[dtype])


@pytest.mark.parametrize("dtype", _CLOSE, ids=str)
@pytest.mark.parametrize("size", [(8, 5), (7, 6), (1, 1)])
@pytest.mark.parametrize("stride", [(2, 2), (2, 1), (1, 1)])
def test_average(stride: tuple[int, int], size: tuple[int, int], dtype: torch.dtype) -> None:
    x = _images(3, 24, *size, dtype=dtype)
    _compare(lambda x: operations.average(x, stride), lambda x: F.avg_pool2d(x, 3, stride, padding=1), [x], [])


@pytest.mark.parametrize("dtype", _CLOSE, ids=str)
@pytest.mark.parametrize("size", [(8, 5), (7, 6), (2, 3)])
@pytest.mark.parametrize(
    "layer",
    [(16, 40, 1, 1, 0), (8, 32, 3, 2, 1), (1, 8, 3, 2, 1), (8, 16, 3, 1, 1), (8, 16, 1, 2, 0)],
    ids=["pointwise", "halving", "halving, one channel", "neither", "sparse"],
)
def test_convolve(layer: tuple[int, ...], size: tuple[int, int], dtype: torch.dtype) -> None:
    convolution = nn.Conv2d(*layer, bias=False)
    x = _images(3, layer[0], *size, dtype=dtype)

    def ours(x: Tensor, convolution: nn.Conv2d) -> Tensor:
        with torch.autocast("cpu", torch.bfloat16, enabled=dtype == torch.bfloat16):
            return convolve(convolution, x)

    _compare(ours, lambda x, convolution: convolution(x), [x], [convolution])


@pytest.mark.parametrize("dtype", _CLOSE, ids=str)
def test_another_padding_than_zeros_is_kept(dtype: torch.dtype) -> None:
    convolution = nn.Conv2d(8, 16, 3, 2, padding=1, padding_mode="reflect", bias=False)
    x = _images(2, 8, 6, 6).detach()
    with torch.autocast("cpu", torch.bfloat16, enabled=dtype == torch.bfloat16):
        assert torch.equal(convolve(convolution, x), convolution(x))


def test_what_is_not_a_number_comes_through() -> None:
    x = _images(2, 8, 3, 3).detach()
    x[0, 3, 1, 1] = torch.nan
    for y in (
        operations.norm(x, _norm(8), relu=True),
        operations.residual(x, _norm(8), None),
        operations.depthwise(x, _norm(8), nn.Conv2d(8, 8, 3, padding=1, groups=8, bias=False), _norm(8)),
    ):
        assert y.isnan().any()


def test_a_tensor_in_another_order_is_put_in_order() -> None:
    x = torch.randn(4, 16, 5, 6)
    theirs = nn.BatchNorm2d(16)
    torch.testing.assert_close(operations.norm(x, nn.BatchNorm2d(16), relu=False), theirs(x))


@pytest.mark.parametrize("dtype", _CLOSE, ids=str)
def test_same_threads_give_the_same_bits(dtype: torch.dtype) -> None:
    filters, x = nn.Conv2d(24, 24, 3, padding=1, groups=24, bias=False), _images(7, 24, 9, 8, dtype=dtype)
    norms = _norm(24), _norm(24)

    def gradients() -> list[Tensor]:
        y = operations.depthwise(x, norms[0], filters, norms[1])
        y = operations.residual(y, norms[1], y)
        return list(torch.autograd.grad(y.float().square().sum(), [x, filters.weight, norms[0].weight]))

    for first, second in zip(gradients(), gradients(), strict=True):
        assert torch.equal(first, second)
