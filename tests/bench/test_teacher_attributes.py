"""The simulation of "what makes a good teacher here": its truth is as told, and harmless attributes stay unclear."""

from dataclasses import replace

import numpy as np
import pytest

from asc_experiments.bench.teacher_attributes import Rate, Setting, _World, rates, settings, table
from asc_experiments.tracking.trials import OBJECTIVE_VALUE

SEARCH = Setting("tpe", 12, 4)
GRID = Setting("grid", 12, 0, (1, 1), twins=3)


def test_every_setting_of_the_table_makes_a_study_with_its_trials() -> None:
    shown = settings()
    assert {(each.sampler, each.trials) for each in shown} >= {(s, n) for s in ("random", "tpe") for n in (12, 30, 60)}
    for setting in {replace(each, trials=min(each.trials, 12)) for each in shown}:
        made = _World(setting, 1).study()
        assert len(made.runs) == min(setting.trials, 12)
        assert {key for run in made.runs for key in run.tags["asc.teachers"].split(",") if key} <= set(made.teachers)


def test_a_study_is_the_same_each_time_and_another_by_its_number() -> None:
    values = [[run.metrics[OBJECTIVE_VALUE] for run in _World(SEARCH, n).study().runs] for n in (3, 3, 4)]
    assert values[0] == values[1] != values[2]


@pytest.mark.parametrize("gives", [0.0, 6.0])
def test_dir_gives_students_what_the_setting_says_and_nothing_else_does(gives: float) -> None:
    differences = []
    for number in range(60):
        scores: dict[bool, list[float]] = {False: [], True: []}
        for run in _World(replace(GRID, dir_gives=gives), number).study().runs:
            scores["dir" in run.tags["asc.teachers"]].append(100 * run.metrics[OBJECTIVE_VALUE])
        differences.append(np.mean(scores[True]) - np.mean(scores[False]))
    assert np.mean(differences) == pytest.approx(gives, abs=3.5 * np.std(differences) / np.sqrt(60))
    assert np.std(differences) < 1.5


def test_harmless_attributes_stay_unclear_where_independent_trials_would_not_leave_them() -> None:
    (found,) = rates([replace(SEARCH, trials=30)], studies=12)
    assert found.any_clear <= 0.17
    assert found.naive > 0.05
    assert found.found is None


def test_large_effect_is_found_with_three_networks_of_a_kind_and_never_with_one() -> None:
    many, one = rates([replace(GRID, dir_gives=8.0), Setting("grid", 4, 0, (1, 1), 8.0, 1)], studies=6)
    assert many.found is not None
    assert many.found >= 0.8
    assert one.found == 0


def test_table_counts_in_percent_and_names_what_was_clear_most_often() -> None:
    shown = table([Rate(SEARCH, 200, 0.025, ("architecture", 0.015), 0.28, None)])
    heads, _, line = shown.splitlines()
    assert heads.startswith("| simulated | studies |")
    assert line == "| tpe, 12 trials, 4 teachers, ensembles of 0 to 3 | 200 | 2.5 | 1.5 (architecture) | 28 |  |"
