"""Replication: the best trials and the baseline once more, with fresh seeds, before one of them is called the winner.

The best of many noisy trials is partly luck. Students with seeds that no trial was chosen by tell how good it is, and
the test fold, whose clips chose none of them either, how sure its difference to the baseline is.
"""

from __future__ import annotations

import statistics
import time
from concurrent.futures import Executor, Future, wait
from dataclasses import dataclass

import optuna
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial

from asc_experiments.base.progress import say
from asc_experiments.distill import TrainingContext
from asc_experiments.metrics import METRICS, REPLICATION, VALIDATION, MetricKey
from asc_experiments.statistics import Evidence, Margin, margin
from asc_experiments.study.definition.study_file import Objective, Replication
from asc_experiments.study.executors.jobs import SeedJob, SeedResult, train_seed
from asc_experiments.study.runner.cells import FIRST_FRESH
from asc_experiments.study.runner.recovery import NUMBER_IN_FILE
from asc_experiments.study.runner.trial_result import every_logit, names_of_all
from asc_experiments.study.runner.trial_runner import TrialContext, seed_job
from asc_experiments.study.search.search_space import SearchSpace
from asc_experiments.study.storage.failures import study_outage
from asc_experiments.study.storage.trial_status import SEEDS, finished_with_runs, standing
from asc_experiments.tracking import RunRecord
from asc_experiments.tracking.decision import metric_on_test
from asc_experiments.tracking.evidence import REPLICATES as REPLICATES_FILE
from asc_experiments.tracking.evidence import log_evidence
from asc_experiments.tracking.trials import (
    BASELINE,
    CELL,
    DIFFERENCE,
    REPLICATE_KIND,
    REPLICATED,
    REPLICATED_AT,
    REPLICATED_STD,
    REPLICATES,
    TRIAL,
    finished_trials,
    keys_of,
    spread_of,
)


@dataclass(frozen=True, eq=False)
class _Candidate:
    """A finished trial that is tried again."""

    record: RunRecord
    job: SeedJob
    bench: TrainingContext


def replicate(study: optuna.Study, space: SearchSpace, context: TrialContext, replication: Replication) -> None:
    """Train the best trials' students and the baseline's with fresh seeds, and log what they reach into their runs.

    Students that an earlier call finished are found again. Interrupted, the next call continues. A candidate that has a
    student which cannot be trained is left out, and a line says so.

    Raises:
        AscError: if the tracking server is gone.
    """
    runs = finished_trials(context.bench.tracking, study.study_name, context.identity)
    records = {int(record.tags[TRIAL]): record for record in runs}
    chosen = [trial for trial in candidates(study, replication.best) if trial.number in records]  # else: deleted
    if not chosen:
        return
    if chosen[0].user_attrs.get(NUMBER_IN_FILE, 0) != 0:
        say(f"study {study.study_name}: its first trial has not finished; trial {chosen[0].number} is the baseline")
    trying = [_candidate(context, space, trial, records[trial.number]) for trial in chosen]
    numbers = ", ".join(str(each.job.trial) for each in trying)
    say(f"study {study.study_name}: trials {numbers} once more, with {replication.seeds} fresh seeds each")
    futures = [_fresh(context.executor, each.bench, each.job, replication.seeds) for each in trying]
    wait([future for each in futures for future in each])
    finished = []
    for each, students in zip(trying, futures, strict=True):
        try:
            finished.append((each, [student.result() for student in students]))
        except Exception as error:
            if (outage := study_outage(error, study.study_name)) is not None:
                raise outage from None
            context.bench.tracking.check_answers()  # else nothing can be logged: stop
            say(f"trial {each.job.trial}: trying again failed ({type(error).__name__}: {error})")
    _log(context, finished, chosen[0].number)


def candidates(study: optuna.Study, best: int) -> list[FrozenTrial]:
    """The baseline, which is the first trial of the study file (else the first finished), then the best others.

    Of trials of one cell the latest stands for all, which has all students. Of trials of an earlier version with the
    same parameters it is the best.
    """
    finished = finished_with_runs(study)
    if not finished:
        return []
    sign = 1.0 if study.directions[0] == StudyDirection.MAXIMIZE else -1.0
    first = min(finished, key=lambda trial: (trial.user_attrs.get(NUMBER_IN_FILE) != 0, trial.number))
    stand = standing(finished)
    cell = first.user_attrs.get(CELL)
    baseline = next((trial for trial in stand if cell is not None and trial.user_attrs.get(CELL) == cell), first)
    chosen = [baseline]
    for trial in sorted(stand, key=lambda trial: -sign * trial.values[0]):
        if len(chosen) <= best and all(trial.params != other.params for other in chosen):
            chosen.append(trial)
    return chosen


