"""Two equally good recipes, compared again and again: how often intervals hold, and how far they reach."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from asc_experiments.metrics import DG, MACRO_ACCURACY, OVERALL_ACCURACY, UNSEEN_ACCURACY, is_better_higher
from asc_experiments.statistics.calibration.folds import Fold
from asc_experiments.statistics.calibration.students import Recipes, World, evidence, generator
from asc_experiments.statistics.evidence import Evidence
from asc_experiments.statistics.margin import CONFIDENCE, margin

METRICS = (MACRO_ACCURACY, OVERALL_ACCURACY, UNSEEN_ACCURACY, DG)
EARLIER = ("z of seeds", "Welch of seeds", "recordings")
"""What was gone by before: 1.96 standard errors of seeds, Welch's test of seeds, a bootstrap of recordings (here by its
normal approximation) with the students as they are."""


@dataclass(frozen=True)
class Pairs:
    """Comparisons of two equally good recipes.

    Attributes:
        metrics: what was compared.
        low, high: the ends of the interval of their difference, ``(repetitions, metrics, numbers of students)``.
        earlier: whether an interval by each of :data:`EARLIER` for ``accuracy/overall`` misses the truth on either
            side, and whether it calls ours better, ``(repetitions, definitions, numbers of students, 2)``.
    """

    metrics: tuple[str, ...]
    low: np.ndarray
    high: np.ndarray
    earlier: np.ndarray

    def holds(self) -> np.ndarray:
        """How often the interval holds the true difference of nothing, ``(metrics, numbers of students)``."""
        return np.asarray(np.mean((self.low <= 0) & (self.high >= 0), axis=0))

    @property
    def reach(self) -> np.ndarray:
        """The end of each interval towards nothing, the better way up; above nothing ours is called better."""
        is_higher = np.array([is_better_higher(metric) for metric in self.metrics])[:, None]
        return np.where(is_higher, self.low, -self.high)

    def better(self, by: float = 0.0) -> np.ndarray:
        """How often ours is called better where it truly is by so much, in parts of one.

        The difference is added to those simulated.
        """
        return np.asarray(np.mean(self.reach + by > 0, axis=0))

    def found(self, part: float = 0.8) -> np.ndarray:
        """The true difference that is found in this part of all comparisons, ``(metrics, numbers of students)``."""
        return np.asarray(np.quantile(-self.reach, part, axis=0))

    @classmethod
    def joined(cls, several: Sequence[Pairs]) -> Pairs:
        """Several as one."""
        parts = {name: np.concatenate([getattr(each, name) for each in several]) for name in ("low", "high", "earlier")}
        return cls(several[0].metrics, **parts)


@dataclass(frozen=True)
class PairsJob:
    """A part of a simulation, for one process.

    Attributes:
        fold: what is asked.
        world: the sizes of effects.
        students: numbers of students a side, ascending.
        metrics: what is compared.
        numbers: which repetitions.
    """

    fold: Fold
    world: World
    students: tuple[int, ...]
    metrics: tuple[str, ...]
    numbers: range

    def __call__(self) -> Pairs:
        """Simulate them."""
        ends, earlier = [], []
        for number in self.numbers:
            rng = generator(self.fold, self.world, number)
            recipes = Recipes.draw(self.fold, self.world, (0.0, 0.0), rng)
            right = recipes.answers(recipes.luck(self.students[-1], rng), rng)
            tables = [evidence(self.fold, each) for each in right]
            pairs = [(_first(tables[0], students), _first(tables[1], students)) for students in self.students]
            found = [[margin(ours, theirs, metric) for ours, theirs in pairs] for metric in self.metrics]
            ends.append([[(each.low, each.high) for each in of_metric] for of_metric in found])
            earlier.append([_earlier(right[:, :students] / self.fold.clips_each) for students in self.students])
        low, high = np.moveaxis(np.array(ends), -1, 0)
        return Pairs(self.metrics, low, high, np.swapaxes(np.array(earlier), 1, 2))


def _first(table: Evidence, students: int) -> Evidence:
    return replace(
        table, correct=table.correct[:students], loss=table.loss[:students], answers=table.answers[:students]
    )


def _earlier(right: np.ndarray) -> list[tuple[bool, bool]]:
    """What each of :data:`EARLIER` says of two recipes' parts of right answers, ``(2, students, recordings)``."""
    from scipy.special import stdtrit

    of_students, changes = right.mean(axis=-1), right[0].mean(axis=0) - right[1].mean(axis=0)
    difference = float(changes.mean())
    students = right.shape[1]
    parts = of_students.var(axis=1, ddof=1) / students
    freedom = parts.sum() ** 2 / (parts**2 / (students - 1)).sum() if parts.sum() else math.inf
    of_seeds = math.sqrt(parts.sum())
    upper = 1 - (1 - CONFIDENCE) / 2
    reaches = (
        1.96 * of_seeds,
        float(stdtrit(freedom, upper)) * of_seeds,
        1.96 * changes.std() / math.sqrt(len(changes)),
    )
    return [(abs(difference) > reach, difference > reach) for reach in reaches]
