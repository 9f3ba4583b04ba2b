"""The tables of ``make calibrate``, each as Markdown."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import product
from typing import Any

import numpy as np

from asc_experiments.metrics import MACRO_ACCURACY, UNSEEN_ACCURACY
from asc_experiments.statistics.calibration.folds import Fold, small, tau22
from asc_experiments.statistics.calibration.guesses import GuessJob
from asc_experiments.statistics.calibration.pairs import EARLIER, METRICS, Pairs, PairsJob
from asc_experiments.statistics.calibration.resampling import bootstrap_over_jackknife
from asc_experiments.statistics.calibration.searches import WAYS, SearchJob
from asc_experiments.statistics.calibration.students import World

SEEDS, RECIPE_PLACE, A_SIDE = (1.0, 1.3, 1.9), (0.0, 4.0), (2, 3, 5)
"""Deviations of students' luck, and of recipes at places, in points; numbers of students a side."""
TO_PLAN_WITH, PLANNED, DIFFERENCES = World(seed=1.3, recipe_place=4.0), (2, 3, 5, 10), (1, 2, 3, 5)
"""Of the tables to plan a study with: sizes of effects, numbers of students a side, true differences in points."""
CHUNK = 20
"""Repetitions that a process does at a time."""


@dataclass(frozen=True)
class Simulations:
    """How much is simulated, and by whom.

    Attributes:
        repetitions: of each setting.
        map: runs jobs, in this process or in several; their results in the order of the jobs.
    """

    repetitions: int
    map: Callable[..., Iterable[Any]]

    def run(self, job: Callable[[range], Callable[[], Any]]) -> list[Any]:
        """The results of the parts of a simulation."""
        firsts = range(0, self.repetitions, CHUNK)
        return list(self.map(_call, [job(range(first, min(first + CHUNK, self.repetitions))) for first in firsts]))

    def pairs(
        self, fold: Fold, world: World, students: tuple[int, ...] = A_SIDE, metrics: tuple[str, ...] = METRICS
    ) -> Pairs:
        """Comparisons of two equally good recipes."""
        return Pairs.joined(self.run(partial(PairsJob, fold, world, students, metrics)))

    def rate(self, job: Callable[[range], Callable[[], Any]]) -> np.ndarray:
        """How often something is said, in parts of one."""
        return np.asarray(np.concatenate(self.run(job)).mean(axis=0))


@contextmanager
def simulations(repetitions: int, workers: int) -> Iterator[Simulations]:
    """What simulates, in so many processes.

    Args:
        repetitions: of each setting.
        workers: how many processes; with one, none is started.
    """
    if workers == 1:
        yield Simulations(repetitions, map)
        return
    with ProcessPoolExecutor(workers) as pool:
        yield Simulations(repetitions, pool.map)


def intervals(simulated: Simulations) -> str:
    """How often the interval holds the truth and an equal recipe is called better, now and by earlier definitions."""
    holds: list[list[str]] = []
    better: list[list[str]] = []
    before: list[list[str]] = []
    for fold in (tau22(), small()):
        found = {
            (seed, effect): simulated.pairs(fold, World(seed=seed, recipe_place=effect))
            for seed, effect in product(SEEDS, RECIPE_PLACE)
        }
        together = Pairs.joined(list(found.values()))
        for effect, (column, students) in product(RECIPE_PLACE, enumerate(A_SIDE)):
            shares = np.array([found[seed, effect].holds()[:, column] for seed in SEEDS])
            holds.append([fold.name, f"{effect:.0f}", f"{students}", *(_shares(each) for each in shares.T)])
        missed = np.array([found[seed, RECIPE_PLACE[-1]].earlier.mean(axis=0)[..., 0] for seed in SEEDS])
        for column, students in enumerate(A_SIDE):
            better.append([fold.name, f"{students}", *map(_percent, together.better()[:, column])])
            called = map(_percent, together.earlier.mean(axis=0)[:, column, 1])
            before.append([fold.name, f"{students}", *map(_shares, 1 - missed[..., column].T), *called])
    return "\n".join(
        [
            _table(
                "How often the 95 % interval of a difference holds the truth (to reach: .93 to .99; in each cell with "
                "students' luck of 1.0 / 1.3 / 1.9 points)",
                ["test fold", "recipe × place, points", "students a side", *METRICS],
                holds,
            ),
            _table(
                "How often an equally good challenger is called better, over all of these worlds (to reach: 2.5 %)",
                ["test fold", "students a side", *METRICS],
                better,
            ),
            _table(
                "The same for accuracy/overall by earlier definitions: how often they hold the truth (recipe × place 4 "
                "points), and how often they call an equal challenger better",
                ["test fold", "students a side"]
                + [f"{what}: {rule}" for what in ("holds", "better") for rule in EARLIER],
                before,
            ),
        ]
    )


