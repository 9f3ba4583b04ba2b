"""Run an exported file in onnxruntime: its logits, and how long one clip takes."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
from onnx import ModelProto
from onnxruntime import InferenceSession, SessionOptions

from asc_experiments.base.processors import processors

_QUIET = 3
_WARM_UP, _REPEATS = 20, 200


@dataclass(frozen=True)
class Latency:
    """Milliseconds for one clip, batch 1, one thread.

    Attributes:
        median_ms: half of the repeats were faster.
        fast_ms, slow_ms: one in ten was faster, and one in ten slower.
        repeats: how many were timed.
    """

    median_ms: float
    fast_ms: float
    slow_ms: float
    repeats: int


class OnnxNetwork:
    """An exported file in onnxruntime, on the CPU.

    Args:
        model: with one input and one output.
        threads: how many it computes with; all that this process may use by default.
    """

    def __init__(self, model: ModelProto, threads: int | None = None) -> None:
        options = SessionOptions()
        options.intra_op_num_threads = threads or processors()
        options.log_severity_level = _QUIET
        self._session = InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
        self._input = self._session.get_inputs()[0].name

    def logits(self, inputs: np.ndarray) -> np.ndarray:
        """Waveforms ``(batch, samples)`` or log-mels ``(batch, 1, mels, frames)`` to logits ``(batch, scenes)``."""
        return np.asarray(self._session.run(None, {self._input: inputs})[0])


def time_one(model: ModelProto, inputs: np.ndarray, repeats: int = _REPEATS) -> Latency:
    """How long a file takes on this machine for one clip, with one thread.

    Args:
        model: the file.
        inputs: one input, ``(1, …)``.
        repeats: how often it is timed.
    """
    network = OnnxNetwork(model, threads=1)
    seconds = []
    for _ in range(_WARM_UP + repeats):
        start = time.perf_counter()
        network.logits(inputs)
        seconds.append(time.perf_counter() - start)
    fast, median, slow = np.percentile(1000 * np.array(seconds[_WARM_UP:]), (10, 50, 90))
    return Latency(float(median), float(fast), float(slow), repeats)
