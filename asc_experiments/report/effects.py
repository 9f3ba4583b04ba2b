"""How strongly one thing goes with another over a study's trials, and how sure that is.

Numbers: Spearman's rank correlation. Categories: the difference of means. Intervals are percentile bootstraps over
trials (Efron and Tibshirani, "An Introduction to the Bootstrap", chapter 13); too few trials get none.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

RESAMPLES = 1_000
CONFIDENCE = 0.95
FEWEST = 8
"""Trials that an interval needs: resampling fewer gives intervals that are far too narrow."""
FEWEST_OF_A_KIND = 3
"""Trials that an interval of a difference needs on either side."""
MANY = 500
"""Trials from which on resamples keep the ranks that the trials have among all: ranking each anew takes minutes."""
_MOST_LOST = 0.2
"""Part of the resamples in which a value may be undefined (all of one kind)."""


@dataclass(frozen=True)
class Effect:
    """A correlation or a difference of means over trials.

    Attributes:
        value: Spearman's ρ from -1 to 1, or mean with less mean without.
        n: number of trials.
        low, high: the interval that holds it with :data:`CONFIDENCE`; None where there are too few trials.
        strength: from 0 to 1, the same for both: the absolute rank correlation with the target.
        sizes: of a difference, the number of trials with and without.
    """

    value: float
    n: int
    low: float | None = None
    high: float | None = None
    strength: float = 0.0
    sizes: tuple[int, int] | None = None

    @property
    def is_clear(self) -> bool:
        """Whether there is an interval and it leaves out 0."""
        return self.low is not None and self.high is not None and not self.low <= 0.0 <= self.high


def correlation(xs: Sequence[float], ys: Sequence[float], seed: int = 0) -> Effect | None:
    """Spearman's rank correlation of two series; None where one of them does not vary, or there are fewer than three.

    Args:
        xs: one value per trial.
        ys: the other.
        seed: of the resampling.
    """
    x, y = np.asarray(xs, dtype=np.float64), np.asarray(ys, dtype=np.float64)
    if len(x) < 3 or np.ptp(x) == 0 or np.ptp(y) == 0:
        return None
    rho = float(_spearman(x[None], y[None])[0])
    if len(x) < MANY:
        low, high = _interval(lambda drawn: _spearman(x[drawn], y[drawn]), len(x), seed)
    else:
        a, b = _centred_ranks(x[None])[0], _centred_ranks(y[None])[0]
        low, high = _bounds(_weighted(a, b, _times(len(x), seed)))
    return Effect(rho, len(x), low, high, strength=abs(rho))


def difference(belongs: Sequence[bool], ys: Sequence[float], seed: int = 0) -> Effect | None:
    """The mean of the values that belong less the mean of the others; None where either are missing.

    Args:
        belongs: one per trial.
        ys: the value of each.
        seed: of the resampling.
    """
    is_in, y = np.asarray(belongs, dtype=bool), np.asarray(ys, dtype=np.float64)
    sizes = (int(is_in.sum()), int((~is_in).sum()))
    if min(sizes) == 0:
        return None
    value = float(y[is_in].mean() - y[~is_in].mean())
    low = high = None
    if min(sizes) >= FEWEST_OF_A_KIND:
        low, high = _interval(lambda drawn: _differences(is_in[drawn], y[drawn]), len(y), seed)
    varies = len(y) > 2 and np.ptp(y) > 0
    strength = abs(float(_spearman(is_in[None].astype(np.float64), y[None])[0])) if varies else 0.0
    return Effect(value, len(y), low, high, strength, sizes)


def _interval(
    measure: Callable[[np.ndarray], np.ndarray], n: int, seed: int
) -> tuple[float, float] | tuple[None, None]:
    """The bootstrap's interval of a measure of trials; none where there are too few."""
    if n < FEWEST:
        return None, None
    return _bounds(measure(_drawn(n, seed)))


def _bounds(values: np.ndarray) -> tuple[float, float] | tuple[None, None]:
    """The interval that holds most of the resamples' values; none where too many are undefined."""
    defined = values[np.isfinite(values)]
    if len(defined) < (1 - _MOST_LOST) * RESAMPLES:
        return None, None
    tail = 100 * (1 - CONFIDENCE) / 2
    low, high = np.percentile(defined, [tail, 100 - tail])
    return float(low), float(high)


def _drawn(n: int, seed: int) -> np.ndarray:
    """Which trials each resample has, ``(resamples, trials)``."""
    return np.random.default_rng(seed).integers(n, size=(RESAMPLES, n))


@lru_cache(maxsize=1)
def _times(n: int, seed: int) -> np.ndarray:
    """How often each resample has each trial, ``(resamples, trials)``; the same for all attributes of a study."""
    return np.stack([np.bincount(row, minlength=n) for row in _drawn(n, seed)]).astype(np.float64)


def _spearman(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Rank correlations of each row; ``(resamples, trials)`` twice to ``(resamples,)``, NaN where one is constant."""
    a, b = _centred_ranks(x), _centred_ranks(y)
    scale = np.sqrt((a**2).sum(axis=1) * (b**2).sum(axis=1))
    return np.divide((a * b).sum(axis=1), scale, out=np.full(len(a), np.nan), where=scale > 0)


def _centred_ranks(values: np.ndarray) -> np.ndarray:
    """Ranks of each row, with mean 0."""
    from pandas import DataFrame  # which MLflow has loaded, as it has not scipy.stats

    ranks = DataFrame(values).rank(axis=1).to_numpy()
    return ranks - ranks.mean(axis=1, keepdims=True)


def _weighted(a: np.ndarray, b: np.ndarray, times: np.ndarray) -> np.ndarray:
    """Correlations of two series of ranks in each resample, ``(resamples, trials)`` to ``(resamples,)``."""
    mean_a, mean_b, aa, bb, ab = (times @ np.stack([a, b, a * a, b * b, a * b], axis=1)).T / len(a)
    scale = np.sqrt((aa - mean_a**2) * (bb - mean_b**2))
    return np.divide(ab - mean_a * mean_b, scale, out=np.full(len(times), np.nan), where=scale > 0)


def _differences(is_in: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Differences of means of each row; NaN where a row has all of one kind."""
    with_, without = is_in.sum(axis=1), (~is_in).sum(axis=1)
    nan = np.full(len(y), np.nan)
    mean_with = np.divide((y * is_in).sum(axis=1), with_, out=nan.copy(), where=with_ > 0)
    return mean_with - np.divide((y * ~is_in).sum(axis=1), without, out=nan, where=without > 0)
