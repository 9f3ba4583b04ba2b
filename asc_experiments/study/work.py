"""The pieces of work that an executor does: train a teacher, train a student of one seed, conclude a trial.

Each is a function of a Workbench and a small description, so that it runs in this process or in another one.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping
from dataclasses import dataclass

from optuna.trial import Trial

from asc_experiments.base.errors import NotFiniteError
from asc_experiments.base.progress import say
from asc_experiments.distill import Distillation, Ensemble, TeacherBank, Workbench, train_student
from asc_experiments.distill.student import log_ensemble, soft_targets, student_identity
from asc_experiments.distill.teacher import RECIPE
from asc_experiments.study.file import Objective
from asc_experiments.study.space import TrialPlan
from asc_experiments.tracking.run import Stopped
from asc_experiments.tracking.trials import (
    AGAINST_VALUE,
    IDENTITY,
    LABELS_ALONE,
    MODEL_ID,
    OBJECTIVE_VALUE,
    SEED,
    STUDY,
    TEACHERS,
    TRIAL,
    adopt_seed,
)
from asc_experiments.training import Recipe

PRUNED_NOTE = "pruned"
"""How the note of a pruned trial's run begins."""


class Pruned(Stopped):
    """The pruner stopped this trial, or its student is larger than the study allows."""


class Reporter:
    """Tells Optuna how a trial's first student is doing, from whichever process trains it.

    Args:
        trial: the trial in Optuna.
        metric: the objective's name among validation metrics.
    """

    def __init__(self, trial: Trial, metric: str) -> None:
        self.trial, self.metric = trial, metric

    def __call__(self, epoch: int, metrics: Mapping[str, float]) -> None:
        """Report one epoch, counted from 0.

        Raises:
            Pruned: if the trial is not worth going on with.
        """
        trial = self.trial
        if epoch not in trial.storage.get_trial(trial._trial_id).intermediate_values:  # else: a worker was killed
            trial.report(metrics[self.metric], epoch)
        if trial.should_prune():
            raise Pruned(f"{PRUNED_NOTE} after epoch {epoch + 1}")


@dataclass(frozen=True)
class SeedJob:
    """One student to train in a run of its own.

    Attributes:
        study, trial: the study's name and the trial's number.
        kind: what the run is: a trial's seed, or a replicate of a finished trial.
        experiment_id, parent: where the run goes, and the trial's run that it belongs to.
        teachers: keys in the bank; none trains on labels alone.
        rule: how their logits combine.
        logs_ensemble: whether this job also logs the Ensemble into the trial's run.
        reporter: hears of every epoch.
    """

    study: str
    trial: int
    kind: str
    experiment_id: str
    parent: str
    teachers: tuple[str, ...]
    rule: str
    student: Recipe
    distillation: Distillation
    logs_ensemble: bool = False
    reporter: Reporter | None = None


@dataclass(frozen=True)
class SeedResult:
    """A trained student: its run, its network among MLflow's models, its Scorecards and complexity."""

    run_id: str
    model_id: str
    seed: int
    metrics: Mapping[str, float]


@dataclass(frozen=True)
class Conclusion:
    """Everything that is logged about a trial once its students are trained."""

    run_id: str
    experiment_id: str
    objectives: tuple[Objective, ...]
    plan: TrialPlan
    searched: Mapping[str, object]
    seeds: tuple[SeedResult, ...]


def train_teacher(bench: Workbench, recipe: Recipe) -> str:
    """Have the bank train a teacher, or find it; its key."""
    return TeacherBank(bench.tracking).get(recipe, bench).key


