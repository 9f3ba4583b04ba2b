"""What explains a student: golden numbers and what must hold of any logits."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from asc_experiments.training.diagnostics import agreement, disagreement

GROUPS = {"a": "real", "s4": "unseen"}
LOGITS = arrays(np.float32, (6, 4), elements=st.floats(-30, 30, width=32))


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
