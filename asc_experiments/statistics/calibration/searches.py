"""A study among equally good recipes: how often its winner is called better than a baseline that is as good."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from asc_experiments.metrics import MACRO_ACCURACY
from asc_experiments.statistics.calibration.folds import Fold
from asc_experiments.statistics.calibration.students import Recipes, World, evidence, generator
from asc_experiments.statistics.margin import margin

METRIC, STUDENTS, REPLICATED = MACRO_ACCURACY, 3, 3
"""What studies choose by; how many students a trial has; how many trials are tried again with as many fresh seeds."""
WAYS = (
    "chosen on validation clips: fresh seeds decide",
    "the same seeds, Bonferroni",
    "chosen on the test fold: fresh seeds, Bonferroni",
    "the same seeds, Bonferroni (test fold)",
    "uncorrected, chosen on validation clips",
    "uncorrected, chosen on the test fold",
)
"""Where the winner was chosen and which students decide; always in the test fold."""


@dataclass(frozen=True)
class SearchJob:
    """A part of a simulation, for one process.

    Attributes:
        fold: what the test fold is like, and the validation clips too: other places of the same number.
        world: the sizes of effects.
        trials: how many equally good recipes are searched.
        numbers: which repetitions.
    """

    fold: Fold
    world: World
    trials: int
    numbers: range

    def __call__(self) -> np.ndarray:
        """Whether the winner is called better than the baseline, ``(repetitions, ways)`` bool."""
        return np.array([self._study(generator(self.fold, self.world, self.trials, number)) for number in self.numbers])

    def _study(self, rng: np.random.Generator) -> list[bool]:
        """One study; the last recipe is the baseline, which nobody chose."""
        equal = np.zeros(self.trials + 1)
        validation, test = (Recipes.draw(self.fold, self.world, equal.tolist(), rng) for _ in range(2))
        luck = validation.luck(STUDENTS, rng)
        chosen_by, decided_by = validation.answers(luck, rng), test.answers(luck, rng)
        on_validation = self._scores(chosen_by)[:-1].mean(axis=1)
        on_test = self._scores(decided_by)[:-1].mean(axis=1)
        by_validation, by_test = int(on_validation.argmax()), int(on_test.argmax())
        best = [*np.argsort(-on_validation)[:REPLICATED].tolist(), by_test]
        fresh = validation.only(best).luck(STUDENTS, rng)
        again = self._scores(validation.only(best).answers(fresh, rng))[:-1].mean(axis=1)
        fresh_on_test, baseline = test.only(best).answers(fresh, rng), decided_by[-1]
        every = self.trials - 1
        return [
            self._better(fresh_on_test[int(again.argmax())], baseline, REPLICATED - 1),
            self._better(decided_by[by_validation], baseline, every),
            self._better(fresh_on_test[-1], baseline, every),
            self._better(decided_by[by_test], baseline, every),
            self._better(decided_by[by_validation], baseline, 1),
            self._better(decided_by[by_test], baseline, 1),
        ]

    def _scores(self, right: np.ndarray) -> np.ndarray:
        """The metric of all students, ``(recipes, students)``."""
        flat = right.reshape(-1, right.shape[-1])
        return evidence(self.fold, flat).measure(METRIC).reshape(right.shape[:2])

    def _better(self, winner: np.ndarray, baseline: np.ndarray, comparisons: int) -> bool:
        return margin(evidence(self.fold, winner), evidence(self.fold, baseline), METRIC, comparisons).is_better
