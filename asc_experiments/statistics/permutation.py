"""What goes with better students by more than luck: permutation tests for trials that share their teachers.

Trials that share a teacher share its luck, so trials are not independent: what is, are teachers, or kinds of teachers
(here *units*). Of every row, a value for each trial, it is asked how strongly it would go with the objective if nothing
but luck were at work:

- A property of teachers (``members``) is dealt out anew among the units, and every trial's value is made of its
  members' again; who taught which trial, and the objectives, stay. This is exact for a property that does not matter,
  whatever a sampler made of the luck it saw.
- A property of ensembles (``ensembles``) stays where it is, and luck is dealt out anew: what units are worth (the mean
  objective of their trials) among units, what ensembles are worth among ensembles, objectives among trials. The widest
  of the three counts, because nobody knows which of them there is most of.
- Of a setting (``settings``) the same is asked within the same teachers: what a trial's teachers are worth is held,
  because a sampler may have found good teachers and a value of the setting together.
- Having teachers at all (``taught``): the sign of each unit's part in the difference is drawn, and the noise of the
  trials without teachers is added.

Other settings that differ are held (values and objectives are what a linear fit of those leaves); where teachers are
compared, trials that share one weigh less. All rows and targets are judged together, by the
single-step maximum of Westfall and Young ("Resampling-Based Multiple Testing", 1993, section 2.3): each value, and each
that luck gives, as the normal quantile that a correlation of its row's spread has; a row is clear where its quantile is
beyond the furthest of all rows in all but 5 % of the permutations.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy import special

from asc_experiments.statistics.luck import TAIL, TINY, Trials, ranks, widest
from asc_experiments.statistics.members import Aggregate, Floats, Members

Sort = Literal["members", "ensembles", "settings", "taught"]

FEWEST = 8
"""Trials that a verdict takes."""
FEWEST_UNITS = 5
"""Teachers that a verdict on a property of theirs takes: four stand in one of 24 orders, so an order and its reverse
come by luck in one of twelve studies."""
_MANY = 3
"""Permutations that reach equally far: with so many, the row has no rarer value."""
_FAR = 0.95
"""What part of the way to the furthest permutation is as good as there: an order and its reverse hardly differ."""


@dataclass(frozen=True, eq=False)
class Row:
    """What is asked about: a value for each trial.

    Attributes:
        values: ``(trials,)``; NaN where it is not known. Of a category 1 where a trial belongs to it, else 0.
        sort: what it is a property of, see above.
        is_category: whether its effect is a difference of means; else it is Spearman's rank correlation.
        held: other settings that differ, ``(trials, settings)``.
        of_units: of ``members``: the value of each unit, ``(units,)``.
        aggregate: of ``members``: how a trial's value is made of its members'.
    """

    values: Floats
    sort: Sort
    is_category: bool = False
    held: Floats | None = None
    of_units: Floats | None = None
    aggregate: Aggregate = "mean"


@dataclass(frozen=True)
class Effect:
    """How a row goes with a target, and what luck alone would give.

    Attributes:
        value: Spearman's ρ from -1 to 1, or mean with less mean without; other settings are held, and where teachers
            are compared, trials that share one weigh less.
        n: number of trials.
        units: number of teachers, or kinds of teachers, in those trials.
        luck_low, luck_high: where the value of every row lies in 95 % of studies in which none matters; None where too
            few trials or teachers support a verdict.
        p: how often luck alone gives any row so strong a value; corrected, that is, for the number of rows.
        strength: how far the value lies from what luck gives on average, as a quantile of the normal distribution.
        sizes: of a difference, the number of trials with and without.
        too_few: ``trials`` or ``teachers`` where these are too few for a verdict, else empty.
    """

    value: float
    n: int
    units: int
    luck_low: float | None = None
    luck_high: float | None = None
    p: float | None = None
    strength: float = 0.0
    sizes: tuple[int, int] | None = None
    too_few: str = ""

    @property
    def is_clear(self) -> bool:
        """Whether it is more than luck alone gives."""
        return self.p is not None and self.p <= TAIL


def judge(
    rows: Sequence[Row], targets: Sequence[Floats], members: Sequence[Sequence[int]], seed: int = 0
) -> list[list[Effect | None]]:
    """The effect of every row on every target; None where one of the two does not vary, or trials are under three.

    Args:
        rows: what is asked about.
        targets: of each target the value of every trial, ``(trials,)``; NaN where it is not known.
        members: the units of each trial's ensemble by number, one as often as it is there; none without teachers.
        seed: of the permutations.
    """
    test = _Test(targets, members, seed)
    tested = [test.row(row) for row in rows]
    drawn = [each.luck.quantiles(each.luck.draws) for line in tested for each in line if each and each.luck]
    fewest = min(map(len, drawn), default=0)
    furthest = np.sort(np.max([each[:fewest] for each in drawn], axis=0)) if drawn else np.empty(0)
    return [[None if each is None else each.effect(furthest) for each in line] for line in tested]


class _Luck:
    """The correlations that luck alone gives a row, as a scale to measure by.

    Args:
        draws: the correlations, ``(draws,)``; of what is none, parts of the largest value that there can be.
    """

    def __init__(self, draws: Floats) -> None:
        self.draws, self.middle = draws, float(draws.mean())
        self._freedom = max(1 / max(float(draws.var()), TINY) - 1, 0.5)  # those of independent trials that spread so
        away = np.abs(draws - self.middle)
        self._furthest = int((away >= away.max() * (1 - 1e-6)).sum())
        self._far = int((away >= away.max() * _FAR).sum())

    @property
    def can_tell(self) -> bool:
        """Whether a value can come out that luck gives rarely; it cannot where few things have few orders."""
        return self._far < TAIL * len(self.draws)

    def quantiles(self, values: Floats) -> Floats:
        """How far values lie from the middle, as quantiles of the normal distribution."""
        away = np.minimum(np.abs(values - self.middle), 1 - TINY)
        found = -special.ndtri(special.stdtr(self._freedom, -away * np.sqrt(self._freedom / (1 - away**2))))
        if self._furthest < _MANY:
            return np.asarray(found)
        return np.asarray(np.minimum(found, -special.ndtri(self._furthest / len(self.draws) / 2)))

    def reach(self, quantile: float) -> float:
        """How far from the middle a quantile is."""
        t = -float(special.stdtrit(self._freedom, special.ndtr(-quantile)))
        return float(t / np.sqrt(self._freedom + t**2))


@dataclass(frozen=True, eq=False)
class _Tested:
    """A correlation, and what luck alone gives; None where too little supports a verdict. ``scale`` makes values."""

    correlation: float
    scale: float
    luck: _Luck | None
    n: int
    units: int
    sizes: tuple[int, int] | None
    too_few: str

    def effect(self, furthest: Floats) -> Effect:
        """With the verdict, by the furthest quantile of any row in each permutation, ascending."""
        of = (self.scale * self.correlation, self.n, self.units)
        if self.luck is None:
            return Effect(*of, sizes=self.sizes, too_few=self.too_few)
        quantile = float(self.luck.quantiles(np.array([self.correlation]))[0])
        of_all = len(furthest) + 1
        p = (1 + int((furthest >= quantile - TINY).sum())) / of_all
        reach = self.luck.reach(float(furthest[-int(TAIL * of_all + TINY)]))
        low, high = (self.scale * (self.luck.middle + way * reach) for way in (-1, 1))
        return Effect(*of, low, high, p, quantile, self.sizes)


class _Test:
    """Tests the rows of one study. What several rows, or one row's targets, need is computed once.

    Args:
        targets: the targets.
        members: the units of each trial's ensemble.
        seed: of the permutations.
    """

    def __init__(self, targets: Sequence[Floats], members: Sequence[Sequence[int]], seed: int) -> None:
        self._targets, self._members, self._seed = targets, members, seed
        self._is_taught = np.array([len(each) > 0 for each in members], dtype=bool)
        self._trials: dict[tuple[bytes, bytes, bool], Trials] = {}

    def row(self, row: Row) -> list[_Tested | None]:
        """A row against every target."""
        return [self._test(row, target) for target in self._targets]

    def _test(self, row: Row, target: Floats) -> _Tested | None:
        known = np.isfinite(row.values) & np.isfinite(target)
        known &= self._is_taught | (row.sort == "taught")
        x, y = row.values[known], target[known]
        if len(x) < 3 or any(np.ptp(each) <= TINY * np.abs(each).max() for each in (x, y)):
            return None
        trials = self._trials_of(known, row, y)
        formed = [_formed(row, each) for each in (x, y)]
        a, b = (trials.left(each) for each in formed)
        if any(left @ left < TINY * each.var() * len(x) for left, each in zip((a, b), formed, strict=True)):
            return None  # the settings that are held say all of it
        correlation, scale = float(a @ b / np.sqrt((a @ a) * (b @ b))), 1.0
        if row.is_category:
            scale = float(np.sqrt(b @ b / (a @ a)))
        few, luck = _too_few(row, trials), None
        if not few and row.sort == "taught":
            draws, most = trials.signs_flipped(x, y)
            correlation, scale, luck = scale * correlation / most, most, _Luck(draws / most)
        elif not few:
            luck = _Luck(_draws(row, trials, x, a, b))
        if luck is not None and not luck.can_tell:
            few, luck = "teachers", None
        belong, units = int(x.sum()), len(trials.members.units)
        sizes = (belong, len(x) - belong) if row.is_category else None
        return _Tested(correlation, scale, luck, len(x), units, sizes, few)

    def _trials_of(self, known: np.ndarray, row: Row, target: Floats) -> Trials:
        """The trials in which a row and a target are known, with what is held of them."""
        members = [each for each, is_known in zip(self._members, known, strict=True) if is_known]
        held = None if row.held is None else row.held[known]
        if row.sort == "settings":
            worth = Members(members).worth_of_members(target)[:, None]
            held = worth if held is None else np.concatenate([held, worth], axis=1)
        is_weighted = row.sort in ("members", "taught")
        key = (known.tobytes(), b"" if held is None else held.tobytes(), is_weighted)
        if key not in self._trials:
            self._trials[key] = Trials(members, held, is_weighted, self._seed)
        return self._trials[key]


def _draws(row: Row, trials: Trials, x: Floats, a: Floats, b: Floats) -> Floats:
    """The correlations that luck alone gives, ``(draws,)``.

    Args:
        row: the row.
        trials: those in which it is known.
        x: its values.
        a: what the settings that are held leave of it.
        b: and of the target.
    """
    if row.of_units is None:
        return widest([each.correlated(a) for each in trials.luck_permuted(b)])
    of_units = row.of_units[trials.members.units]
    return trials.properties_permuted(of_units, x, row.aggregate, not row.is_category).correlated(b)


def _too_few(row: Row, trials: Trials) -> str:
    """What there are too few of for a verdict."""
    alone = int((~trials.members.is_taught).sum())
    if trials.n < FEWEST or (row.sort == "taught" and alone < 2):
        return "trials"
    return "teachers" if row.sort == "members" and len(trials.members.units) < FEWEST_UNITS else ""


def _formed(row: Row, values: Floats) -> Floats:
    """Values as they are correlated: categories as they are, numbers by their ranks."""
    return values if row.is_category else ranks(values[None])[0]
