"""Tables of logits, by clip id."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asc_experiments.base.errors import AscError
from asc_experiments.distill import Ensemble, LogitTable


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
