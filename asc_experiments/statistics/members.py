"""Ensembles as arrays: which units (teachers, or kinds of teachers) the trials of a study are taught by."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Aggregate = Literal["mean", "any", "every", "several"]
"""How an ensemble's value is made of its members': their mean, the largest, the smallest, whether they differ."""


class Members:
    """The ensembles of some trials.

    Attributes:
        is_taught: ``(trials,)``, whether a trial has teachers; what follows is of those that have.
        units: the numbers of the units that are used, ascending.
        ensemble: ``(taught,)``, the number of each trial's ensemble, from 0; the same for the same members.
        counts: ``(ensembles,)``, how many trials each ensemble has.

    Args:
        of_trials: the units of each trial by number, one as often as it is there.
    """

    def __init__(self, of_trials: Sequence[Sequence[int]]) -> None:
        numbers: dict[tuple[int, ...], int] = {}
        taught = [tuple(sorted(each)) for each in of_trials if len(each)]
        self.ensemble = np.array([numbers.setdefault(each, len(numbers)) for each in taught], dtype=np.int64)
        self.is_taught = np.array([len(each) > 0 for each in of_trials], dtype=bool)
        self.counts = np.bincount(self.ensemble, minlength=len(numbers)).astype(np.float64)
        self._sizes = np.array([len(each) for each in numbers], dtype=np.int64)
        self._starts = np.cumsum(self._sizes) - self._sizes
        flat = np.array([unit for each in numbers for unit in each], dtype=np.int64)
        self.units, self._at = np.unique(flat, return_inverse=True)

    def aggregate(self, of_units: Floats, how: Aggregate) -> Floats:
        """What ensembles have of their members.

        Args:
            of_units: a value for each of :attr:`units`, ``(draws, units)``.
            how: what is made of several members.

        Returns:
            ``(draws, ensembles)``.
        """
        spread = of_units[:, self._at]
        if how == "mean":
            return np.asarray(np.add.reduceat(spread, self._starts, axis=1) / self._sizes)
        if how == "any":
            return np.asarray(np.maximum.reduceat(spread, self._starts, axis=1))
        smallest = np.asarray(np.minimum.reduceat(spread, self._starts, axis=1))
        if how == "every":
            return smallest
        return (np.maximum.reduceat(spread, self._starts, axis=1) > smallest).astype(np.float64)

    def summed(self, values: Floats) -> Floats:
        """The sum over the trials of each ensemble, ``(taught,)`` to ``(ensembles,)``."""
        return np.bincount(self.ensemble, values, len(self.counts)).astype(np.float64)

    def shares(self, values: Floats) -> Floats:
        """The values of ensembles, each parted equally among its members, added up per unit, ``(units,)``."""
        parts = np.repeat(values / self._sizes, self._sizes)
        return np.bincount(self._at, parts, len(self.units)).astype(np.float64)

    def weights(self) -> Floats:
        """The weight of each taught trial: a unit's trials have n / (n + 1) of n together, an ensemble's a mix."""
        used = self.shares(self.counts)
        return np.asarray(self.aggregate(1 / (1 + used)[None], "mean")[0][self.ensemble])

    def worth(self, values: Floats) -> Floats:
        """The mean value of the taught trials that a unit is part of, weighted by its part, ``(units,)``."""
        return self.shares(self.summed(values)) / self.shares(self.counts)

    def worth_of_members(self, values: Floats) -> Floats:
        """What each taught trial's members are worth on average, units with few trials drawn towards the mean."""
        away = self.shares(self.summed(values - values.mean())) / (1 + self.shares(self.counts))
        return np.asarray(self.aggregate(away[None], "mean")[0][self.ensemble])
