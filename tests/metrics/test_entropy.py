"""The entropy of softened answers."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from asc_experiments.metrics.entropy import entropy
from asc_experiments.metrics.softmax import softmax

LOGITS = arrays(np.float32, (6, 4), elements=st.floats(-30, 30, width=32))


@pytest.mark.parametrize("temperature", [1.0, 2.0, 8.0])
def test_entropy_of_equal_logits_is_that_of_a_fair_die(temperature: float) -> None:
    np.testing.assert_allclose(entropy(np.full((3, 10), 7.0), temperature), np.log(10))


def test_entropy_grows_with_the_temperature() -> None:
    logits = np.array([[3.0, 1.0, 0.0]])
    assert entropy(logits, 1.0) < entropy(logits, 2.0) < entropy(logits, 4.0) < np.log(3)


@given(LOGITS)
def test_probabilities_of_any_logits_sum_to_one_and_entropies_are_finite(logits: np.ndarray) -> None:
    np.testing.assert_allclose(softmax(logits).sum(axis=1), 1)
    found = entropy(100 * logits, 2.0)
    assert ((found >= 0) & (found <= np.log(4) + 1e-9)).all()
