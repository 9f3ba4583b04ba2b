"""The order in which a grid's cells are run: whatever their number, a study has seen every value about equally often.

A grid that is given fewer trials than it has cells would else run the first of them, which have few of the last values.
The order does not depend on the number of trials: a study whose total is raised resumes with the next cells.
"""

from __future__ import annotations

import itertools
import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from asc_experiments.study.definition.parameter_range import Scalar

Cell = Mapping[str, Scalar]


def balanced_order(cells: Sequence[Cell], wanted: int | None = None) -> list[int]:
    """Which cell comes when, as places in ``cells``; the first one stays the first.

    Where the cells are all combinations of all values, among the first n, for every n, each value of a parameter is
    there as often as every other, or once more; pairs of values as evenly as that allows. Where some parameters exist
    only in some cells, or some combinations are missing, each next cell is the one whose values, then pairs of values,
    are there least often.

    Args:
        cells: the parameters of each.
        wanted: how many of the first are asked for; all by default.
    """
    wanted = len(cells) if wanted is None else min(wanted, len(cells))
    if not wanted:
        return []
    names = list(cells[0])
    sizes = [len({_key(cell[name]) for cell in cells if name in cell}) for name in names]
    is_product = all(list(cell) == names for cell in cells) and math.prod(sizes) == len(cells)
    return (_of_product(cells, names, sizes) if is_product else _Greedy(cells).order(wanted))[:wanted]


def value_counts(cells: Sequence[Cell]) -> dict[str, dict[str, int]]:
    """How many of the cells have each value of each parameter, by name and value."""
    counts: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for cell in cells:
        for name, value in cell.items():
            counts[name][str(value)] += 1
    return {name: dict(values) for name, values in counts.items()}


def _key(value: Scalar) -> tuple[str, Scalar]:
    """A value that is another one than an equal value of another type, such as 1 and True."""
    return type(value).__name__, value


def _of_product(cells: Sequence[Cell], names: Sequence[str], sizes: Sequence[int]) -> list[int]:
    """The order of all combinations of values.

    Steps that raise every parameter to its next value at once, around and around, come back after the least common
    multiple of the numbers of values, and have then met every value of every parameter equally often, each in turn.
    These rounds divide the cells among them. Which round comes next decides how even pairs are: a round meets all pairs
    of two parameters whose places differ by the same number, modulo the greatest common divisor of their sizes.
    """
    numbers = [_numbered([_key(cell[name]) for cell in cells]) for name in names]
    place = np.array(numbers, dtype=np.int64).reshape(len(names), len(cells)).T
    cell_at = {tuple(values): number for number, values in enumerate(place.tolist())}
    length = math.lcm(*sizes) if sizes else 1
    rounds: list[list[int]] = []
    seen: set[int] = set()
    for number, values in enumerate(place.tolist()):
        if number in seen:
            continue
        steps = [tuple((v + step) % size for v, size in zip(values, sizes, strict=True)) for step in range(length)]
        rounds.append([cell_at[each] for each in steps])
        seen.update(rounds[-1])
    both = itertools.combinations(range(len(sizes)), 2)
    pairs = [(i, j, g) for i, j in both if (g := math.gcd(sizes[i], sizes[j])) > 1]
    first = place[[met[0] for met in rounds]]
    classes = np.array([(first[:, i] - first[:, j]) % g for i, j, g in pairs], dtype=np.int64)
    classes = classes.reshape(-1, len(rounds)).T
    return [number for chosen in _evenly(classes) for number in rounds[chosen]]


def _evenly(classes: np.ndarray) -> list[int]:
    """An order of rows in which each class of each column comes about equally often; ``(rows, columns)`` int64."""
    left = np.arange(len(classes))
    counts = np.zeros((classes.shape[1], int(classes.max(initial=0)) + 1), dtype=np.int64)
    columns = np.arange(classes.shape[1])
    order = []
    while len(left):
        chosen = int(counts[columns, classes[left]].sum(axis=1).argmin())
        row = int(left[chosen])
        counts[columns, classes[row]] += 1
        order.append(row)
        left = np.delete(left, chosen)
    return order


