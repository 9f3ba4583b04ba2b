"""One trial, step by step: its teachers, its students of every seed, its conclusion.

A trial is a generator. Between its steps it yields the futures that it waits for, so that one driver has as many trials
active as there are workers, and one ``with`` block decides how the trial's run ends.
"""

from __future__ import annotations

import json
from collections.abc import Generator, Mapping, Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, TypeVar

from asc_experiments.base.errors import AscError
from asc_experiments.distill import TeacherBank, TrainingContext
from asc_experiments.distill.train import train_split_tags
from asc_experiments.models.complexity import Complexity
from asc_experiments.study.definition.study_file import StudyFile
from asc_experiments.study.executors.jobs import (
    PRUNED_NOTE,
    Pruned,
    Reporter,
    SeedJob,
    SeedResult,
    other_students,
    train_seed,
    train_teacher,
)
from asc_experiments.study.runner.cells import TrialSeeds, cell_of, first_seed
from asc_experiments.study.runner.trial_result import Conclusion, conclude
from asc_experiments.study.runner.validation import objective_clips
from asc_experiments.study.search.search_space import TrialPlan, Wanted
from asc_experiments.tracking.objective import ObjectiveClips
from asc_experiments.tracking.study_identity import STUDY_ID
from asc_experiments.tracking.trials import (
    AGAIN_OF,
    AGAINST,
    CELL,
    DIRECTION,
    OBJECTIVE,
    SEARCHED,
    SEED,
    SEED_KIND,
    SPLIT,
    STUDENTS,
    STUDENTS_TRAINED,
    STUDY,
    TRAINING_SECONDS,
    TRIAL,
    TRIAL_KIND,
    students_of_cell,
)

T = TypeVar("T")
Steps = Generator[Sequence[Future[Any]], None, T]


@dataclass(frozen=True, eq=False)
class TrialContext:
    """What every trial of a study shares: a teacher that several of them want is one future."""

    study: StudyFile
    bench: TrainingContext
    bank: TeacherBank
    experiment_id: str
    executor: Executor
    identity: str = ""
    _teachers: dict[tuple[Wanted, str], Future[str]] = field(default_factory=dict)

    @cached_property
    def measured(self) -> ObjectiveClips | None:
        """What the objective is measured on."""
        return objective_clips(self.study.objective, self.bench)

    def bench_of(self, plan: TrialPlan) -> TrainingContext:
        """What a trial's networks are trained with: on the clips of its list alone, where it has one."""
        return self.bench.on(plan.train_split)

    def teacher(self, wanted: Wanted, train_split: str = "") -> Future[str]:
        """The key of a teacher that is in the bank, is being trained, or is trained from now on; on a list of clips.

        One whose Recipe cannot be trained is not tried again; one that was lost otherwise is.
        """
        known = self._teachers.get((wanted, train_split))
        if known is None or _was_lost(known):
            known = (
                _kept(self.bank.named(wanted).key)
                if isinstance(wanted, str)
                else self.executor.submit(train_teacher, self.bench.on(train_split), wanted)
            )
            self._teachers[wanted, train_split] = known
        return known