def _candidate(context: TrialContext, space: SearchSpace, trial: FrozenTrial, record: RunRecord) -> _Candidate:
    plan = space.plan_of(trial.params, f"trial {trial.number}")
    keys = tuple(keys_of(record))
    own = trial.user_attrs.get(SEEDS) or [plan.student.seed]
    job = SeedJob(
        study=context.study.name,
        trial=trial.number,
        kind=REPLICATE_KIND,
        experiment_id=context.experiment_id,
        parent=record.run_id,
        teachers=keys,
        rule=plan.rule,
        student=plan.student.model_copy(update={"seed": own[0]}),
        distillation=plan.distillation,
        cell=record.tags.get(CELL, ""),
        identity=context.identity,
        specialise=plan.specialise,
    )
    return _Candidate(record, job, context.bench_of(plan))


def _fresh(executor: Executor, bench: TrainingContext, job: SeedJob, seeds: int) -> list[Future[SeedResult]]:
    first = job.student.seed + FIRST_FRESH
    return [executor.submit(train_seed, bench, seed_job(job, seed)) for seed in range(first, first + seeds)]


def _log(context: TrialContext, finished: list[tuple[_Candidate, list[SeedResult]]], baseline: int) -> None:
    """Log what each candidate reached, what its students answered, and its margin over the baseline.

    The margin that decides is that of the test fold, widened for the best of the candidates being picked by it; that on
    the clips that chose them is for the reader.
    """
    bench, objective = context.bench, context.study.objective
    tables = {
        each.job.trial: bench.evidence(every_logit(bench, [student.run_id for student in students]))
        for each, students in finished
    }
    chose_on_test = objective.split == "test"
    among = (
        len(finished_trials(bench.tracking, context.study.name, context.identity)) if chose_on_test else len(finished)
    )
    when = str(time.time_ns())
    for each, students in finished:
        metrics = _means(objective, students)
        if baseline in tables and each.job.trial != baseline:
            metrics |= _margins(tables[each.job.trial], tables[baseline], objective, max(1, among - 1))
        run = bench.tracking.writer(each.record.run_id, each.record.experiment_id)
        log_evidence(run, tables[each.job.trial], REPLICATES_FILE)
        run.metrics(metrics)
        run.tags({BASELINE: str(baseline), REPLICATED_AT: when})


def _margins(
    ours: dict[str, Evidence], theirs: dict[str, Evidence], objective: Objective, comparisons: int
) -> dict[str, float]:
    """The margin over the baseline on each split, as metrics; without an interval where noise is not known."""
    metrics: dict[str, float] = {}
    for split in ours.keys() & theirs.keys():
        metric = metric_on_test(objective.metric, ours[split])
        found = margin(ours[split], theirs[split], metric, comparisons)
        prefix = DIFFERENCE if split == objective.split else f"{DIFFERENCE}/{split}"
        metrics |= {f"{prefix}/{name}": value for name, value in _parts(found).items()}
    return metrics


def _parts(found: Margin) -> dict[str, float]:
    bounds = {"low": found.low, "high": found.high} if found.is_known else {}
    return {"difference": found.value} | bounds


def _is_score(key: MetricKey) -> bool:
    """Whether a number is of a split that is held out, or of the test fold's Scorecard."""
    of_scorecard = key.name in METRICS and METRICS[key.name].every_epoch
    return key.prefix == VALIDATION or (not key.prefix and of_scorecard)


def _means(objective: Objective, seeds: list[SeedResult]) -> dict[str, float]:
    """The mean and standard deviation over fresh seeds, of the objective and of every score under its own name."""
    metrics = {REPLICATES: float(len(seeds))}
    names = [name for name in names_of_all(seeds) if _is_score(MetricKey.parse(name))]
    for name in names:
        values = [seed.metrics[name] for seed in seeds]
        metrics[f"{REPLICATION}/{name}"] = statistics.fmean(values)
        if len(values) > 1:
            metrics[f"{REPLICATION}/{spread_of(name)}"] = statistics.stdev(values)
    values = [seed.metrics[objective.logged_name] for seed in seeds]
    metrics[REPLICATED] = statistics.fmean(values)
    if len(values) > 1:
        metrics[REPLICATED_STD] = statistics.stdev(values)
    return metrics