def winners(simulated: Simulations) -> str:
    """How often the winner of a search among equals is called better than a baseline as good."""
    rows = []
    for fold, (trials, effect) in product((tau22(), small()), ((20, 0.0), (20, 4.0), (60, 4.0))):
        world = World(seed=1.3, recipe_place=effect)
        rates = simulated.rate(partial(SearchJob, fold, world, trials))
        rows.append([fold.name, f"{trials}", f"{effect:.0f}", *map(_percent, rates)])
    return _table(
        "How often the winner among equally good recipes is called better than a baseline that is as good (to reach: "
        "5 %; three students a trial, three trials replicated; in the test fold, by accuracy/macro)",
        ["test fold", "trials", "recipe × place, points", *WAYS],
        rows,
    )


def power(simulated: Simulations) -> str:
    """How often a true difference is found, and how large one has to be."""
    names = (MACRO_ACCURACY, UNSEEN_ACCURACY)
    rows = []
    for fold in (small(), small(70), small(140), tau22()):
        found = simulated.pairs(fold, TO_PLAN_WITH, PLANNED, names)
        often = 100 * np.array([found.better(by / 100) for by in DIFFERENCES])
        enough = 100 * found.found()
        for column, students in enumerate(PLANNED):
            cells = [" / ".join(f"{each:.0f}" for each in of_metric) for of_metric in often[..., column].T]
            rows.append([fold.name, f"{students}", *cells, *(f"{each:.1f}" for each in enough[:, column])])
    points = " / ".join(map(str, DIFFERENCES))
    return _table(
        f"How often a true difference of {points} points is found, in percent, and which is found in four of five "
        "comparisons, in points (luck 1.3, recipe × place 4 points)",
        ["test fold", "students a side", *names, *(f"found in 80 %: {name}" for name in names)],
        rows,
    )


def chance(simulated: Simulations) -> str:
    """How often guessing is called learning, and how often a little knowledge is seen."""
    rows = []
    for fold, students, evenness in product((tau22(), small()), (1, 3), (1.0, 10.0)):
        rates = [
            simulated.rate(partial(GuessJob, fold, above, students, evenness)) for above in (0.0, 0.03, 0.05, 0.10)
        ]
        lean = "one scene" if evenness == 1 else "a few"
        rows.append([fold.name, f"{students}", lean, *(_percent(float(rate)) for rate in rates)])
    return _table(
        "How often networks are said to have learned something (to reach: guessing at most 2.5 %; ten scenes)",
        ["test fold", "networks", "a place is answered with", "guessing", *(f"{n} points above" for n in (3, 5, 10))],
        rows,
    )


def resampling(simulated: Simulations) -> str:
    """The jackknife's error of places beside a bootstrap's."""
    rows = [
        [fold.name, *(f"{each:.3f}" for each in bootstrap_over_jackknife(fold, max(20, simulated.repetitions)))]
        for fold in (tau22(), small())
    ]
    return _table(
        "Standard error of places by a paired bootstrap within scenes, as a part of the jackknife's",
        ["test fold", *METRICS],
        rows,
    )


TABLES: tuple[Callable[[Simulations], str], ...] = (intervals, winners, power, chance, resampling)
"""Each gives one or more tables as Markdown."""


def _call(job: Callable[[], Any]) -> Any:
    return job()


def _shares(values: Iterable[float]) -> str:
    return " / ".join(f"{each:.3f}".removeprefix("0") for each in values)


def _percent(value: float) -> str:
    return f"{100 * value:.1f} %"


def _table(title: str, header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join([f"**{title}.**", "", *("| " + " | ".join(cells) + " |" for cells in lines), ""])
