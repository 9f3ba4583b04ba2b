"""Replication: the best trials and the baseline once more, with fresh seeds, before one of them is called the winner.

The best of many noisy trials is partly luck. Students with seeds that no trial was chosen by tell how good it is, and a
paired bootstrap over clips how sure its difference to the baseline is.
"""

from __future__ import annotations

import statistics
from concurrent.futures import Executor, Future, wait
from dataclasses import dataclass

import numpy as np
import optuna
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

from asc_experiments.base.progress import say
from asc_experiments.distill import LogitTable, Workbench
from asc_experiments.distill.student import TEACHERS
from asc_experiments.distill.teacher import LOGITS
from asc_experiments.study.attempts import NUMBER_IN_FILE
from asc_experiments.study.file import Objective, Replication
from asc_experiments.study.space import SearchSpace
from asc_experiments.study.trial import TrialContext, seed_job
from asc_experiments.study.work import SeedJob, SeedResult, train_seed
from asc_experiments.tracking import RunRecord, Tracking
from asc_experiments.tracking.trials import (
    BASELINE,
    DIFFERENCE,
    REPLICATE_KIND,
    REPLICATED,
    REPLICATED_STD,
    REPLICATES,
    TRIAL,
    finished_trials,
)
from asc_experiments.training.bootstrap import ScoredClips, paired_interval


@dataclass(frozen=True, eq=False)
class _Candidate:
    """A finished trial that is tried again."""

    record: RunRecord
    job: SeedJob


def replicate(study: optuna.Study, space: SearchSpace, context: TrialContext, replication: Replication) -> None:
    """Train the best trials' students and the baseline's with fresh seeds, and log what they reach into their runs.

    Students that an earlier call finished are found again. Interrupted, the next call goes on.

    Raises:
        Exception: what a student died of.
    """
    chosen = candidates(study, replication.best)
    if not chosen:
        return
    records = {int(record.tags[TRIAL]): record for record in finished_trials(context.bench.tracking, study.study_name)}
    trying = [_candidate(context, space, trial, records[trial.number]) for trial in chosen]
    numbers = ", ".join(str(each.job.trial) for each in trying)
    say(f"study {study.study_name}: trials {numbers} once more, with {replication.seeds} fresh seeds each")
    futures = [
        _fresh(context.executor, context.bench, each.job, replication.seeds, context.study.seeds) for each in trying
    ]
    wait([future for each in futures for future in each])
    results = [[future.result() for future in each] for each in futures]
    _log(context, trying, results)


def candidates(study: optuna.Study, best: int) -> list[FrozenTrial]:
    """The baseline, which is the first trial of the study file (else the first finished), then the best others.

    Of trials with the same parameters the best stands for all.
    """
    finished = [trial for trial in study.get_trials(deepcopy=False) if trial.state == TrialState.COMPLETE]
    if not finished:
        return []
    sign = 1.0 if study.directions[0] == StudyDirection.MAXIMIZE else -1.0
    baseline = min(finished, key=lambda trial: (trial.user_attrs.get(NUMBER_IN_FILE) != 0, trial.number))
    chosen = [baseline]
    for trial in sorted(finished, key=lambda trial: -sign * trial.values[0]):
        if len(chosen) <= best and all(trial.params != other.params for other in chosen):
            chosen.append(trial)
    return chosen


def _candidate(context: TrialContext, space: SearchSpace, trial: FrozenTrial, record: RunRecord) -> _Candidate:
    plan = space.plan_of(trial.params, f"trial {trial.number}")
    keys = tuple(key for key in record.tags.get(TEACHERS, "").split(",") if key)
    job = SeedJob(
        study=context.study.name,
        trial=trial.number,
        kind=REPLICATE_KIND,
        experiment_id=context.experiment_id,
        parent=record.run_id,
        teachers=keys,
        rule=plan.rule,
        student=plan.student,
        distillation=plan.distillation,
    )
    return _Candidate(record, job)


def _fresh(executor: Executor, bench: Workbench, job: SeedJob, seeds: int, used: int) -> list[Future[SeedResult]]:
    first = job.student.seed + used
    return [executor.submit(train_seed, bench, seed_job(job, seed)) for seed in range(first, first + seeds)]


def _log(context: TrialContext, trying: list[_Candidate], results: list[list[SeedResult]]) -> None:
    bench, objective = context.bench, context.study.objective
    rows = bench.rows[1] if objective.split == "validation" else bench.corpus.test_rows
    labels, devices = bench.corpus.labels[rows], bench.corpus.device_of[rows]
    clips = ScoredClips(labels, devices, bench.device_groups, bench.corpus.scenes)
    logits = [[_logits(bench, seed, rows) for seed in seeds] for seeds in results]
    for number, (each, seeds) in enumerate(zip(trying, results, strict=True)):
        metrics = _means(objective, seeds)
        if number:
            interval = paired_interval(logits[number], logits[0], clips, objective.metric)
            metrics |= {f"{DIFFERENCE}/{key}": value for key, value in vars(interval).items()}
        run = bench.tracking.writer(each.record.run_id, each.record.experiment_id)
        run.metrics(metrics)
        run.tags({BASELINE: str(trying[0].job.trial)})


def _means(objective: Objective, seeds: list[SeedResult]) -> dict[str, float]:
    """The mean and standard deviation over fresh seeds, of the objective and of every score under its own name."""
    metrics = {REPLICATES: float(len(seeds))}
    names = [name for name in seeds[0].metrics if name.startswith(("accuracy/", "validation/", "loss/", "device_"))]
    for name in names:
        values = [seed.metrics[name] for seed in seeds]
        metrics[f"replicated/{name}"] = statistics.fmean(values)
        if len(values) > 1:
            metrics[f"replicated/{name}_std"] = statistics.stdev(values)
    values = [seed.metrics[objective.logged_name] for seed in seeds]
    metrics[REPLICATED] = statistics.fmean(values)
    metrics[REPLICATED_STD] = statistics.stdev(values) if len(values) > 1 else 0.0
    return metrics


def _logits(bench: Workbench, seed: SeedResult, rows: np.ndarray) -> np.ndarray:
    tracking: Tracking = bench.tracking
    with tracking.artifacts(seed.run_id, LOGITS) as path:
        table = LogitTable.load(path)
    return table.of([bench.corpus.filenames[row] for row in rows], f"run {seed.run_id}")
