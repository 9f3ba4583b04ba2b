"""What this machine can do at best: how fast it moves memory and multiplies matrices, and what work that bounds."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from asc_experiments.models.complexity import count_macs
from asc_experiments.models.frontend_shape import FrontendShape
from asc_experiments.models.mel import mel_blocks

_BUFFER_BYTES = 1 << 28
_MATRICES = (256, 512, 1024, 2048)
_LONG_S = 0.05
"""Larger matrices than one whose product takes this long are not tried: PyTorch may multiply bfloat16 on a processor
without instructions for it at a hundredth of float32's rate."""
_TRIES = 5
_PASSES_FORWARD, _PASSES_BACKWARD = 2, 2
"""How often a layer's output passes through memory at the least: written and read forward, and again backward."""


@dataclass(frozen=True)
class Machine:
    """Measured rates.

    Attributes:
        bandwidth: bytes per second of a copy, read and written.
        float32, bfloat16: operations per second of a matrix product.
    """

    bandwidth: float
    float32: float
    bfloat16: float

    @classmethod
    def measure(cls, device: torch.device) -> Machine:
        """Measure on a processor or a GPU; takes seconds."""
        source = torch.zeros(_BUFFER_BYTES // 4, device=device)
        target = torch.empty_like(source)
        copy = _best(lambda: target.copy_(source), device)
        return cls(2 * _BUFFER_BYTES / copy, *(_matrix_rate(t, device) for t in (torch.float32, torch.bfloat16)))


@dataclass(frozen=True)
class Work:
    """What one clip takes at the least: operations, and bytes through memory."""

    operations: float
    traffic: float
    bfloat16: bool = False

    def seconds(self, machine: Machine) -> float:
        """The time it takes if either nothing waits for memory, or nothing for products."""
        rate = machine.bfloat16 if self.bfloat16 else machine.float32
        return max(self.operations / rate, self.traffic / machine.bandwidth)


def at_best(works: list[Work], machine: Machine) -> float:
    """Clips per second, if works that follow each other waste nothing on that machine."""
    return 1.0 / sum(work.seconds(machine) for work in works)


def network_work(model: nn.Module, features: Tensor, training: bool, bfloat16: bool = False) -> Work:
    """What a network takes for one clip: its products, as its MACs are counted, and its layers' outputs in memory.

    Args:
        model: on the CPU.
        features: ``(1, 1, mels, frames)``.
        training: forward and backward, else forward alone.
        bfloat16: whether products are of bfloat16.
    """
    outputs = 0.0

    def count(module: nn.Module, given: tuple[Tensor, ...], made: Tensor) -> None:
        nonlocal outputs
        outputs += made.numel()

    layers = [layer for layer in model.modules() if isinstance(layer, nn.Conv2d | nn.Linear)]
    handles = [layer.register_forward_hook(count) for layer in layers]
    was_training = model.training
    model.train(training and not any(isinstance(m, nn.BatchNorm2d) for m in model.modules()))
    operations = 2.0 * count_macs(lambda: model(features))
    model.train(was_training)
    for handle in handles:
        handle.remove()
    passes = _PASSES_FORWARD + (_PASSES_BACKWARD if training else 0)
    value_bytes = 2.0 if bfloat16 else 4.0
    return Work(operations * (3 if training else 1), value_bytes * outputs * passes, bfloat16)


def frontend_work(shape: FrontendShape, samples: int, sample_rate: int) -> Work:
    """What a log-mel takes for one clip: Fourier transforms, the mel product where it is not zero, in and out once."""
    frames = shape.frames(samples)
    fourier = 2.5 * shape.n_fft * (shape.n_fft.bit_length() - 1)  # half a complex transform's 5 N log2 N
    blocks = mel_blocks(shape.mels, shape.n_fft, sample_rate, shape.fmin, shape.fmax, shape.triangles)
    product = 2.0 * sum(int(block.weights.count_nonzero()) for block in blocks)
    return Work(frames * (fourier + product), 4.0 * (samples + frames * shape.mels))


def _matrix_rate(dtype: torch.dtype, device: torch.device) -> float:
    best = 0.0
    for size in _MATRICES:
        a = torch.ones(size, size, dtype=dtype, device=device)
        seconds = _best(lambda a=a: a @ a, device)  # type: ignore[misc]
        best = max(best, 2.0 * size**3 / seconds)
        if seconds > _LONG_S:
            break
    return best


def _best(work: Callable[[], object], device: torch.device) -> float:
    """Seconds of the fastest of a few tries."""
    times = []
    for _ in range(_TRIES):
        wait_for(device)
        before = time.perf_counter()
        work()
        wait_for(device)
        times.append(time.perf_counter() - before)
    return min(times)


def wait_for(device: torch.device) -> None:
    """Wait until a GPU has done what it was told."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
