"""One student outside of any study, in the experiment ``students``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from asc_experiments.base.errors import AscError
from asc_experiments.base.progress import say
from asc_experiments.corpus import ValidationSplit
from asc_experiments.distill.bank import TeacherBank, check_learnable
from asc_experiments.distill.ensemble import Ensemble
from asc_experiments.distill.known_students import find_student, log_found, scores_of, student_lock, with_further_scores
from asc_experiments.distill.student import Distillation, log_ensemble, soft_targets, student_identity, train_student
from asc_experiments.distill.training_context import TrainingContext
from asc_experiments.tracking import RunRecord, Tracking
from asc_experiments.tracking.client.queries import where
from asc_experiments.tracking.trials import IDENTITY, ORIGINAL, SEED
from asc_experiments.training import Recipe
from asc_experiments.training.loop import check_learns_from_logits

EXPERIMENT = "students"


def train_single_student(
    open_bench: Callable[[ValidationSplit], TrainingContext],
    tracking: Tracking,
    recipe: Recipe,
    keys: Sequence[str],
    distillation: dict[str, Any],
    fraction: float = 0.0,
) -> tuple[str, dict[str, float]]:
    """Train one student and log it as a run of its own, unless the tracking server has exactly this one already.

    One that a study trained gets a run here that tells its scores, and which run has its network.

    Args:
        open_bench: opens the corpus with a given validation split.
        tracking: the server.
        recipe: the student's.
        keys: of its teachers; none trains on labels alone.
        distillation: temperature and label weight, where they are not the published ones.
        fraction: of the training fold to hold out, for a student without teachers; with teachers theirs is used.

    Returns:
        The run's id and the metrics of its Scorecards.

    Raises:
        AscError: if a teacher does not exist, or teachers held out different clips.
    """
    if distillation and not keys:
        raise AscError(f"--set {next(iter(distillation))}", "needs teachers to learn from", "give --teachers KEY,…")
    settings = Distillation.parse(distillation, "distillation")
    split = ValidationSplit(fraction=fraction)
    ensemble = None
    if keys:
        if fraction:
            raise AscError("--validation", "is what the teachers held out", "omit it where there are --teachers")
        check_learns_from_logits(recipe)
        bank = TeacherBank(tracking)
        ensemble = Ensemble(tuple(bank.named(key) for key in keys))
        if len({teacher.key for teacher in ensemble.teachers}) < len(keys):
            raise AscError("--teachers", "names a teacher twice", "give each key once")
        split = ensemble.teachers[0].split
        for teacher in ensemble.teachers:
            if teacher.split != split:
                where = f"teacher {teacher.key}"
                raise AscError(where, f"held out other clips than {ensemble.teachers[0].key}", "combine others")
    bench = open_bench(split)
    bench.responses_for(recipe)
    bench.weights_for(recipe)
    if ensemble is not None:
        for teacher in ensemble.teachers:
            check_learnable(teacher, bench)
    targets = soft_targets(bench, ensemble, settings)  # refuses missing clips before there is a run
    key = student_identity(bench, recipe, targets)
    experiment, tags = tracking.experiment(EXPERIMENT), {IDENTITY: key, SEED: str(recipe.seed)}
    with bench.lock(student_lock(key)):
        found = find_student(tracking, key)
        known = None if found is None else _known_here(tracking, experiment, found)
        if known is not None:
            say(f"student {recipe.name}: already trained, in run {known.run_id}")
            return known.run_id, scorecards_of(known)
        with tracking.run(experiment, recipe.name, "student", tags) as run:
            if ensemble is not None:
                log_ensemble(bench, run, ensemble)
            if found is None:
                return run.run_id, train_student(bench, recipe, run, targets, identity=key)
            say(f"student {recipe.name}: a study trained it, in run {found.run_id}")
            found = with_further_scores(bench, found)
            log_found(bench, run, found)
            return run.run_id, scorecards_of(found)


def scorecards_of(student: RunRecord) -> dict[str, float]:
    """The metrics of a student's Scorecards."""
    return {name: value for name, value in scores_of(student).items() if not name.startswith("complexity/")}


def _known_here(tracking: Tracking, experiment: str, student: RunRecord) -> RunRecord | None:
    """The run of a student among the single ones: that which trained it, or that which tells of it."""
    if student.experiment_id == experiment:
        return student
    query = where({ORIGINAL: student.run_id}, status="FINISHED")
    return next(iter(tracking.search([experiment], query, limit=1)), None)
