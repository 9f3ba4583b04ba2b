"""Many drivers at once on one study whose trainings are answered at once: is anything lost, anything done twice?

Optuna's storage, the tracking server, sampling, runs with curves, logits and conclusions are what a study has; only
teachers and students are made up. What is left afterwards is counted from both sides, trial by trial.
"""

from __future__ import annotations

import multiprocessing
import random
import tempfile
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import optuna
from optuna.trial import TrialState

from asc_experiments.base.processors import end_with_parent
from asc_experiments.base.progress import hushed
from asc_experiments.bench.place import Place
from asc_experiments.corpus.synth import synthesise
from asc_experiments.distill import LogitTable, TrainingContext
from asc_experiments.distill.bank import log_logits
from asc_experiments.metrics import VALIDATION, metric_names
from asc_experiments.study.definition.study_file import StudyFile
from asc_experiments.study.executors.jobs import SeedJob, SeedResult, train_seed, train_teacher
from asc_experiments.study.executors.local import InProcess
from asc_experiments.study.runner.driver import Driver
from asc_experiments.study.storage.open_storage import load_study, open_storage
from asc_experiments.tracking import RunRecord, Tracking
from asc_experiments.tracking.client.queries import where
from asc_experiments.tracking.client.records import KIND
from asc_experiments.tracking.trials import OBJECTIVE_VALUE, SEARCHED, SEED_KIND, TRIAL, finished_trials

_EPOCHS = 5
_CURVE = "train/loss"
_STUDY = {
    "sampler": "grid",  # queued, so that a cell that is done twice, or not at all, shows
    "validation": {"fraction": 0.3},
    "ensemble": {"pool": [{"arch": "cp_mobile", "base_channels": 32, "augment": "fms"}]},
}


@dataclass(frozen=True)
class LoadedPlace(Place):
    """The same, and how many trials all drivers together do."""

    trials: int

    def driver(self) -> Driver:
        """One of the drivers: a grid of as many cells as there are trials."""
        cells = {"distillation": {"temperature": [1 + cell / self.trials for cell in range(self.trials)]}}
        file = StudyFile.parse(_STUDY | cells | {"name": self.study}, "benchmark")
        bench = TrainingContext.open(self.root / "corpus", self.tracking(), self.root / "cache", file.validation)
        return Driver(file, bench, open_storage(self.root, self.storage), _Stubs(bench))


class _Stubs(InProcess):
    """Answers for teachers at once, and for students with a run of their own: curves, logits, made-up scores."""

    def __init__(self, bench: TrainingContext) -> None:
        self.bench = bench
        groups = list(bench.device_groups.values())
        names = metric_names(bench.corpus.devices, groups, bench.corpus.scenes)
        self.names = [*names, *(f"{VALIDATION}/{name}" for name in names), "complexity/macs"]

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        if fn is train_teacher:
            return super().submit(lambda: f"{hash(args[1]):x}")
        if fn is train_seed:
            return super().submit(self._student, args[1])
        return super().submit(fn, *args, **kwargs)

    def _student(self, job: SeedJob) -> SeedResult:
        corpus, chance = self.bench.corpus, random.Random(job.trial)
        scores = {name: chance.random() for name in self.names}
        logits = np.random.default_rng(job.trial).normal(size=(len(corpus.clips), len(corpus.scenes)))
        tags = {TRIAL: str(job.trial)}
        with self.bench.tracking.run(job.experiment_id, "stub", job.kind, tags, job.parent) as run:
            for epoch in range(1, _EPOCHS + 1):
                run.curve({_CURVE: 1 / epoch, "train/epoch": epoch}, epoch, int(time.time() * 1_000))
            log_logits(run, LogitTable(corpus.filenames, logits.astype(np.float32)))
            run.metrics(scores, step=_EPOCHS)
        return SeedResult(run.run_id, "m-0", job.student.seed, scores)


