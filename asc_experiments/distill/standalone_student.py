"""One student outside of any study, in the experiment ``students``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from asc_experiments.base.errors import AscError
from asc_experiments.base.progress import say
from asc_experiments.corpus import ValidationSplit
from asc_experiments.distill.bank import TeacherBank, check_learnable
from asc_experiments.distill.embeddings import check_has_embeddings
from asc_experiments.distill.ensemble import Ensemble
from asc_experiments.distill.known_students import find_student, log_found, scores_of, student_lock, with_further_scores
from asc_experiments.distill.specialise import Specialisation, specialised_identity, train_specialised
from asc_experiments.distill.student import log_ensemble, soft_targets, student_identity, train_student
from asc_experiments.distill.training_context import TrainingContext
from asc_experiments.tracking import Run, RunRecord, Tracking
from asc_experiments.tracking.client.queries import where
from asc_experiments.tracking.trials import IDENTITY, ORIGINAL, SEED
from asc_experiments.training import Recipe
from asc_experiments.training.embedding import head_of
from asc_experiments.training.loop import check_learns_from_logits
from asc_experiments.training.losses import parse_loss

EXPERIMENT = "students"


def train_single_student(
    open_bench: Callable[[ValidationSplit], TrainingContext],
    tracking: Tracking,
    recipe: Recipe,
    keys: Sequence[str],
    distillation: dict[str, Any],
    fraction: float = 0.0,
    specialise: Specialisation | None = None,
) -> tuple[str, dict[str, float]]:
    """Train one student and log it as a run of its own, unless the tracking server has exactly this one already.

    One that a study trained gets a run here that tells its scores, and which run has its network.

    Args:
        open_bench: opens the corpus with a given validation split.
        tracking: the server.
        recipe: the student's.
        keys: of its teachers; none trains on labels alone.
        distillation: the loss and its settings, where they are not the published ones.
        fraction: of the training fold to hold out, for a student without teachers; with teachers theirs is used.
        specialise: how the student is fine-tuned for devices; None leaves it as one network for all. The general one
            gets a run of its own, too.

    Returns:
        The run's id and the metrics of its Scorecards.

    Raises:
        AscError: if a teacher does not exist, or teachers held out different clips.
    """
    if distillation and not keys:
        raise AscError(f"--set {next(iter(distillation))}", "needs teachers to learn from", "give --teachers KEY,…")
    loss = parse_loss(distillation, "distillation")
    split = ValidationSplit(fraction=fraction)
    ensemble = None
    if keys:
        if fraction:
            raise AscError("--validation", "is what the teachers held out", "omit it where there are --teachers")
        check_learns_from_logits(recipe)
        if loss.needs_embeddings:
            head_of(recipe.arch, f"student {recipe.name}")
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
            if loss.needs_embeddings:
                check_has_embeddings(teacher, loss.name)
    targets = soft_targets(bench, ensemble, loss)  # refuses missing clips before there is a run
    key = student_identity(bench, recipe, targets)
    place = _Place(bench, ensemble, tracking.experiment(EXPERIMENT))
    general = place.once(
        recipe.name, key, recipe.seed, lambda run: train_student(bench, recipe, run, targets, identity=key)
    )
    if specialise is None:
        return general.run_id, scorecards_of(general)
    trained = tracking.get(general.tags.get(ORIGINAL, general.run_id))
    key = specialised_identity(bench, key, specialise)
    how = (trained, targets, specialise, key)
    made = place.once(
        f"{recipe.name} by device", key, recipe.seed, lambda run: train_specialised(bench, recipe, run, *how)
    )
    return made.run_id, scorecards_of(made)


@dataclass(frozen=True, eq=False)
class _Place:
    """The experiment of single students, and what those that go there have in common."""

    bench: TrainingContext
    ensemble: Ensemble | None
    experiment_id: str

    def once(self, name: str, key: str, seed: int, train: Callable[[Run], object]) -> RunRecord:
        """The run here of the student of this key: there already, told of one that a study trained, or trained now."""
        tracking = self.bench.tracking
        with self.bench.lock(student_lock(key)):
            found = find_student(tracking, key)
            known = None if found is None else _known_here(tracking, self.experiment_id, found)
            if known is not None:
                say(f"student {name}: already trained, in run {known.run_id}")
                return known
            tags = {IDENTITY: key, SEED: str(seed)}
            with tracking.run(self.experiment_id, name, "student", tags, key=key) as run:
                if self.ensemble is not None:
                    log_ensemble(self.bench, run, self.ensemble)
                if found is None:
                    train(run)
                else:
                    say(f"student {name}: a study trained it, in run {found.run_id}")
                    log_found(self.bench, run, with_further_scores(self.bench, found))
        return tracking.get(run.run_id)


def scorecards_of(student: RunRecord) -> dict[str, float]:
    """The metrics of a student's Scorecards."""
    return {name: value for name, value in scores_of(student).items() if not name.startswith("complexity/")}


def _known_here(tracking: Tracking, experiment: str, student: RunRecord) -> RunRecord | None:
    """The run of a student among the single ones: that which trained it, or that which tells of it."""
    if student.experiment_id == experiment:
        return student
    query = where({ORIGINAL: student.run_id}, status="FINISHED")
    return next(iter(tracking.search([experiment], query, limit=1)), None)
