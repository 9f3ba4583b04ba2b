"""Tables of logits, by clip id, and how those of several teachers combine."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asc_experiments.base.errors import AscError
from asc_experiments.corpus import ValidationSplit
from asc_experiments.distill import Ensemble, LogitTable
from asc_experiments.distill.ensemble import RULES
from asc_experiments.distill.teacher import Teacher
from asc_experiments.tracking import RunRecord


def table(names: list[str]) -> LogitTable:
    return LogitTable(tuple(names), np.arange(3 * len(names), dtype=np.float32).reshape(-1, 3))


@settings(max_examples=40)
@given(st.lists(st.text(min_size=1, max_size=8), min_size=1, max_size=20, unique=True), st.randoms())
def test_rows_follow_the_order_of_the_names_asked_for(names: list[str], random: object) -> None:
    logits = table(names)
    asked = names[:]
    random.shuffle(asked)  # type: ignore[attr-defined]
    np.testing.assert_array_equal(logits.of(asked, "x"), logits.values[[names.index(name) for name in asked]])


def test_missing_clips_are_counted(tmp_path: Path) -> None:
    with pytest.raises(AscError, match=r"teacher 1f: has no logits for c and 1 other clips"):
        table(["a", "b"]).of(["a", "c", "d"], "teacher 1f")


def test_table_comes_back_from_its_file_and_gives_the_same_bytes(tmp_path: Path) -> None:
    logits = table(["audio/ü.wav", "b"])
    logits.save(tmp_path / "one.npz")
    logits.save(tmp_path / "two.npz")
    loaded = LogitTable.load(tmp_path / "one.npz")
    assert loaded.filenames == logits.filenames
    np.testing.assert_array_equal(loaded.values, logits.values)
    assert (tmp_path / "one.npz").read_bytes() == (tmp_path / "two.npz").read_bytes()


def test_damaged_file_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "bad.npz").write_bytes(b"PK not really")
    with pytest.raises(AscError, match="no readable logits"):
        LogitTable.load(tmp_path / "bad.npz")


def test_empty_ensemble_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one"):
        Ensemble(())


CLIPS = ["a", "b"]
ONE = [[2.0, 0.0, -1.0], [0.0, 0.0, 0.0]]
TWO = [[0.0, 1.0, 3.0], [6.0, 2.0, 1.0]]
WEIGHED_BY = "validation/accuracy/overall"


def teacher(values: list[list[float]], names: list[str] = CLIPS, **metrics: float) -> Teacher:
    """A Teacher of these logits, without a tracking server."""
    record = RunRecord("r", "1", "imported", "FINISHED", {}, metrics, {}, 0)
    made = Teacher("1f", None, ValidationSplit(), record, tracking=None)  # type: ignore[arg-type]
    made.__dict__["logits"] = LogitTable(tuple(names), np.array(values, dtype=np.float32))
    return made


def softmax(logits: np.ndarray) -> np.ndarray:
    return np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)


def test_mean_logits_are_the_mean() -> None:
    combined = Ensemble((teacher(ONE), teacher(TWO))).logits(CLIPS)
    np.testing.assert_allclose(combined, [[1.0, 0.5, 1.0], [3.0, 1.0, 0.5]])
    assert combined.dtype == np.float32


def test_mean_probabilities_have_the_mean_of_the_softmaxes_as_their_softmax() -> None:
    combined = Ensemble((teacher(ONE), teacher(TWO)), "mean_probabilities").logits(CLIPS)
    np.testing.assert_allclose(softmax(combined), (softmax(np.array(ONE)) + softmax(np.array(TWO))) / 2, rtol=1e-5)
    # of two scenes, by hand: probabilities 1/2 and 3/4, their mean 5/8
    two = Ensemble((teacher([[0, 0]], ["a"]), teacher([[np.log(3), 0]], ["a"])), "mean_probabilities").logits(["a"])
    np.testing.assert_allclose(softmax(two), [[0.625, 0.375]], rtol=1e-6)


def test_one_teacher_has_the_same_probabilities_by_every_rule() -> None:
    for rule in RULES:
        combined = Ensemble((teacher(ONE, **{WEIGHED_BY: 0.4}),), rule).logits(CLIPS)
        np.testing.assert_allclose(softmax(combined), softmax(np.array(ONE)), rtol=1e-5)


def test_mean_probabilities_of_certain_teachers_are_finite() -> None:
    certain = [teacher([[1e4, -1e4, 0.0]], ["a"]), teacher([[-1e4, 1e4, 0.0]], ["a"])]
    combined = Ensemble(tuple(certain), "mean_probabilities").logits(["a"])
    np.testing.assert_allclose(softmax(combined), [[0.5, 0.5, 0.0]], atol=1e-6)


def test_accuracies_weigh_logits() -> None:
    members = (teacher(ONE, **{WEIGHED_BY: 0.75}), teacher(TWO, **{WEIGHED_BY: 0.25}))
    combined = Ensemble(members, "accuracy_weighted").logits(CLIPS)
    np.testing.assert_allclose(combined, [[1.5, 0.25, 0.0], [1.5, 0.5, 0.25]])


def test_teachers_that_are_never_right_weigh_the_same() -> None:
    members = tuple(teacher(values, **{WEIGHED_BY: 0.0}) for values in (ONE, TWO))
    np.testing.assert_allclose(Ensemble(members, "accuracy_weighted").logits(CLIPS), Ensemble(members).logits(CLIPS))


def test_teacher_without_held_out_clips_cannot_be_weighed() -> None:
    members = (teacher(ONE, **{WEIGHED_BY: 0.5}), teacher(TWO, **{"accuracy/overall": 0.5}))
    with pytest.raises(AscError, match=r"^teacher 1f \(imported\): has no accuracy on held-out clips .*mean_logits$"):
        Ensemble(members, "accuracy_weighted").logits(CLIPS)


@pytest.mark.parametrize("rule", RULES)
def test_clip_that_one_member_lacks_is_nan_where_it_is_optional(rule: str) -> None:
    members = (teacher(ONE, **{WEIGHED_BY: 0.5}), teacher(TWO[:1], ["a"], **{WEIGHED_BY: 0.5}))
    combined = Ensemble(members, rule).logits(CLIPS, optional={"b"})
    assert np.isnan(combined).tolist() == [[False] * 3, [True] * 3]
    with pytest.raises(AscError, match="has no logits for b"):
        Ensemble(members, rule).logits(CLIPS)


def test_unknown_rule_is_refused() -> None:
    with pytest.raises(ValueError, match="unknown rule 'median'"):
        Ensemble((teacher(ONE),), "median")
