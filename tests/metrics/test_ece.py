"""The expected calibration error."""

import numpy as np
import pytest

from asc_experiments.metrics.ece import ece


def test_ece_is_the_gap_between_confidence_and_accuracy_weighed_by_clips() -> None:
    # Two bins: three clips said with 0.9 of which two are right, one said with 0.55 that is right.
    found = ece(np.array([0.9, 0.9, 0.9, 0.55]), np.array([True, True, False, True]))
    assert found == pytest.approx(3 / 4 * (0.9 - 2 / 3) + 1 / 4 * (1 - 0.55))


def test_ece_of_the_certain_and_right_is_zero_and_of_the_certain_and_wrong_one() -> None:
    certain = np.ones(5)
    assert ece(certain, np.ones(5, dtype=bool)) == 0
    assert ece(certain, np.zeros(5, dtype=bool)) == 1


def test_confidence_on_the_edge_of_a_bin_belongs_to_the_lower_one() -> None:
    """Bins are (low, high], as in the paper: 1/15 exactly is in the first."""
    found = ece(np.array([1 / 15, 1 / 15 + 1e-9]), np.array([True, False]))
    assert found == pytest.approx(((1 - 1 / 15) + 1 / 15) / 2)