def run_trial(
    context: TrialContext,
    plan: TrialPlan,
    number: int,
    params: Mapping[str, object],
    seeds: TrialSeeds,
    complexity: Complexity | None = None,
    reporter: Reporter | None = None,
    again_of: int | None = None,
) -> Steps[tuple[float, ...]]:
    """Run one trial as an MLflow run with a child run per seed.

    Args:
        context: the study, its corpus, its bank, and what does the work.
        plan: the teachers, the student and the distillation.
        number: the trial's number in Optuna.
        params: the trial's parameters in Optuna, logged as they are.
        seeds: which its students have.
        complexity: the student's, where the study limits it.
        reporter: hears of every epoch of the first seed, and may stop the trial.
        again_of: the number of the trial that this one was queued in place of.

    Yields:
        What it waits for.

    Returns:
        The value of each objective: the mean over all students of the trial's cell.

    Raises:
        Pruned: if the pruner stopped it, or its student is larger than the study allows.
    """
    study, bench = context.study, context.bench_of(plan)
    name = f"trial {number}"
    tags = (
        _tags(context, number, params)
        | train_split_tags(bench)
        | ({} if again_of is None else {AGAIN_OF: str(again_of)})
    )
    with bench.tracking.run(context.experiment_id, name, TRIAL_KIND, tags) as run:
        if complexity is not None:
            _check_limits(study, complexity)
        keys = yield from _all([context.teacher(wanted, plan.train_split) for wanted in plan.teachers])
        cell = cell_of(bench, plan, keys)
        run.tags({CELL: cell})
        job = SeedJob(
            study=study.name,
            trial=number,
            kind=SEED_KIND,
            experiment_id=context.experiment_id,
            parent=run.run_id,
            teachers=tuple(keys),
            rule=plan.rule,
            student=plan.student,
            distillation=plan.distillation,
            cell=cell,
            identity=context.identity,
            specialise=plan.specialise,
        )
        # The seeds of the general students, which another study may have trained.
        general = cell if plan.specialise is None else cell_of(bench, replace(plan, specialise=None), keys)
        first = first_seed(general) if plan.first_seed is None else plan.first_seed
        own = yield from _students(context, bench, job, seeds.take(cell, first), reporter)
        students = own + (yield from _others(context, bench, job, own))
        trained = sum(student.metrics.get(TRAINING_SECONDS, 1.0) > 0 for student in own)
        run.metrics({STUDENTS: float(len(students)), STUDENTS_TRAINED: float(trained)})
        seeds.pooled(len(students))
        conclusion = Conclusion(
            run.run_id, context.experiment_id, study.objectives, plan, dict(params), tuple(students)
        )
        (values,) = yield from _all([context.executor.submit(conclude, bench, conclusion)])
        return values


def seed_job(job: SeedJob, seed: int, **changed: Any) -> SeedJob:
    """The same job for another seed."""
    return replace(job, student=job.student.model_copy(update={"seed": seed}), **changed)


def _students(
    context: TrialContext, bench: TrainingContext, job: SeedJob, seeds: Sequence[int], reporter: Reporter | None
) -> Steps[list[SeedResult]]:
    """The students of these seeds; where the pruner may stop the trial, the first one alone before the others."""
    first = seeds[0]

    def submit(seed: int) -> Future[SeedResult]:
        is_first = seed == first
        each = seed_job(job, seed, logs_ensemble=is_first, reporter=reporter if is_first else None)
        return context.executor.submit(train_seed, bench, each)

    if reporter is None:
        return (yield from _all([submit(seed) for seed in seeds]))
    done = yield from _all([submit(first)])
    return done + (yield from _all([submit(seed) for seed in seeds[1:]]))


def _others(
    context: TrialContext, bench: TrainingContext, job: SeedJob, own: Sequence[SeedResult]
) -> Steps[list[SeedResult]]:
    """The students of the trial's cell that other trials of the study trained."""
    seeds = frozenset(student.seed for student in own)
    known = students_of_cell(bench.tracking, job.experiment_id, job.cell, job.identity)
    if all(int(record.tags[SEED]) in seeds for record in known):
        return []
    (found,) = yield from _all([context.executor.submit(other_students, bench, job, seeds)])
    return found


def _all(futures: list[Future[T]]) -> Steps[list[T]]:
    """Wait for all of them."""
    yield futures
    return [future.result() for future in futures]


def _was_lost(future: Future[str]) -> bool:
    return future.done() and not isinstance(future.exception(), AscError | None)


def _kept(key: str) -> Future[str]:
    future: Future[str] = Future()
    future.set_result(key)
    return future


def _check_limits(study: StudyFile, complexity: Complexity) -> None:
    for metric, limit in study.constraints.items():
        value = getattr(complexity, metric.removeprefix("complexity/"))
        if value > limit:
            raise Pruned(f"{PRUNED_NOTE}, not trained: {metric} is {value:,.0f}, the study's limit {limit:,.0f}")


def _tags(context: TrialContext, number: int, params: Mapping[str, object]) -> dict[str, str]:
    """What is known of a trial from its beginning; its parameters too, in case it does not come to a conclusion."""
    study, objective = context.study, context.study.objective
    tags = {
        STUDY: study.name,
        TRIAL: str(number),
        OBJECTIVE: objective.metric,
        SPLIT: objective.split,
        DIRECTION: objective.direction,
        SEARCHED: json.dumps(dict(params), sort_keys=True),
    }
    if context.identity:
        tags[STUDY_ID] = context.identity
    if context.measured is not None:
        tags |= context.measured.tags()
    return tags if study.against is None else tags | {AGAINST: study.against.logged_name}