def _numbered(values: Sequence[object]) -> list[int]:
    """The values as numbers, in the order in which they appear."""
    known: dict[object, int] = {}
    return [known.setdefault(value, len(known)) for value in values]


@dataclass
class _Table:
    """How often each value of something was taken, and how many of the cells left have it.

    Attributes:
        of: ``(cells, columns)`` int64, the value that each cell has there; -1 where it has none.
    """

    of: np.ndarray

    def __post_init__(self) -> None:
        width = int(self.of.max(initial=0)) + 1
        self.taken, self.left = np.zeros((2, width), dtype=np.int64)
        values, counts = np.unique(self.of[self.of >= 0], return_counts=True)
        self.left[values] = counts

    def excess(self, cells: np.ndarray) -> np.ndarray:
        """How much more often than the rarest one that is left each cell's values were taken; ``(cells,)``."""
        least = self.taken[self.left > 0].min(initial=np.iinfo(np.int64).max)
        values = self.of[cells]
        return np.where(values >= 0, self.taken[values] - least, 0).sum(axis=1)

    def take(self, cell: int) -> None:
        """Count a cell's values."""
        values = self.of[cell][self.of[cell] >= 0]
        np.add.at(self.taken, values, 1)
        np.subtract.at(self.left, values, 1)


class _Greedy:
    """Takes one cell after the other: the one whose values, then pairs of values, were taken least often.

    A setting of several kinds of teachers, such as ``teachers.cpm.augment`` and ``teachers.cpr.augment``, counts for
    each kind and for all of them together: few trials of every kind would else leave the same value out of each.
    """

    def __init__(self, cells: Sequence[Cell]) -> None:
        names = list(dict.fromkeys(name for cell in cells for name in cell))
        settings: dict[str, list[str]] = defaultdict(list)
        for name in names:
            settings[name.rpartition(".")[2] if "." in name else name].append(name)
        together = [_columns(cells, members) for members in settings.values()]
        alone = [_columns(cells, [name]) for members in settings.values() if len(members) > 1 for name in members]
        self._cells = len(cells)
        self._singles = [_Table(each) for each in (*together, *alone)]
        self._pairs = [_Table(_paired(one, other)) for one, other in itertools.combinations(together, 2)]

    def order(self, wanted: int) -> list[int]:
        """The first so many cells, the very first one first."""
        left, chosen = np.arange(self._cells), 0
        order: list[int] = []
        while len(order) < wanted:
            if order:
                chosen = self._next(left)
            cell = int(left[chosen])
            order.append(cell)
            left = np.delete(left, chosen)
            for table in (*self._singles, *self._pairs):
                table.take(cell)
        return order

    def _next(self, left: np.ndarray) -> int:
        """The place among the cells left of the one to take."""
        places = np.arange(len(left))
        for tables in (self._singles, self._pairs):
            if tables and len(places) > 1:
                excess = np.sum([table.excess(left[places]) for table in tables], axis=0)
                places = places[excess == excess.min()]
        return int(places[0])


def _columns(cells: Sequence[Cell], names: Sequence[str]) -> np.ndarray:
    """The values that cells have of parameters that share their values, as numbers; ``(cells, names)``, -1 for none."""
    found = [_key(cell[name]) if name in cell else None for cell in cells for name in names]
    known: dict[object, int] = {}
    numbers = [-1 if value is None else known.setdefault(value, len(known)) for value in found]
    return np.array(numbers, dtype=np.int64).reshape(len(cells), len(names))


def _paired(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Pairs of values as numbers; ``(cells, columns of one × columns of other)``, -1 where one of the two has none."""
    width = int(other.max(initial=0)) + 1
    pairs = np.where((one[:, :, None] >= 0) & (other[:, None, :] >= 0), one[:, :, None] * width + other[:, None, :], -1)
    return pairs.reshape(len(one), -1)
