"""``asc bench gpu``: what a GPU takes for TAU22's 139,620 training clips, within a number of minutes.

Epochs of the student, of CP-ResNet and of PaSST-S, logits of all clips, and several students side by side; of each how
busy the GPU is and how much memory it takes. Nothing has to be prepared: clips are made up, and resident as a training
keeps them. Each work has its share of the minutes, and what one leaves the next ones have. What does not fit is said to
be not measured. A processor can do the same with few clips, as the tests do.
"""

from __future__ import annotations

import statistics
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import torch

from asc_experiments.base.errors import AscError, one_line
from asc_experiments.base.progress import say
from asc_experiments.bench.beside import students_beside
from asc_experiments.bench.device_use import NvidiaSmi, busy_share, forget_peak, peak_mib
from asc_experiments.bench.machine import wait_for
from asc_experiments.bench.made_up import SCENES, made_up_clips, made_up_responses, made_up_targets
from asc_experiments.training import ClipSource, Recipe, Trainer, make_recipe
from asc_experiments.training.loop import predict_logits
from asc_experiments.training.memory import within_memory

STUDENT, CP_RESNET, PASST = "student", "cp_resnet", "passt"
RECIPES: Mapping[str, Recipe] = {
    STUDENT: make_recipe("cp_mobile", "dirfms"),
    CP_RESNET: make_recipe("cp_resnet", "dirfms"),
    PASST: make_recipe("passt", "dirfms"),
}
"""The published ones, with DIR and Freq-MixStyle."""
ALL_CLIPS_S, BUSY_PERCENT = "all_clips_s", "busy_percent"
GOALS: Mapping[str, Mapping[str, float]] = {
    "student_distillation_epoch": {ALL_CLIPS_S: 8.0, BUSY_PERCENT: 90.0},
    "passt_epoch": {ALL_CLIPS_S: 45.0, BUSY_PERCENT: 90.0},
}
"""On an H200 and TAU22's 139,620 clips: seconds at the most, and at the least so busy."""
_WARM_UP, _PROFILED = 20, 8
"""Batches, at the most."""
_FOR_EPOCHS, _FOR_WARM_UP = 0.7, 0.1
"""Parts of the time of a work."""
_EPOCHS = 3
_LOGITS_AT_A_TIME = 512


@dataclass(frozen=True)
class Figures:
    """What was measured of one work; None is what is not known.

    Attributes:
        all_clips_s: seconds of an epoch, or of what else is done with all clips: the median of whole passes over them.
        clips_per_s: of those passes, or of a part of one where no whole one fitted.
        ms_per_batch: the same.
        busy_percent: of the time, the device computed.
        nvidia_smi_percent: the same as ``nvidia-smi`` says it, which counts any kernel, however small.
        peak_mib: the most memory that tensors took, resident clips included; of a processor, the process.
        used_mib: the most memory in use by all processes, as ``nvidia-smi`` says it.
        times_one: how many times as fast several students are as one, in clips per second.
        note: what has to be said of the figures, or why there are none.
    """

    all_clips_s: float | None = None
    clips_per_s: float | None = None
    ms_per_batch: float | None = None
    busy_percent: float | None = None
    nvidia_smi_percent: float | None = None
    peak_mib: float | None = None
    used_mib: float | None = None
    times_one: float | None = None
    note: str = ""

    def facts(self) -> dict[str, Any]:
        """What is known, by name."""
        return {name: value for name, value in vars(self).items() if value not in (None, "")}

    def goals_met(self, goals: Mapping[str, float]) -> dict[str, bool]:
        """Whether each goal of what is known is met."""
        met = {}
        for name, goal in goals.items():
            value = getattr(self, name)
            if value is not None:
                met[name] = value >= goal if name == BUSY_PERCENT else value <= goal
        return met


Work = Callable[[float], Figures]
"""Measures within so many seconds."""


@dataclass(eq=False)
class GpuSuite:
    """Every work by its name, each measured when it is called.

    Attributes:
        device: where.
        clips: how many, of an epoch.
        students: how many are trained side by side.
        recipes: of ``student``, ``cp_resnet`` and ``passt``.
        done: what was measured.
    """

    device: torch.device
    clips: int
    students: int
    recipes: Mapping[str, Recipe] = field(default_factory=lambda: dict(RECIPES))
    done: dict[str, Figures] = field(default_factory=dict)
    _source: ClipSource | None = None

    def works(self) -> dict[str, tuple[float, Work]]:
        """What can be measured, in its order, with the weights by which the time is shared.

        What has a goal comes first; several students need all the memory, and come last.
        """
        return {
            "resident_clips": (1, self._resident),
            "student_distillation_epoch": (3, lambda seconds: self._epoch(STUDENT, seconds, distilled=True)),
            "passt_epoch": (5, lambda seconds: self._epoch(PASST, seconds)),
            "passt_logits": (2, lambda seconds: self._logits(PASST, seconds)),
            "cp_resnet_epoch": (2, lambda seconds: self._epoch(CP_RESNET, seconds)),
            "student_logits": (1, lambda seconds: self._logits(STUDENT, seconds)),
            "students_side_by_side": (4, self._side_by_side),
        }

    @property
    def source(self) -> ClipSource:
        """The clips, resident from now on."""
        if self._source is None:
            self._source = made_up_clips(self.clips, self.device)
        return self._source

    def _resident(self, seconds: float) -> Figures:
        """How long it takes to have all clips where they are trained on."""
        self._source = None
        before = time.perf_counter()
        _ = self.source
        wait_for(self.device)
        taken = time.perf_counter() - before
        return Figures(taken, self.clips / taken, peak_mib=peak_mib(self.device))

    def _epoch(self, name: str, seconds: float, distilled: bool = False) -> Figures:
        trainer = self._trainer(name, distilled)
        batch = self.recipes[name].optimisation.batch_size
        return measure(trainer.train_epoch, np.arange(self.clips), batch, seconds, self.device)

    def _logits(self, name: str, seconds: float) -> Figures:
        network = self._trainer(name).network
        work = partial(predict_logits, network, self.source)
        return measure(work, np.arange(self.clips), _LOGITS_AT_A_TIME, seconds, self.device)

    def _trainer(self, name: str, distilled: bool = False) -> Trainer:
        targets = made_up_targets(self.clips) if distilled else None
        return Trainer(self.recipes[name], self.source, SCENES, made_up_responses(), targets)

    def _side_by_side(self, seconds: float) -> Figures:
        """Each in a process of its own, with its own copy of the clips, as a study's workers are."""
        self._source = None
        forget_peak(self.device)
        beside = students_beside(self.recipes[STUDENT], self.clips, self.device, self.students, seconds)
        one = self.done.get("student_distillation_epoch", Figures()).clips_per_s
        return Figures(
            clips_per_s=beside.clips_per_s,
            nvidia_smi_percent=_percent(beside.busy),
            peak_mib=beside.peak_mib,
            used_mib=beside.used_mib,
            times_one=None if one is None else beside.clips_per_s / one,
            note=f"{self.students} students; the memory of one of them",
        )


