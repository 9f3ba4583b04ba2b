"""How busy a device is while it works, and how much memory that takes."""

from __future__ import annotations

import shutil
import statistics
import subprocess
import threading
import time
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Any, Self

import torch

from asc_experiments.bench.machine import wait_for
from asc_experiments.bench.memory import most_held

_EVERY_MS = 200
_LOOKS_BACK_S = 1.0
"""What nvidia-smi says is of up to a second before."""
_MIB = 2**20


def busy_share(work: Callable[[], object], seconds: float, device: torch.device) -> float:
    """The part of the time in which a device computes, between 0 and 1.

    Of a GPU it is the time in which a kernel runs, by PyTorch's profiler, beside the time that the same work takes
    without the profiler, which makes the host slower, and a kernel not. Of a processor it is the time that its threads
    compute, beside the time that they have.

    Args:
        work: done once more for this; some batches are enough.
        seconds: how long it takes otherwise.
        device: where.
    """
    if device.type == "cuda":
        with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CUDA]) as profile:
            work()
            wait_for(device)
        return computing_seconds(profile.events()) / seconds
    before, computed = time.perf_counter(), time.process_time()
    work()
    had = (time.perf_counter() - before) * torch.get_num_threads()
    return min(1.0, (time.process_time() - computed) / had)


def computing_seconds(events: Iterable[Any]) -> float:
    """The time in which at least one kernel or copy ran on a GPU.

    Args:
        events: of PyTorch's profiler; also those of the host, and named stretches of code, which count nothing.
    """
    spans = sorted(
        (event.time_range.start, event.time_range.end)
        for event in events
        if event.device_type.name == "CUDA" and not event.is_user_annotation
    )
    total, until = 0.0, float("-inf")
    for start, end in spans:
        total += max(0.0, end - max(start, until))
        until = max(until, end)
    return total / 1e6


def forget_peak(device: torch.device) -> None:
    """Have :func:`peak_mib` count from now on. (A process's own peak cannot be forgotten.)"""
    if device.type == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(device)


def peak_mib(device: torch.device) -> float:
    """The most memory that tensors took on a GPU since :func:`forget_peak`; else that this process ever held."""
    return torch.cuda.max_memory_allocated(device) / _MIB if device.type == "cuda" else most_held()


class NvidiaSmi:
    """What ``nvidia-smi`` says of a GPU during a block: nothing where there is none, or it does not know.

    Args:
        device: the GPU; of a processor it says nothing.
    """

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self._said: list[tuple[float, float | None, float | None]] = []
        self._process: subprocess.Popen[str] | None = None
        self._reader: threading.Thread | None = None

    def __enter__(self) -> Self:
        """Begin to ask."""
        program = shutil.which("nvidia-smi")
        if self.device.type == "cuda" and program is not None:
            asked = ["--query-gpu=utilization.gpu,memory.used", "--format=csv,noheader,nounits"]
            command = [program, f"--id={_name_of(self.device)}", *asked, f"--loop-ms={_EVERY_MS}"]
            self._process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
            self._reader = threading.Thread(target=self._read, args=(self._process,), daemon=True)
            self._reader.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End asking."""
        if self._process is not None and self._reader is not None:
            self._process.terminate()
            self._reader.join()
            self._process.wait()

    def busy(self, begin: float, end: float) -> float | None:
        """The part of a time in which a kernel ran, of any process, between 0 and 1; None where it is not known.

        Args:
            begin: of the time, as :func:`time.monotonic` has it.
            end: of the time.
        """
        shares = [busy for at, busy, _ in self._said if begin + _LOOKS_BACK_S <= at <= end and busy is not None]
        return statistics.mean(shares) / 100 if shares else None

    @property
    def used_mib(self) -> float | None:
        """The most memory in use so far, by all processes together, contexts and spare room included."""
        return max((used for _, _, used in self._said if used is not None), default=None)

    def _read(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        for line in process.stdout:
            busy, _, used = line.partition(",")
            self._said.append((time.monotonic(), _number(busy), _number(used)))


def _name_of(device: torch.device) -> str:
    """What nvidia-smi calls a GPU, which numbers them otherwise than PyTorch does."""
    return f"GPU-{torch.cuda.get_device_properties(device).uuid}"


def _number(cell: str) -> float | None:
    try:
        return float(cell)
    except ValueError:  # "[N/A]": of a part of a GPU (MIG) it does not know
        return None