def train_seed(bench: Workbench, job: SeedJob) -> SeedResult:
    """Train one student, unless an interrupted attempt at the same trial had finished exactly this one.

    Raises:
        Pruned: if the pruner stopped it.
    """
    bench.tracking.sweep()
    ensemble = _ensemble(bench, job)
    if ensemble is not None and job.logs_ensemble and TEACHERS not in bench.tracking.get(job.parent).tags:
        log_ensemble(bench, bench.tracking.writer(job.parent, job.experiment_id), ensemble)
    targets = soft_targets(bench, ensemble, job.distillation)
    identity = student_identity(bench, job.student, targets)
    adopted = adopt_seed(bench.tracking, job.experiment_id, job.kind, identity, job.parent, job.trial)
    if adopted is not None:
        say(f"trial {job.trial}: student {job.student.name} was finished before the interruption")
        return SeedResult(adopted.run_id, adopted.tags[MODEL_ID], job.student.seed, dict(adopted.metrics))
    tags = {STUDY: job.study, TRIAL: str(job.trial), SEED: str(job.student.seed), IDENTITY: identity}
    name = f"{job.kind} {job.student.seed}"
    with bench.tracking.run(job.experiment_id, name, job.kind, tags, job.parent) as run:
        train_student(bench, job.student, run, ensemble, job.distillation, job.reporter)
    record = bench.tracking.get(run.run_id)
    return SeedResult(run.run_id, record.tags[MODEL_ID], job.student.seed, dict(record.metrics))


def conclude(bench: Workbench, conclusion: Conclusion) -> tuple[float, ...]:
    """Log the mean Scorecard over seeds under a teacher's metric names, and the best seed's network.

    Returns:
        The value of each objective: the mean over seeds.
    """
    seeds, plan = conclusion.seeds, conclusion.plan
    names = [name for name in seeds[0].metrics if not name.startswith("train/")]
    mean = {name: statistics.fmean(seed.metrics[name] for seed in seeds) for name in names}
    spread = {}
    if len(seeds) > 1:
        scores = [name for name in names if not name.startswith("complexity/")]
        spread = {f"{name}_std": statistics.stdev(seed.metrics[name] for seed in seeds) for name in scores}
    objective = conclusion.objectives[0]
    sign = 1.0 if objective.direction == "maximize" else -1.0
    best = max(seeds, key=lambda seed: sign * seed.metrics[objective.logged_name])
    values = tuple(mean[each.logged_name] for each in conclusion.objectives)
    if not all(map(math.isfinite, values)):
        raise NotFiniteError(plan.student.name, f"its objective is {values[0]}", "lower the learning_rate")
    student = plan.student
    settings = student.flat() | {"size": student.size, "augment": student.augment}
    params = {f"search.{key}": value for key, value in conclusion.searched.items()}
    params |= {f"student.{key}": value for key, value in settings.items()}
    run = bench.tracking.writer(conclusion.run_id, conclusion.experiment_id)
    run.log(
        params=params | (plan.distillation.model_dump() if plan.teachers else LABELS_ALONE),
        metrics=mean | spread | dict(zip((OBJECTIVE_VALUE, AGAINST_VALUE), values, strict=False)),
        tags={
            MODEL_ID: best.model_id,
            RECIPE: student.model_copy(update={"seed": best.seed}).model_dump_json(),
        },
        note=_note(plan, mean, len(seeds)),
    )
    return values


def _ensemble(bench: Workbench, job: SeedJob) -> Ensemble | None:
    if not job.teachers:
        return None
    bank = TeacherBank(bench.tracking)
    return Ensemble(tuple(bank.named(key) for key in job.teachers), job.rule)


def _note(plan: TrialPlan, metrics: Mapping[str, float], seeds: int) -> str:
    members = "\n".join(f"- {name}" for name in plan.teacher_names.split(" + "))
    groups = sorted(name for name in metrics if name.startswith("accuracy/group/"))
    scores = ", ".join(f"{name.rsplit('/', 1)[1]} {100 * metrics[name]:.1f} %" for name in groups)
    return (
        f"Student **{plan.student.name}** taught by\n{members}\n\n"
        f"Test fold: {100 * metrics['accuracy/overall']:.1f} % overall ({scores}), "
        f"DG {100 * metrics['device_generalization']:.1f}. Seeds: {seeds}."
    )
