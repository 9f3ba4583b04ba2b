"""Differences in words."""

from dataclasses import replace

from asc_experiments.metrics import OVERALL_ACCURACY
from asc_experiments.statistics import Margin
from asc_experiments.statistics.wording import margin_in_words

FOUND = Margin(OVERALL_ACCURACY, 0.012, 0.01, -0.008, 0.032, "", (3, 3), 30)


def test_difference_has_its_interval() -> None:
    assert margin_in_words(FOUND) == "+1.2 points, 95 % interval [-0.8, +3.2]"
    widened = margin_in_words(replace(FOUND, comparisons=6))
    assert widened == "+1.2 points, 95 % interval [-0.8, +3.2], widened for 6 comparisons"


def test_where_nothing_differs_no_interval_is_claimed() -> None:
    same = margin_in_words(replace(FOUND, value=0.0, error=0.0, low=0.0, high=0.0))
    assert same.startswith("+0.0 points, and how much of that is noise is not known: no place and no student differs")
