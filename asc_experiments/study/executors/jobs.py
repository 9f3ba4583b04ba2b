"""The pieces of work that an executor does: train a teacher, train a student of one seed. (The last: its conclusion.)

Each is a function of a TrainingContext and a small description, so that it runs in this process or in another one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from optuna.exceptions import UpdateFinishedTrialError
from optuna.trial import Trial

from asc_experiments.base.progress import say
from asc_experiments.distill import Ensemble, TeacherBank, TrainingContext, train_student
from asc_experiments.distill.known_students import (
    find_student,
    is_whole,
    log_found,
    scores_of,
    student_lock,
    with_further_scores,
)
from asc_experiments.distill.specialise import Specialisation, specialised_identity, train_specialised
from asc_experiments.distill.student import log_ensemble, soft_targets, student_identity
from asc_experiments.tracking import Run, RunRecord
from asc_experiments.tracking.client.queries import where
from asc_experiments.tracking.client.records import KIND, PARENT
from asc_experiments.tracking.client.run import Stopped
from asc_experiments.tracking.study_identity import STUDY_ID
from asc_experiments.tracking.trials import (
    CELL,
    GENERAL_KIND,
    GENERAL_RUN,
    IDENTITY,
    MODEL_ID,
    ORIGINAL,
    SEED,
    STUDY,
    TEACHERS,
    TRAINING_SECONDS,
    TRIAL,
    adopt_student,
    students_of_cell,
)
from asc_experiments.training import DistillationLoss, Recipe, SoftTargets

PRUNED_NOTE = "pruned"
"""How the note of a pruned trial's run begins."""


class Pruned(Stopped):
    """The pruner stopped this trial, or its student is larger than the study allows."""


class TakenOver(Stopped):
    """While this driver was silent, another one took its trial for lost, and told how it ended or queued it again."""

    def __init__(self) -> None:
        super().__init__("taken over by another driver while this one was silent")


@contextmanager
def unless_taken_over(trial: Trial) -> Iterator[None]:
    """Write into a trial that is this driver's, as far as it knows.

    Raises:
        TakenOver: if the trial has ended by somebody else's doing.
    """
    try:
        yield
    except (UpdateFinishedTrialError, ValueError):  # the latter is what `Study.tell` raises
        if not has_ended(trial):
            raise
        raise TakenOver from None


def has_ended(trial: Trial) -> bool:
    """Whether a trial's end was told, as the storage knows now."""
    return bool(trial.storage.get_trial(trial._trial_id).state.is_finished())


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
            Pruned: if the trial is not worth continuing.
            TakenOver: if it is another driver's now.
        """
        trial = self.trial
        if epoch not in trial.storage.get_trial(trial._trial_id).intermediate_values:  # else: a worker was killed
            with unless_taken_over(trial):
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
        cell: what the trial is but for its students' seeds.
        identity: the study's; empty where an earlier version began it.
        specialise: how it is fine-tuned for devices; None where one network serves all.
    """

    study: str
    trial: int
    kind: str
    experiment_id: str
    parent: str
    teachers: tuple[str, ...]
    rule: str
    student: Recipe
    distillation: DistillationLoss
    logs_ensemble: bool = False
    reporter: Reporter | None = None
    cell: str = ""
    identity: str = ""
    specialise: Specialisation | None = None


@dataclass(frozen=True)
class SeedResult:
    """A trained student: the run that has its logits, its network among MLflow's models, its Scorecards and complexity.

    The time of its training is that which this trial spent on it: none where it was found. Of one with networks for
    devices, ``general`` is the run of the student that they were made of.
    """

    run_id: str
    model_id: str
    seed: int
    metrics: Mapping[str, float]
    general: str = ""

    @classmethod
    def of(cls, student: RunRecord, metrics: Mapping[str, float] | None = None) -> SeedResult:
        """A student's run; with other metrics than its own, where those are given."""
        told = dict(student.metrics if metrics is None else metrics)
        tags = student.tags
        return cls(student.run_id, tags[MODEL_ID], int(tags[SEED]), told, tags.get(GENERAL_RUN, ""))


def train_teacher(bench: TrainingContext, recipe: Recipe) -> str:
    """Have the bank train a teacher, or find it; its key."""
    return TeacherBank(bench.tracking).get(recipe, bench).key


