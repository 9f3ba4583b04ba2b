"""Correlations and differences over trials, and how sure they are."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import spearmanr

from asc_experiments.report import effects
from asc_experiments.report.effects import FEWEST, correlation, difference

numbers = st.lists(st.floats(-1e3, 1e3), min_size=FEWEST, max_size=20, unique=True)


def test_correlation_is_scipys_also_with_ties() -> None:
    x, y = [1, 2, 2, 3, 5, 8, 8, 9, 10], [0.1, 0.3, 0.2, 0.2, 0.6, 0.5, 0.9, 0.8, 0.8]
    found = correlation(x, y)
    assert found is not None
    assert found.value == pytest.approx(spearmanr(x, y).statistic)
    assert found.strength == pytest.approx(abs(found.value))


def test_strong_connection_over_many_trials_has_an_interval_that_leaves_out_zero() -> None:
    rng = np.random.default_rng(1)
    x = rng.normal(size=40)
    found = correlation(x, x + 0.3 * rng.normal(size=40))
    assert found is not None
    assert found.low is not None
    assert 0 < found.low < found.value < found.high < 1  # type: ignore[operator]
    assert found.is_clear


def test_noise_has_an_interval_that_holds_zero() -> None:
    rng = np.random.default_rng(2)
    found = correlation(rng.normal(size=40), rng.normal(size=40))
    assert found is not None
    assert not found.is_clear


def test_too_few_trials_get_a_value_but_no_interval() -> None:
    found = correlation(range(FEWEST - 1), range(FEWEST - 1))
    assert found is not None
    assert (found.value, found.low, found.high, found.is_clear) == (pytest.approx(1.0), None, None, False)


@pytest.mark.parametrize(("x", "y"), [([1, 1, 1], [1, 2, 3]), ([1, 2, 3], [1, 1, 1]), ([1, 2], [1, 2]), ([], [])])
def test_what_does_not_vary_or_is_too_little_has_no_correlation(x: list[float], y: list[float]) -> None:
    assert correlation(x, y) is None


def test_difference_of_means_and_how_many_there_are_of_each() -> None:
    found = difference([True, True, True, False, False, False, False, False], [5, 6, 7, 1, 2, 3, 2, 2])
    assert found is not None
    assert found.value == pytest.approx(4.0)
    assert found.sizes == (3, 5)
    assert found.low is not None
    assert 0 < found.low <= 4.0 <= found.high  # type: ignore[operator]


def test_difference_with_two_of_a_kind_has_no_interval() -> None:
    found = difference([True, True] + [False] * 10, range(12))
    assert found is not None
    assert found.low is None


def test_all_of_one_kind_make_no_difference() -> None:
    assert difference([True] * 9, range(9)) is None


@given(numbers)
def test_correlation_does_not_change_when_one_side_is_stretched(x: list[float]) -> None:
    y = list(reversed(x))
    one, other = correlation(x, y), correlation([3 * value + 1 for value in x], y)
    if one is not None and other is not None and len({3 * value + 1 for value in x}) == len(x):
        assert one.value == pytest.approx(other.value)
        assert -1 <= one.value <= 1
        assert one.low is None or -1 - 1e-9 <= one.low <= one.high <= 1 + 1e-9  # type: ignore[operator]


def test_same_trials_give_the_same_interval() -> None:
    x, y = [1, 3, 2, 5, 4, 6, 8, 7, 9], [2, 1, 4, 3, 5, 8, 6, 7, 9]
    assert correlation(x, y) == correlation(x, y)


def test_interval_over_many_trials_is_that_of_ranking_each_resample_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(3)
    x = rng.integers(0, 50, size=600)
    y = x + rng.normal(scale=40, size=600)
    quick = correlation(x, y)
    monkeypatch.setattr(effects, "MANY", 1_000)
    exact = correlation(x, y)
    assert quick is not None
    assert exact is not None
    assert quick.value == exact.value
    assert (quick.low, quick.high) == pytest.approx((exact.low, exact.high), abs=0.01)