def benchmark_load(workers: int, trials_each: int, tracking_uri: str | None, storage: str | None) -> dict[str, float]:
    """Let so many processes, each with a driver, do a study of ``workers * trials_each`` trials together.

    Args:
        workers: processes.
        trials_each: trials per process, on average.
        tracking_uri: a tracking server or database; a new SQLite file by default.
        storage: Optuna's database or journal; a new journal by default.

    Returns:
        How many trials were asked for and finished (as both Optuna and the tracking server tell), how many runs do
        what another has done, how many metrics or points of curves are missing; seconds from the first trial's
        begin to the last one's end, and what that makes of a trial. Where :func:`is_whole`, the study is deleted again.
    """
    with tempfile.TemporaryDirectory(prefix="asc-bench-") as folder, hushed():
        root = Path(folder)
        synthesise(root / "corpus", clips_per_scene=20, seed=0)
        place = LoadedPlace(root, tracking_uri, storage, f"load-{uuid4().hex[:8]}", workers * trials_each)
        driver = place.driver()  # tables, experiment and study are there before anybody else looks
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(workers, context, end_with_parent) as pool:
            for done in [pool.submit(_drive, place) for _ in range(workers)]:
                done.result()
        return count(place, driver, workers)


def is_whole(facts: Mapping[str, float]) -> bool:
    """Whether all trials were done, each once, and nothing that they logged was lost."""
    asked = facts["load.trials_asked"]
    done = (facts["load.trials_finished_in_optuna"], facts["load.trials_finished_in_tracking"])
    return done == (asked, asked) and not facts["load.trials_done_again"] and not facts["load.lost_metrics"]


def _drive(place: LoadedPlace) -> None:
    """One of the processes."""
    with hushed():
        place.driver().run()


def count(place: LoadedPlace, driver: Driver, workers: int = 1) -> dict[str, float]:
    """What there is of a study in both stores; deleted where nothing is missing."""
    tracking, experiment_id = driver.bench.tracking, driver.context.experiment_id
    study = load_study(open_storage(place.root, place.storage), place.study)
    complete = {trial.number: trial.values[0] for trial in study.get_trials() if trial.state == TrialState.COMPLETE}
    trials = finished_trials(tracking, place.study)
    seeds = tracking.search([experiment_id], where({KIND: SEED_KIND}, status="FINISHED"))
    assert isinstance(driver.executor, _Stubs)
    lost = _lost(tracking, trials, seeds, driver.executor.names, complete)
    cells = {run.tags[SEARCHED] for run in trials}
    begun, ended = min(run.start_time for run in trials), max(run.end_time or 0 for run in trials)
    seconds = (ended - begun) / 1_000
    facts: dict[str, float] = {
        "load.workers": workers,
        "load.trials_asked": place.trials,
        "load.trials_finished_in_optuna": len(complete),
        "load.trials_finished_in_tracking": len(cells),
        "load.trials_done_again": len(trials) - len(cells),
        "load.lost_metrics": lost,
        "load.seconds": seconds,
        "load.trials_per_s": len(trials) / seconds,
        "load.ms_per_trial_and_worker": 1_000 * seconds * workers / len(trials),
    }
    if is_whole(facts):
        optuna.delete_study(study_name=place.study, storage=study._storage)
        tracking.client.delete_experiment(experiment_id)
    return facts


def _lost(
    tracking: Tracking,
    trials: list[RunRecord],
    seeds: list[RunRecord],
    names: list[str],
    complete: Mapping[int, float],
) -> int:
    """How many metrics are not there, or are others than were logged."""
    lost = 0
    for run in trials:
        expected = random.Random(int(run.tags[TRIAL]))
        wanted = {name: expected.random() for name in names}
        lost += sum(not _close(run.metrics.get(name), value) for name, value in wanted.items())
        lost += not _close(run.metrics.get(OBJECTIVE_VALUE), complete.get(int(run.tags[TRIAL])))
    for run in seeds:
        points = tracking.client.get_metric_history(run.run_id, _CURVE)
        lost += abs(_EPOCHS - len(points)) + len({point.step for point in points} ^ set(range(1, _EPOCHS + 1)))
    return lost + abs(len(complete) - len(seeds)) * _EPOCHS


def _close(one: float | None, other: float | None) -> bool:
    return one is not None and other is not None and abs(one - other) < 1e-9
