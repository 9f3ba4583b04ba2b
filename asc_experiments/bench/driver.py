"""What the driver itself costs: a study whose trainings are answered at once, everything else real.

Optuna's journal, MLflow's database, sampling, planning, runs and their conclusions are what a study has; only teachers
and students are made up.
"""

from __future__ import annotations

import random
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from asc_experiments.base.progress import hushed
from asc_experiments.corpus.synth import synthesise
from asc_experiments.distill import LogitTable, TrainingContext
from asc_experiments.distill.bank import log_logits
from asc_experiments.metrics import VALIDATION, metric_names
from asc_experiments.study.definition.study_file import StudyFile
from asc_experiments.study.executors.jobs import SeedJob, SeedResult, train_seed, train_teacher
from asc_experiments.study.executors.local import InProcess
from asc_experiments.study.runner.driver import Driver
from asc_experiments.study.runner.trial_result import conclude
from asc_experiments.study.storage.open_storage import open_storage
from asc_experiments.tracking import Tracking

_MIB = 1 << 20
_STUDY = {
    "name": "driver-benchmark",
    "sampler": "tpe",
    "validation": {"fraction": 0.3},
    "ensemble": {
        "counts": {kind: {"low": 0, "high": 3} for kind in ("cpm", "cpr_fms", "cpr_dirfms")},
        "rule": ["mean_logits", "mean_probabilities", "accuracy_weighted"],
        "pool": [
            {"name": "cpm", "arch": "cp_mobile", "base_channels": [16, 32, 64], "augment": "dirfms"},
            {"name": "cpr_fms", "arch": "cp_resnet", "augment": "fms"},
            {"name": "cpr_dirfms", "arch": "cp_resnet", "augment": "dirfms"},
        ],
    },
    "distillation": {
        "temperature": {"low": 1.0, "high": 4.0},
        "label_weight": {"low": 0.005, "high": 0.5, "log": True},
    },
}


class _Answers(InProcess):
    """Answers for teachers and students at once; does the rest, and keeps the time that it takes."""

    def __init__(self, bench: TrainingContext, names: list[str]) -> None:
        self.bench = bench
        self.names = names
        self.answering = 0.0
        self.concluding = 0.0
        self.chance = random.Random(0)
        self.memory: list[int] = []

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        if fn is train_teacher:
            return super().submit(lambda: f"{hash(args[1]):x}")
        before = time.perf_counter()
        if fn is train_seed:
            answer = super().submit(self._student, args[1])
            self.answering += time.perf_counter() - before
            return answer
        future = super().submit(fn, *args, **kwargs)
        if fn is conclude:
            self.concluding += time.perf_counter() - before
            self.memory.append(psutil.Process().memory_info().rss)
        return future

    def _student(self, job: SeedJob) -> SeedResult:
        corpus, tracking = self.bench.corpus, self.bench.tracking
        metrics = {name: self.chance.random() for name in self.names}
        rng = np.random.default_rng(job.trial)
        logits = rng.normal(size=(len(corpus.clips), len(corpus.scenes))).astype(np.float32)
        log_logits(tracking.writer(job.parent, job.experiment_id), LogitTable(corpus.filenames, logits))
        return SeedResult(job.parent, "m-0", job.student.seed, metrics)


def benchmark_driver(trials: int) -> dict[str, float]:
    """Run a study of so many trials without trainings.

    Returns:
        Milliseconds per trial of the driver, and of a trial's conclusion in MLflow (which a worker does); the same of
        the last fifth, to see whether it grows; memory after a fifth of the trials and at the end, in MiB.
    """
    with tempfile.TemporaryDirectory(prefix="asc-bench-") as folder, hushed():
        root = Path(folder)
        synthesise(root / "corpus", clips_per_scene=20, seed=0)
        file = StudyFile.parse(_STUDY | {"trials": trials}, "benchmark")
        tracking = Tracking.open(root)
        bench = TrainingContext.open(root / "corpus", tracking, root / "cache", file.validation)
        groups = list(bench.device_groups.values())
        names = metric_names(bench.corpus.devices, groups, bench.corpus.scenes)
        answers = _Answers(bench, [*names, *(f"{VALIDATION}/{name}" for name in names), "complexity/macs"])
        fifth = max(1, trials // 5)
        measured = []
        for total in (trials - fifth, trials):
            each = StudyFile.parse(_STUDY | {"trials": total}, "benchmark")
            driver = Driver(each, bench, open_storage(root, None), answers)
            concluded, answered, before = answers.concluding, answers.answering, time.perf_counter()
            driver.run()
            seconds = time.perf_counter() - before - (answers.answering - answered)
            measured.append((seconds, answers.concluding - concluded))
    whole, concluding = (sum(each[part] for each in measured) for part in (0, 1))
    last, last_concluding = measured[1]
    return {
        "driver.trials": trials,
        "driver.ms_per_trial": 1_000 * (whole - concluding) / trials,
        "driver.ms_per_trial_last_fifth": 1_000 * (last - last_concluding) / fifth,
        "driver.conclusion_ms_per_trial": 1_000 * concluding / trials,
        "driver.memory_mib_after_a_fifth": answers.memory[fifth - 1] / _MIB,
        "driver.memory_mib_at_the_end": answers.memory[-1] / _MIB,
    }
