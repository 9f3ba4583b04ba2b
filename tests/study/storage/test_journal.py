"""A journal survives a disk that is full, and a kill in the middle of a line."""

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import optuna
import pytest

from asc_experiments.study.storage.open_storage import open_storage


def study_in(path: Path) -> optuna.Study:
    storage = open_storage(path.parent, str(path))
    return optuna.create_study(study_name="tiny", storage=storage, load_if_exists=True)


@contextmanager
def no_file_larger_than(size: int) -> Iterator[None]:
    """As on a full disk or at a quota's end: what fits is written, and then there is an error."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("room", [0, 1, 40])
def test_line_that_does_not_fit_leaves_no_half_and_the_study_goes_on(tmp_path: Path, room: int) -> None:
    path = tmp_path / "optuna.journal"
    study = study_in(path)
    study.set_user_attr("before", 1)
    size = path.stat().st_size
    with no_file_larger_than(size + room), pytest.raises(OSError, match="File too large"):
        study.set_user_attr("lost", 1)
    assert path.stat().st_size == size
    study.set_user_attr("after", 1)
    study.set_user_attr("long after", "x" * 10_000)
    assert set(study_in(path).user_attrs) == {"before", "after", "long after"}


@pytest.mark.parametrize("cut", [1, 30, 5_000])
def test_half_a_line_that_a_killed_process_left_is_taken_back(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "optuna.journal"
    study = study_in(path)
    study.set_user_attr("before", 1)
    whole = path.read_bytes()
    study.set_user_attr("cut", "x" * 10_000)
    path.write_bytes(path.read_bytes()[: len(whole) + cut])
    study_in(path).set_user_attr("after", 1)
    study_in(path).set_user_attr("long after", 1)
    assert set(study_in(path).user_attrs) == {"before", "after", "long after"}
