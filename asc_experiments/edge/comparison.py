"""Compare exported files in onnxruntime with the network as PyTorch runs it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from onnx import ModelProto
from torch import Tensor

from asc_experiments.base.progress import progress
from asc_experiments.distill import TrainingContext
from asc_experiments.edge.running import OnnxNetwork
from asc_experiments.training import ClipSource, SceneNetwork

PYTORCH = "pytorch"
"""The name of the network as PyTorch runs it, among those that are compared."""
_BATCH, _CALIBRATION_BATCH = 64, 32
_CALIBRATION_CLIPS = 512
_NOISE = 0.1


@dataclass(frozen=True)
class Compared:
    """What a comparison found.

    Attributes:
        difference: the largest between a logit of a file and of PyTorch, by the file's format.
        scorecards: the metrics on the test fold, by format and for PyTorch; empty without a corpus.
    """

    difference: Mapping[str, float]
    scorecards: Mapping[str, Mapping[str, float]]


def compare(
    network: SceneNetwork, files: Mapping[str, ModelProto], frontend: bool, bench: TrainingContext | None
) -> Compared:
    """Run files on every clip of the test fold, or, without a corpus, on noise.

    Args:
        network: they were made of, in evaluation mode on the CPU.
        files: by their formats.
        frontend: whether they take waveforms.
        bench: the corpus.
    """
    running = {name: OnnxNetwork(file) for name, file in files.items()}
    logits: dict[str, list[np.ndarray]] = {name: [] for name in (PYTORCH, *files)}
    for waveforms in _noise(network.samples) if bench is None else _test_clips(bench):
        with torch.inference_mode():
            log_mels = network.frontend(waveforms)
            logits[PYTORCH].append(network.model(log_mels).numpy())
        for name, each in running.items():
            logits[name].append(each.logits((waveforms if frontend else log_mels).numpy()))
    whole = {name: np.concatenate(parts) for name, parts in logits.items()}
    difference = {name: float(np.abs(whole[name] - whole[PYTORCH]).max()) for name in files}
    if bench is None:
        return Compared(difference, {})
    rows = bench.corpus.test_rows
    return Compared(difference, {name: dict(bench.score(each, rows).metrics) for name, each in whole.items()})


def one_input(network: SceneNetwork, frontend: bool) -> np.ndarray:
    """A clip of noise as a file takes it, ``(1, …)``."""
    waveform = next(_noise(network.samples))[:1]
    with torch.inference_mode():
        return np.asarray((waveform if frontend else network.frontend(waveform)).numpy())


def calibration_batches(network: SceneNetwork, clips: ClipSource, rows: np.ndarray) -> list[np.ndarray]:
    """Log-mels of up to 512 clips, always the same ones; batches ``(32, 1, mels, frames)``, the last one smaller.

    Args:
        network: gives the frontend, on the CPU.
        clips: the corpus's clips.
        rows: of the training clips.
    """
    chosen = np.random.default_rng(0).permutation(rows)[:_CALIBRATION_CLIPS]
    with torch.inference_mode():
        return [
            network.frontend(clips.waveforms(batch).cpu()).numpy() for batch in _batches(chosen, _CALIBRATION_BATCH)
        ]


def _noise(samples: int) -> Iterator[Tensor]:
    generator = torch.Generator().manual_seed(0)
    yield _NOISE * torch.randn(8, samples, generator=generator)


def _test_clips(bench: TrainingContext) -> Iterator[Tensor]:
    rows = bench.corpus.test_rows
    with progress(len(rows), "testing", "clips") as advance:
        for batch in _batches(rows, _BATCH):
            yield bench.clips.waveforms(batch).cpu()
            advance(len(batch))


def _batches(rows: np.ndarray, size: int) -> Iterator[np.ndarray]:
    for first in range(0, len(rows), size):
        yield rows[first : first + size]
