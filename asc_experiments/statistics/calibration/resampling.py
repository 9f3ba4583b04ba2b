"""The jackknife over places beside a paired bootstrap over places: the same error, without its chance."""

from __future__ import annotations

import numpy as np

from asc_experiments.statistics.calibration.folds import Fold
from asc_experiments.statistics.calibration.pairs import METRICS
from asc_experiments.statistics.calibration.students import Recipes, World, evidence, generator
from asc_experiments.statistics.evidence import Evidence, combine
from asc_experiments.statistics.margin import margin

STUDENTS = 3


def bootstrap_over_jackknife(fold: Fold, draws: int, comparisons: int = 5) -> np.ndarray:
    """The standard error of places by a bootstrap, as a part of the jackknife's, of each metric.

    Args:
        fold: what is asked.
        draws: how often places are drawn with replacement, within their scenes and for both recipes at once.
        comparisons: over how many pairs of recipes the root mean square is taken.

    Returns:
        Of each of :data:`pairs.METRICS`.
    """
    squares = np.zeros((2, len(METRICS)))
    for number in range(comparisons):
        rng = generator(fold, number)
        recipes = Recipes.draw(fold, World(recipe_place=4.0), (0.0, 0.0), rng)
        tables = [evidence(fold, each) for each in recipes.answers(recipes.luck(STUDENTS, rng), rng)]
        squares[0] += [margin(tables[0], tables[1], metric, fixed_students=True).error ** 2 for metric in METRICS]
        squares[1] += _bootstrap(tables, draws, rng)
    return np.asarray(np.sqrt(squares[1] / squares[0]))


def _bootstrap(tables: list[Evidence], draws: int, rng: np.random.Generator) -> np.ndarray:
    """The variance of the difference of means over students, of each metric."""
    drawn = np.zeros((draws, len(tables[0].places)))
    for scene in np.unique(tables[0].scene_of):
        mine = np.flatnonzero(tables[0].scene_of == scene)
        drawn[:, mine] = rng.multinomial(len(mine), np.full(len(mine), 1 / len(mine)), draws)
    variances = []
    for metric in METRICS:
        means = []
        for table in tables:
            sums, clips = table.by_cell(metric)
            means.append(combine(metric, np.einsum("bp,spk->sbk", drawn, sums), drawn @ clips).mean(axis=0))
        variances.append((means[0] - means[1]).var())
    return np.array(variances)
