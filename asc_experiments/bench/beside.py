"""Several students at once on one device, each in a process of its own, as the workers of a study are."""

from __future__ import annotations

import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from asc_experiments.base.errors import AscError
from asc_experiments.bench.device_use import NvidiaSmi, forget_peak, peak_mib
from asc_experiments.bench.made_up import SCENES, made_up_clips, made_up_responses, made_up_targets
from asc_experiments.study.executors.local import WorkerPool
from asc_experiments.training import Recipe, Trainer

_FOR_STARTING, _FOR_TRAINING = 0.6, 0.25
"""Parts of the time."""
_MOST_TRAINING_S = 20.0
_BATCHES = 20
_LOOK_EVERY_S = 0.02


@dataclass(frozen=True)
class Beside:
    """What students did side by side.

    Attributes:
        clips_per_s: all of them together.
        peak_mib: the most memory that one took, as :func:`~asc_experiments.bench.device_use.peak_mib` says it.
        busy: the part of the time in which a GPU computed, as ``nvidia-smi`` says it; None where it is not known.
        used_mib: the most memory in use by all together, as ``nvidia-smi`` says it.
    """

    clips_per_s: float
    peak_mib: float
    busy: float | None
    used_mib: float | None


@dataclass(frozen=True)
class _Student:
    """One of several: what it trains, where, and with how many others.

    Attributes:
        number: counted from 0.
        beside: how many there are.
        meeting: a folder in which each says that it is ready.
        starting: seconds until all have to be.
        training: seconds that it trains then.
    """

    recipe: Recipe
    clips: int
    device: torch.device
    number: int
    beside: int
    meeting: Path
    starting: float
    training: float


def students_beside(recipe: Recipe, clips: int, device: torch.device, count: int, seconds: float) -> Beside:
    """Train students side by side for a part of a time; the rest is for starting them.

    Args:
        recipe: of each, with a seed of its own.
        clips: that each has.
        device: where all are trained.
        count: how many.
        seconds: for everything.

    Raises:
        AscError: if they are not ready in time, or one does not fit into memory.
    """
    pool = WorkerPool(count)
    starting, training = _FOR_STARTING * seconds, min(_MOST_TRAINING_S, _FOR_TRAINING * seconds)
    with tempfile.TemporaryDirectory(prefix="asc-bench-") as folder, NvidiaSmi(device) as smi:
        students = [
            _Student(
                recipe.model_copy(update={"seed": number}),
                clips, device, number, count, Path(folder), starting, training,
            )
            for number in range(count)
        ]  # fmt: skip
        futures = [pool.submit(_train, student) for student in students]
        until = time.monotonic() + seconds
        try:
            ends = [future.result(timeout=max(0.0, until - time.monotonic())) for future in futures]
        except BaseException as error:
            pool.stop()
            if isinstance(error, TimeoutError):
                raise _late(count, seconds) from None
            raise
        pool.shutdown()
    begin, end = min(begin for begin, _, _, _ in ends), max(end for _, end, _, _ in ends)
    trained = sum(number for _, _, number, _ in ends)
    return Beside(trained / (end - begin), max(mib for _, _, _, mib in ends), smi.busy(begin, end), smi.used_mib)


def _train(student: _Student) -> tuple[float, float, int, float]:
    """Train one when all are ready; when it began and ended by the machine's clock, on how many clips, its memory."""
    until = time.monotonic() + student.starting
    forget_peak(student.device)
    source = made_up_clips(student.clips, student.device)
    trainer = Trainer(student.recipe, source, SCENES, made_up_responses(), made_up_targets(student.clips))
    rows = np.arange(student.clips)[: _BATCHES * student.recipe.optimisation.batch_size]
    trainer.train_epoch(rows)
    (student.meeting / str(student.number)).touch()
    while len(list(student.meeting.iterdir())) < student.beside:
        if time.monotonic() > until:
            raise _late(student.beside, student.starting)
        time.sleep(_LOOK_EVERY_S)
    begin = end = time.monotonic()
    trained = 0
    while end - begin < student.training:
        trainer.train_epoch(rows)
        trained += len(rows)
        end = time.monotonic()
    return begin, end, trained, peak_mib(student.device)


def _late(count: int, seconds: float) -> AscError:
    return AscError(f"{count} students side by side", f"were not ready within {seconds:.0f} s", "give more --minutes")
