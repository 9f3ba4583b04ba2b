"""What luck alone gives: correlations of a row with a target when nothing but luck goes with the target.

Where teachers are compared, trials weigh the less the more often their teachers were used: ten trials of one teacher
share its luck, and say little more of it than one. A teacher with n trials has the weight n / (n + 1), as is best where
the luck of teachers and that of students are as large.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from asc_experiments.statistics.members import Aggregate, Floats, Members

FEWEST_PER_HELD = 3
"""Trials for each setting that is held; with fewer none is."""
TAIL = 0.05
TINY = 1e-9
_MOST, _LEAST, _VALUES = 999, 199, 500_000
"""Permutations: the most, the fewest, and how many values they may have together."""
_KEPT = 4
"""Targets whose permutations are kept for the next row."""


class Trials:
    """Some trials of a study: their ensembles, and other settings that differ and are held.

    Args:
        members: the units of each trial's ensemble.
        held: settings to hold, ``(trials, settings)``; none is where there are too few trials.
        is_weighted: whether teachers are compared, so that their trials weigh less.
        seed: of the permutations.
    """

    def __init__(self, members: Sequence[Sequence[int]], held: Floats | None, is_weighted: bool, seed: int) -> None:
        self.n, self.members, self._seed = len(members), Members(members), seed
        self.draws = int(np.clip(_VALUES // max(1, self.n), _LEAST, _MOST))
        weights = np.ones(self.n)
        if is_weighted:
            weights[self.members.is_taught] = self.members.weights()
        self._roots = np.sqrt(weights)
        columns = np.ones((self.n, 1))
        if held is not None and FEWEST_PER_HELD * held.shape[1] <= self.n:
            columns = np.concatenate([columns, held], axis=1)
        basis, sizes, _ = np.linalg.svd(self._roots[:, None] * columns, full_matrices=False)
        self._held = basis[:, sizes > 1e-8 * sizes[0]]
        self._orders: dict[tuple[str, int], NDArray[np.int64]] = {}
        self._luck: dict[bytes, tuple[Made, ...]] = {}

    def left(self, values: Floats) -> Floats:
        """What a fit of the settings that are held leaves of weighted values, ``(…, trials)``."""
        weighted = values * self._roots
        return np.asarray(weighted - (weighted @ self._held) @ self._held.T)

    def properties_permuted(self, of_units: Floats, values: Floats, how: Aggregate, is_ranked: bool) -> Made:
        """A property of the units dealt out anew among them.

        Args:
            of_units: the property of each of the members' units.
            values: ``(trials,)``. What they have besides their members' property, such as that twins of a kind are not
                equally accurate, is dealt out among trials.
            how: how a trial's value is made of its members'.
            is_ranked: whether ranks are correlated.
        """
        members = self.members
        made = members.aggregate(of_units[self._order("units", len(of_units))], how)
        besides = values - members.aggregate(of_units[None], how)[0][members.ensemble]
        if np.abs(besides).max() <= TINY * np.abs(values).max():
            return self._of_ensembles(ranks(made, members.counts) if is_ranked else made)
        made = made[:, members.ensemble] + besides[self._order("besides", self.n)]
        return self._of_trials(ranks(made) if is_ranked else made)

    def luck_permuted(self, target: Floats) -> tuple[Made, ...]:
        """What units, ensembles and trials are worth dealt out anew: three things that luck can be of.

        Args:
            target: what :meth:`left` leaves of it.
        """
        key = target.tobytes()
        if key not in self._luck:
            self._luck = dict([*self._luck.items()][1 - _KEPT :])  # of thousands of trials each takes megabytes
            self._luck[key] = self._permute_luck(target / self._roots)
        return self._luck[key]

    def _permute_luck(self, target: Floats) -> tuple[Made, ...]:
        members = self.members
        of_units, of_ensembles = members.worth(target), members.summed(target) / members.counts
        return (
            self._of_ensembles(members.aggregate(of_units[self._order("worth", len(of_units))], "mean")),
            self._of_ensembles(of_ensembles[self._order("ensembles", len(of_ensembles))]),
            self._of_trials(target[self._order("trials", self.n)]),
        )

    def signs_flipped(self, values: Floats, target: Floats) -> tuple[Floats, float]:
        """Differences to the trials without teachers, each unit's part in them with a sign that is drawn.

        Args:
            values: 1 where a trial has teachers, else 0.
            target: as it is.

        Returns:
            The differences, ``(draws,)``, and how large one could be at most if there were no other noise.
        """
        members = self.members
        a, b = self.left(values), self.left(target)
        difference = float(a @ b / (a @ a))
        weights = self._roots * a / (a @ a)
        objective = (b - difference * a) / self._roots + difference * values
        taught, alone = members.is_taught, ~members.is_taught
        away = objective + weights[alone] @ objective[alone]
        parts = members.shares(members.summed((weights * away)[taught]))
        rng = self._generator("signs")
        noise = float(objective.std(ddof=1) * np.sqrt((weights[alone] ** 2).sum()))
        draws = rng.choice([-1.0, 1.0], size=(self.draws, len(parts))) @ parts + rng.normal(
            scale=noise, size=self.draws
        )
        own = max(float((parts**2).sum()), TINY**2)
        return draws, float(np.abs(parts).sum() * (1 + noise**2 / own))

    def _order(self, what: str, n: int) -> NDArray[np.int64]:
        """Random orders of so many things, ``(draws, n)``: the same ones for all rows, which are permuted together."""
        if (what, n) not in self._orders:
            self._orders[what, n] = np.argsort(self._generator(what).random((self.draws, n)), axis=1)
        return self._orders[what, n]

    def _generator(self, what: str) -> np.random.Generator:
        return np.random.default_rng([self._seed, *what.encode()])

    def _of_ensembles(self, values: Floats) -> Made:
        """Values of ensembles, ``(draws, ensembles)``, that their trials share."""
        weights, *held = (self.members.summed(self._roots * column) for column in (self._roots, *self._held.T))
        squares = values**2 @ weights - ((values @ np.stack(held, axis=1)) ** 2).sum(axis=1)
        return Made(self, values, squares, is_of_ensembles=True)

    def _of_trials(self, values: Floats) -> Made:
        """Values of trials, ``(draws, trials)``."""
        weighted = values * self._roots
        squares = (weighted**2).sum(axis=1) - ((weighted @ self._held) ** 2).sum(axis=1)
        return Made(self, values, squares, is_of_ensembles=False)

    def products(self, values: Floats, left: Floats, is_of_ensembles: bool) -> Floats:
        """Sums of products of values, ``(draws, …)``, with what is left of others, ``(trials,)``."""
        other = self._roots * left
        return np.asarray(values @ (self.members.summed(other) if is_of_ensembles else other))


class Made:
    """Values that luck alone made, ``(draws, ensembles)`` or ``(draws, trials)``.

    Args:
        trials: whose they are.
        values: the values.
        squares: the sum of squares of what :meth:`Trials.left` leaves of each draw, ``(draws,)``.
        is_of_ensembles: whether they are of ensembles.
    """

    def __init__(self, trials: Trials, values: Floats, squares: Floats, is_of_ensembles: bool) -> None:
        self._trials, self._values, self._is_of_ensembles = trials, values, is_of_ensembles
        self._sizes = np.sqrt(np.maximum(squares, 0.0))

    def correlated(self, left: Floats) -> Floats:
        """Correlations with what is left of other values, ``(trials,)`` to ``(draws,)``; 0 where nothing varies."""
        together = self._trials.products(self._values, left, self._is_of_ensembles)
        some = self._sizes > 1e-6 * self._sizes.max(initial=0.0)
        return np.divide(together, self._sizes * np.sqrt(left @ left), out=np.zeros(len(together)), where=some)


def widest(draws: Sequence[Floats]) -> Floats:
    """Those draws that reach furthest from their middle in all but the tail."""
    return max(draws, key=lambda each: float(np.quantile(np.abs(each - each.mean()), 1 - TAIL)))


def ranks(values: Floats, counts: Floats | None = None) -> Floats:
    """The ranks of each row, from 0; equal values, to rounding, have the mean of theirs.

    Args:
        values: ``(draws, n)``.
        counts: how often each value is there, ``(n,)``; once where not given.

    Returns:
        ``(draws, n)``.
    """
    order = np.argsort(values, axis=1, kind="stable")
    ascending = np.take_along_axis(values, order, axis=1)
    count = np.ones(1) if counts is None else counts[order]
    until = np.cumsum(np.broadcast_to(count, values.shape), axis=1)
    starts = np.ones(values.shape, dtype=bool)
    starts[:, 1:] = ascending[:, 1:] - ascending[:, :-1] > TINY * np.abs(ascending[:, 1:])
    ends = np.ones(values.shape, dtype=bool)
    ends[:, :-1] = starts[:, 1:]
    first = np.maximum.accumulate(np.where(starts, until - count, 0.0), axis=1)
    last = np.minimum.accumulate(np.where(ends, until, np.inf)[:, ::-1], axis=1)[:, ::-1]
    found = np.empty(values.shape)
    np.put_along_axis(found, order, (first + last - 1.0) / 2.0, axis=1)
    return found
