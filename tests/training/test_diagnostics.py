"""What explains a student: golden numbers and what must hold of any logits."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from asc_experiments.training.diagnostics import agreement, calibration, disagreement, ece, entropy, softmax

GROUPS = {"a": "real", "s4": "unseen"}
LOGITS = arrays(np.float32, (6, 4), elements=st.floats(-30, 30, width=32))


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


def test_calibration_is_told_overall_per_device_and_per_group() -> None:
    logits = np.array([[9.0, 0.0], [9.0, 0.0]])
    found = calibration(logits, np.array([0, 1]), ["a", "s4"], GROUPS)
    parts = ["overall", "device/a", "device/s4", "group/real", "group/unseen"]
    assert set(found) == {f"{what}/{part}" for what in ("ece", "entropy") for part in parts}
    assert found["ece/device/a"] < 0.001 < 0.99 < found["ece/device/s4"] == found["ece/group/unseen"]
    assert found["entropy/overall"] == pytest.approx(found["entropy/device/a"])


def test_agreement_counts_clips_on_which_both_choose_the_same() -> None:
    ours, theirs = np.array([[1, 0], [1, 0], [0, 1]]), np.array([[5, 0], [0, 5], [0, 1]])
    found = agreement(ours, theirs, ["a", "a", "s4"], GROUPS)
    assert found["agreement/overall"] == pytest.approx(2 / 3)
    assert found["agreement/device/a"] == 0.5
    assert found["agreement/group/unseen"] == 1


def test_disagreement_is_the_mean_over_pairs_of_members() -> None:
    members = [np.eye(3)[[0, 0]], np.eye(3)[[0, 1]], np.eye(3)[[0, 2]]]
    found = disagreement(members, ["a", "s4"], GROUPS)
    assert found["disagreement/device/a"] == 0
    assert found["disagreement/device/s4"] == 1
    assert found["disagreement/overall"] == 0.5


def test_one_member_has_nobody_to_disagree_with() -> None:
    assert disagreement([np.eye(3)], ["a", "a", "s4"], GROUPS) == {}


@given(LOGITS, LOGITS)
def test_disagreement_of_two_is_what_they_do_not_agree_on(ours: np.ndarray, theirs: np.ndarray) -> None:
    devices = ["a", "a", "a", "s4", "s4", "s4"]
    agreed, differ = agreement(ours, theirs, devices, GROUPS), disagreement([ours, theirs], devices, GROUPS)
    for name, value in agreed.items():
        assert differ[name.replace("agreement", "disagreement")] == pytest.approx(1 - value)
