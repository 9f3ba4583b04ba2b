"""Trials of one cell are one candidate: the latest of them stands for all."""

from dataclasses import replace

import pytest

from asc_experiments.tracking import RunRecord, Tracking
from asc_experiments.tracking.trials import (
    CELL,
    OBJECTIVE_VALUE,
    STUDENTS,
    TRIAL,
    best_finished_trial,
    best_trial,
    distinct_trials,
    finished_trials,
)


def trial(number: int, cell: str | None = None, students: int = 1, ended: int = 0, value: float = 0.5) -> RunRecord:
    tags = {TRIAL: str(number), "asc.direction": "maximize"} | ({} if cell is None else {CELL: cell})
    metrics = {OBJECTIVE_VALUE: value, STUDENTS: float(students)}
    return RunRecord(f"r{number}", "1", f"trial {number}", "FINISHED", {}, metrics, tags, 0, ended)


def numbers(records: list[RunRecord]) -> list[int]:
    return [int(record.tags[TRIAL]) for record in records]


def test_of_trials_of_one_cell_the_one_with_the_most_students_stands_for_all() -> None:
    records = [trial(0, "a"), trial(1, "b"), trial(2, "a", students=2), trial(3, "b", students=2), trial(4, "c")]
    assert numbers(distinct_trials(records)) == [2, 3, 4]


def test_of_two_trials_that_were_active_at_once_the_one_that_ended_last_stands_for_both() -> None:
    records = [trial(0, "a", students=1, ended=9), trial(1, "a", students=2, ended=5), trial(2, "a", 2, ended=7)]
    assert numbers(distinct_trials(records)) == [2]


def test_trials_of_an_earlier_version_and_of_other_studies_stand_for_themselves() -> None:
    other = replace(trial(3, "a"), experiment_id="2", run_id="other")
    assert numbers(distinct_trials([trial(0), trial(1), trial(2, "a"), other])) == [0, 1, 2, 3]


def test_trial_that_did_not_finish_stands_for_nothing() -> None:
    pruned = replace(trial(1, "a", students=2), status="KILLED")
    assert numbers(distinct_trials([trial(0, "a"), pruned])) == [0]


def test_lucky_first_student_of_a_cell_does_not_win_once_more_of_them_are_known() -> None:
    records = [trial(0, "a", value=0.9), trial(1, "b", value=0.8), trial(2, "a", students=2, value=0.7)]
    assert best_trial(records, "s").tags[TRIAL] == "1"


@pytest.mark.parametrize("direction", ["maximize", "minimize"])
def test_server_finds_the_best_trial_where_more_lucky_ones_than_it_looks_at_are_stood_for(
    tracking: Tracking, direction: str
) -> None:
    sign = 1 if direction == "maximize" else -1
    experiment = tracking.experiment("s")
    for number in range(44):
        is_last = number >= 22
        value = 0.5 + sign * (0.001 * (number % 22) if is_last else 0.3)
        tags = {TRIAL: str(number), "asc.direction": direction, CELL: f"{number % 22:02}"}
        with tracking.run(experiment, f"trial {number}", "trial", tags) as run:
            run.metrics({OBJECTIVE_VALUE: value, STUDENTS: 2.0 if is_last else 1.0})
    assert best_finished_trial(tracking, "s").tags[TRIAL] == "43"
    assert best_trial(finished_trials(tracking, "s"), "s").tags[TRIAL] == "43"
