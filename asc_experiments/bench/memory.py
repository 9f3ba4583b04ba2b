"""The most memory that a student's training holds, in a process that does nothing else."""

from __future__ import annotations

import multiprocessing
import resource
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import torch

from asc_experiments.bench.baseline import PlainClips, PlainTrainer
from asc_experiments.bench.timing import Measured
from asc_experiments.training import KL, ClipSource, Recipe, SoftTargets, Trainer
from asc_experiments.training.loop import best_device

_SCENES = tuple(map(str, range(10)))


def peak_memory(waveforms: Path, shape: tuple[int, int], recipe: Recipe, dirs: np.ndarray, clips: int) -> Measured:
    """MiB of the host's memory, clips that are mapped from the store's file included; and of the baseline.

    Args:
        waveforms: a store's file.
        shape: its clips and samples.
        recipe: of the student.
        dirs: ``(responses, samples)`` float32.
        clips: of an epoch.
    """
    peaks = []
    for train in (_train, _train_plainly):
        with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
            peaks.append(pool.submit(_peak_of, train, waveforms, shape, recipe, dirs, clips).result())
    ratio = peaks[1] / peaks[0]
    return Measured(peaks[0], "mib", peaks[1], ratio, (ratio, ratio))


def _peak_of(
    train: Callable[[np.ndarray, Recipe, np.ndarray, int], None],
    waveforms: Path,
    shape: tuple[int, int],
    recipe: Recipe,
    dirs: np.ndarray,
    clips: int,
) -> float:
    memory = np.memmap(waveforms, dtype=np.int16, mode="r", shape=shape)
    train(memory, recipe, dirs, clips)
    return most_held()


def most_held() -> float:
    """The most memory that this process has held, in MiB. (On Linux, ``getrusage`` counts what started it, too.)"""
    status = Path("/proc/self/status")
    if status.exists():
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM:"))
        return int(line.split()[1]) / 1_024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1_024


def _train(memory: np.ndarray, recipe: Recipe, dirs: np.ndarray, clips: int) -> None:
    labels, is_reference, logits = _facts(len(memory))
    source = ClipSource(memory, labels, is_reference, best_device())
    Trainer(recipe, source, _SCENES, dirs, SoftTargets(logits, KL(temperature=2.0, label_weight=0.02))).train_epoch(
        np.arange(clips)
    )


def _train_plainly(memory: np.ndarray, recipe: Recipe, dirs: np.ndarray, clips: int) -> None:
    labels, is_reference, logits = _facts(len(memory))
    plain = PlainClips(memory[:clips], labels, is_reference, recipe, dirs)
    PlainTrainer(recipe, len(_SCENES), best_device()).train_epoch(plain, torch.from_numpy(logits), workers=0)


def _facts(clips: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Labels, which clips the reference device recorded, and logits, all made up."""
    logits = np.zeros((clips, len(_SCENES)), dtype=np.float32)
    return np.arange(clips) % len(_SCENES), np.arange(clips) % 3 == 0, logits