def train_seed(bench: TrainingContext, job: SeedJob) -> SeedResult:
    """Train one student, unless the tracking server has exactly this one already; whoever else trains it is waited for.

    A student that an interrupted attempt at the same trial had finished becomes this attempt's. One of another trial or
    study, or of ``asc student train``, stays where it is: this trial gets a run that tells its scores and where it is.

    Raises:
        Pruned: if the pruner stopped it.
    """
    bench.tracking.sweep()
    ensemble = _ensemble(bench, job)
    if ensemble is not None and job.logs_ensemble and TEACHERS not in bench.tracking.get(job.parent).tags:
        log_ensemble(bench, bench.tracking.writer(job.parent, job.experiment_id), ensemble)
    targets = soft_targets(bench, ensemble, job.distillation)
    key = student_identity(bench, job.student, targets)
    if job.specialise is None:
        return _student(bench, job, key, lambda run: train_student(bench, job.student, run, targets, job.reporter, key))
    general = _general(bench, job, targets, key)
    key = specialised_identity(bench, key, job.specialise)
    how = (targets, job.specialise, key)
    return _student(bench, job, key, lambda run: train_specialised(bench, job.student, run, general, *how))


def _student(bench: TrainingContext, job: SeedJob, key: str, train: Callable[[Run], object]) -> SeedResult:
    """The student of this key: found, or trained into a run of its own."""
    tags = _tags(job, key)
    with bench.lock(student_lock(key)):
        found = find_student(bench.tracking, key)
        if found is not None:
            return _found(bench, job, with_further_scores(bench, found), tags)
        with bench.tracking.run(job.experiment_id, _name(job), job.kind, tags, job.parent) as run:
            train(run)
    return SeedResult.of(bench.tracking.get(run.run_id))


def _general(bench: TrainingContext, job: SeedJob, targets: SoftTargets | None, key: str) -> RunRecord:
    """The run of the general student that networks for devices are made of, wherever it was trained."""
    with bench.lock(student_lock(key)):
        found = find_student(bench.tracking, key)
        if found is not None:
            return found
        tags, name = _tags(job, key), f"{GENERAL_KIND} {job.student.seed}"
        with bench.tracking.run(job.experiment_id, name, GENERAL_KIND, tags, job.parent) as run:
            train_student(bench, job.student, run, targets, job.reporter, key)
    return bench.tracking.get(run.run_id)


def _tags(job: SeedJob, key: str) -> dict[str, str]:
    tags = {STUDY: job.study, TRIAL: str(job.trial), SEED: str(job.student.seed), IDENTITY: key}
    return tags | {name: value for name, value in ((CELL, job.cell), (STUDY_ID, job.identity)) if value}


def _found(bench: TrainingContext, job: SeedJob, student: RunRecord, tags: dict[str, str]) -> SeedResult:
    """Have a student that was found count for a trial."""
    what, tracking = f"trial {job.trial}: student {job.student.name}", bench.tracking
    is_here = student.experiment_id == job.experiment_id and student.tags.get(KIND) == job.kind
    if is_here and (student.tags.get(PARENT) == job.parent or adopt_student(tracking, student, job.parent, tags)):
        say(f"{what} was finished before the interruption")
        return SeedResult.of(student)
    say(f"{what} was trained before, in run {student.run_id}")
    known = where({PARENT: job.parent, ORIGINAL: student.run_id}, status="FINISHED")
    if not tracking.search([job.experiment_id], known, limit=1):
        with tracking.run(job.experiment_id, _name(job), job.kind, tags, job.parent) as run:
            log_found(bench, run, student)
    return _without_training(student)


def other_students(bench: TrainingContext, job: SeedJob, seeds: frozenset[int]) -> list[SeedResult]:
    """The students of a trial's cell that other trials of the study trained; those whose files are gone are left out.

    Args:
        bench: the tracking server.
        job: any of the trial's.
        seeds: the trial's own.
    """
    found = []
    for record in students_of_cell(bench.tracking, job.experiment_id, job.cell, job.identity):
        if int(record.tags[SEED]) in seeds:
            continue
        original = bench.tracking.get(record.tags[ORIGINAL]) if ORIGINAL in record.tags else record
        if is_whole(bench.tracking, original):
            found.append(_without_training(with_further_scores(bench, original)))
        else:
            say(f"trial {job.trial}: the student of run {original.run_id} does not count, its files are gone")
    return found


def _without_training(student: RunRecord) -> SeedResult:
    return SeedResult.of(student, scores_of(student) | {TRAINING_SECONDS: 0.0})


def _name(job: SeedJob) -> str:
    return f"{job.kind} {job.student.seed}"


def _ensemble(bench: TrainingContext, job: SeedJob) -> Ensemble | None:
    if not job.teachers:
        return None
    bank = TeacherBank(bench.tracking)
    return Ensemble(tuple(bank.named(key) for key in job.teachers), job.rule)
