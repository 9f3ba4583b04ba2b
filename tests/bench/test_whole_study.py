"""A whole study in this program and in the scripts' way, on the least that it takes."""

from collections import Counter

import pytest

from asc_experiments.bench import whole_study
from asc_experiments.bench.whole_study import TEACHERS_EACH, TRIALS, benchmark_study, kinds, teams


def test_every_kind_of_teacher_is_in_half_of_the_trials() -> None:
    assert len(teams()) == len({frozenset(team) for team in teams()}) == TRIALS
    assert Counter(name for team in teams() for name in team) == dict.fromkeys(kinds(1), TRIALS * TEACHERS_EACH / 6)


def test_both_ways_are_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    first = teams()[0]
    monkeypatch.setattr(whole_study, "teams", lambda: [first])
    monkeypatch.setattr(whole_study, "TRIALS", 1)
    measured = benchmark_study(20, 1, 2)
    assert (measured["study.trials"], measured["study.plain_teachers_trained"]) == (1, 3)
    assert measured["study.ratio"] == measured["study.plain_s"] / measured["study.s"] > 0
    assert measured["study.worker_mib"] > 100
    assert measured["study.plain_mib"] > 100
