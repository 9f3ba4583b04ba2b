"""Whether trainings are faster one after another with all processors, or side by side with a part of them each."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np

from asc_experiments.base.processors import processors
from asc_experiments.bench.timing import Measured
from asc_experiments.study.executors.local import WorkerPool
from asc_experiments.training import ClipSource, Recipe, Trainer
from asc_experiments.training.loop import best_device


def side_by_side(waveforms: Path, shape: tuple[int, int], recipe: Recipe, clips: int, rounds: int) -> Measured:
    """Clips per second of as many trainings side by side as there are processors (at most four), beside one at a time.

    Args:
        waveforms: a store's file, which the trainings share.
        shape: its clips and samples.
        recipe: without DIR.
        clips: of an epoch.
        rounds: how often.
    """
    together = min(4, processors())
    rates: dict[int, list[float]] = {1: [], together: []}
    pools = {workers: WorkerPool(workers) for workers in rates}
    for _ in range(rounds + 1):
        for workers, pool in pools.items():
            futures = [pool.submit(_epochs, waveforms, shape, recipe, clips) for _ in range(together)]
            seconds = [future.result() for future in futures]
            elapsed = max(seconds) if workers > 1 else sum(seconds)
            rates[workers].append(together * clips / elapsed)
    for pool in pools.values():
        pool.shutdown()
    alone, beside = np.array(rates[1][1:]), np.array(rates[together][1:])
    ratios = beside / alone
    return Measured(
        float(np.median(beside)), "clips_per_s", float(np.median(alone)), float(np.median(ratios)),
        (float(ratios.min()), float(ratios.max())),
    )  # fmt: skip


def _epochs(waveforms: Path, shape: tuple[int, int], recipe: Recipe, clips: int) -> float:
    """Train for an epoch in a worker; its seconds."""
    memory = np.memmap(waveforms, dtype=np.int16, mode="r", shape=shape)
    labels = np.arange(len(memory)) % 10
    source = ClipSource(memory, labels, np.zeros(len(memory), dtype=bool), best_device())
    trainer = Trainer(recipe, source, tuple(map(str, range(10))))
    before = time.perf_counter()
    trainer.train_epoch(np.arange(clips))
    return time.perf_counter() - before
