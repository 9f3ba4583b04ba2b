"""The pieces of work that an executor does: train a teacher, train a student of one seed. (The last: its conclusion.)

Each is a function of a Workbench and a small description, so that it runs in this process or in another one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from optuna.trial import Trial

from asc_experiments.base.progress import say
from asc_experiments.distill import Distillation, Ensemble, TeacherBank, Workbench, train_student
from asc_experiments.distill.student import log_ensemble, soft_targets, student_identity
from asc_experiments.tracking.run import Stopped
from asc_experiments.tracking.trials import (
    IDENTITY,
    MODEL_ID,
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


def _ensemble(bench: Workbench, job: SeedJob) -> Ensemble | None:
    if not job.teachers:
        return None
    bank = TeacherBank(bench.tracking)
    return Ensemble(tuple(bank.named(key) for key in job.teachers), job.rule)
