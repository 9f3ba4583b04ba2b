"""Networks that only guess, and some that know a little: how often they are said to have learned."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from asc_experiments.statistics.calibration.folds import Fold
from asc_experiments.statistics.calibration.students import evidence, generator
from asc_experiments.statistics.chance import learning_of


@dataclass(frozen=True)
class GuessJob:
    """A part of a simulation, for one process.

    Each network has favourite scenes; at a place, and in a segment, it leans to some of them whatever they are.

    Attributes:
        fold: what is asked.
        above: by how much its expected accuracy is above chance, in parts of one.
        students: how many networks are looked at together.
        evenness: how little a place decides what is answered there: about 1, where nearly one scene is; large, none.
        numbers: which repetitions.
    """

    fold: Fold
    above: float
    students: int
    evenness: float
    numbers: range

    def __call__(self) -> np.ndarray:
        """Whether something is said to have been learned, ``(repetitions,)`` bool."""
        return np.array(
            [
                self._learned(generator(self.fold, self.above, self.students, self.evenness, number))
                for number in self.numbers
            ]
        )

    def _learned(self, rng: np.random.Generator) -> bool:
        fold, scenes = self.fold, len(self.fold.scenes)
        favourites = rng.dirichlet(np.ones(scenes), self.students)
        at_place = _lean(rng, favourites[:, fold.scene_of], self.evenness)
        in_segment = _lean(rng, at_place[:, fold.place_of], 10.0)
        knows = self.above / (1 - 1 / scenes)
        right = knows + (1 - knows) * in_segment[:, fold.segment_of]
        table = evidence(fold, rng.binomial(fold.clips_each, right))
        return not learning_of(replace(table, answers=np.rint(1000 * favourites).astype(np.int64))).is_at_chance


def _lean(rng: np.random.Generator, part: np.ndarray, evenness: float) -> np.ndarray:
    """Draw parts around others: what a Dirichlet distribution gives one scene."""
    part = np.clip(part, 1e-6, 1 - 1e-6)
    return np.asarray(rng.beta(evenness * part, evenness * (1 - part)))