def find_device(kind: str) -> torch.device:
    """The device of a kind, ``cuda`` or ``cpu``.

    Raises:
        AscError: if there is no GPU that PyTorch finds.
    """
    if kind == "cuda" and not torch.cuda.is_available():
        what = f"no CUDA device was found (PyTorch {torch.__version__})"
        remedy = (
            "run it where nvidia-smi names a GPU and torch.cuda.is_available() is true, or try it with --device cpu"
        )
        raise AscError("asc bench gpu", what, f"{remedy} --clips 64")
    return torch.device(kind)


def measure_all(
    suite: GpuSuite, works: Mapping[str, tuple[float, Work]], seconds: float, on_done: Callable[[], object]
) -> dict[str, Figures]:
    """Measure works within a time, one after the other; one that fails is said to be not measured, and why.

    Args:
        suite: whose they are.
        works: with their weights.
        seconds: for all of them.
        on_done: called after each.
    """
    until = time.monotonic() + seconds
    weights = {name: weight for name, (weight, _) in works.items()}
    for name, (weight, work) in works.items():
        left = until - time.monotonic()
        share = left * weight / sum(weights.values())
        del weights[name]
        suite.done[name] = (
            _measured(suite, name, work, share) if left > 0 else Figures(note="not measured: no time left")
        )
        on_done()
    return dict(suite.done)


def _measured(suite: GpuSuite, name: str, work: Work, seconds: float) -> Figures:
    forget_peak(suite.device)
    try:
        with within_memory(name.replace("_", " ")):
            return work(seconds)
    except AscError as error:
        return Figures(note=f"not measured: {error.line()}")
    except Exception as error:  # minutes on a GPU are not to be lost for one line of the table
        say(traceback.format_exc())
        return Figures(note=f"not measured: {one_line(f'{type(error).__name__}: {error}')}")


def measure(
    run: Callable[[np.ndarray], object], rows: np.ndarray, batch: int, seconds: float, device: torch.device
) -> Figures:
    """Seconds for all clips where that fits into the time, else clips per second of a part of them.

    Args:
        run: does the work on some rows.
        rows: of all clips.
        batch: clips that are computed together.
        seconds: for everything, warm-up included; one batch is done in any case.
        device: where.
    """
    until, size = time.monotonic() + seconds, min(batch, len(rows))
    run(rows[:size])
    clips, took = size, _seconds(run, rows[:size], device)
    warm = rows[: size * _batches(_FOR_WARM_UP * seconds / took, _WARM_UP)]
    if len(warm) > clips:
        clips, took = len(warm), _seconds(run, warm, device)
    whole = len(rows) * took / clips
    allowed = _FOR_EPOCHS * max(0.0, until - time.monotonic())
    passes = min(_EPOCHS, int(allowed / whole))
    timed = rows if passes else rows[: size * int(allowed * clips / took / size)]
    with NvidiaSmi(device) as smi:
        begin = time.monotonic()
        if passes or len(timed) > clips:
            clips, took = len(timed), statistics.median(_seconds(run, timed, device) for _ in range(max(1, passes)))
        nvidia_smi = smi.busy(begin, time.monotonic())
    few = rows[: size * _batches(_FOR_WARM_UP * seconds * clips / took / size, _PROFILED)]
    is_left = time.monotonic() < until
    is_whole = clips == len(rows)
    return Figures(
        all_clips_s=took if is_whole else None,
        clips_per_s=clips / took,
        ms_per_batch=1_000 * took * size / clips,
        busy_percent=_percent(busy_share(lambda: run(few), took * len(few) / clips, device)) if is_left else None,
        nvidia_smi_percent=_percent(nvidia_smi),
        peak_mib=peak_mib(device),
        used_mib=smi.used_mib,
        note="" if is_whole else f"of {clips:,} clips: all would take about {whole:,.0f} s, and had {allowed:,.0f} s",
    )


def _batches(wanted: float, most: int) -> int:
    """A whole number of batches, at least one."""
    return max(1, min(most, int(wanted)))


def _seconds(run: Callable[[np.ndarray], object], rows: np.ndarray, device: torch.device) -> float:
    wait_for(device)
    before = time.perf_counter()
    run(rows)
    wait_for(device)
    return time.perf_counter() - before


def _percent(share: float | None) -> float | None:
    return None if share is None else 100 * share
