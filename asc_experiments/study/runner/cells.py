"""Cells: what trials are but for their students' seeds, and which seeds each trial of a cell trains.

A sampler may ask for a cell again. The new trial then trains students with new seeds, and its scores are means over all
students of that cell: no student is trained twice, and none counts as new evidence a second time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass

import optuna
from optuna.trial import Trial, TrialState

from asc_experiments.base.hashing import digest_json
from asc_experiments.distill import TrainingContext
from asc_experiments.distill.specialise import specialised_identity
from asc_experiments.distill.student import student_identity
from asc_experiments.study.search.search_space import FIRST_STUDENT_SEED, TrialPlan
from asc_experiments.study.storage.trial_status import SEEDS, superseded
from asc_experiments.tracking.trials import CELL, STUDENTS

FIRST_FRESH = 1_000_000
"""How far the seeds of replicates are from those of a trial: no seed of a trial is as high."""
_SEEDS_APART = 10
"""How far the first seeds of two cells are apart, at least, unless they are the same."""


def cell_of(bench: TrainingContext, plan: TrialPlan, keys: Sequence[str]) -> str:
    """What identifies a trial but for its students' seeds, in any study.

    Args:
        bench: corpus, split and impulse responses.
        plan: the trial's.
        keys: of its teachers, whole, in their order.
    """
    student = student_identity(bench, plan.student.model_copy(update={"seed": 0}), None)
    if plan.specialise is not None:
        student = specialised_identity(bench, student, plan.specialise)
    rule = plan.rule if len(keys) > 1 else None
    distillation = plan.distillation.identity() if keys else None
    return digest_json([student, list(keys), rule, distillation], length=16)


def first_seed(cell: str) -> int:
    """The lowest seed of a cell's students.

    Cells have seeds of their own, as intervals take the students of two trials to be independent. Where all trials had
    the same, a seed that does badly in one would do badly in all. A cell has the same seeds in every study, so that its
    students are found again.

    Args:
        cell: see :func:`cell_of`.

    Examples:
        >>> first_seed("00000000000000ff")
        3550
    """
    return FIRST_STUDENT_SEED + int(cell, 16) % ((FIRST_FRESH - FIRST_STUDENT_SEED) // _SEEDS_APART) * _SEEDS_APART


@dataclass(frozen=True, eq=False)
class TrialSeeds:
    """The seeds of one trial's students, kept with the trial in Optuna so that its next attempt has the same.

    Attributes:
        study, trial: in Optuna.
        lock: held while seeds are chosen: all drivers of the study share it.
        count: how many students a trial trains.
    """

    study: optuna.Study
    trial: Trial
    lock: Callable[[], AbstractContextManager[object]]
    count: int

    def take(self, cell: str, first: int) -> list[int]:
        """The seeds of this trial's students: the first that no other trial of the cell has.

        A pruned trial has none: it never had a whole student.

        Args:
            cell: the trial's.
            first: the lowest seed.
        """
        with self.lock():
            trials = self.study.get_trials(deepcopy=False)
            own = trials[self.trial.number].user_attrs
            if own.get(CELL) == cell:
                return list(own[SEEDS])
            again = superseded(trials)
            others = [each for each in trials if each.number not in again and each.state != TrialState.PRUNED]
            taken = {seed for each in others if each.user_attrs.get(CELL) == cell for seed in each.user_attrs[SEEDS]}
            free = [seed for seed in range(first, first + self.count + len(taken)) if seed not in taken][: self.count]
            self.trial.set_user_attr(SEEDS, free)
            self.trial.set_user_attr(CELL, cell)  # last: tells that the seeds are there
            return free

    def pooled(self, students: int) -> None:
        """Keep over how many students the trial's values are.

        See :func:`~asc_experiments.study.storage.trial_status.standing`.
        """
        self.trial.set_user_attr(STUDENTS, students)
