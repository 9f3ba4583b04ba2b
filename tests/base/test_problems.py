"""Many problems in a few lines."""

from asc_experiments.base.errors import Problem
from asc_experiments.base.problems import in_a_screen


def test_few_problems_are_all_told() -> None:
    lines = in_a_screen([Problem("meta.csv", f"clip {n} is wrong", "mend it") for n in range(12)])
    assert lines == [f"problem: meta.csv: clip {n} is wrong; mend it" for n in range(12)]


def test_many_kinds_are_counted() -> None:
    kinds = [chr(97 + n) * 3 for n in range(20)]
    problems = [Problem("x.csv", f"is {kind} at {n}", "mend it") for kind in kinds for n in range(50)]
    lines = in_a_screen(problems)
    assert len(lines) == 12
    assert lines[0] == "problem: x.csv: is aaa at 0; mend it (and 49 more like it)"
    assert lines[-1] == "… and 450 problems of 9 other kinds"


def test_the_rare_kind_is_not_buried_under_the_common_one() -> None:
    problems = [Problem(f"audio/{n}.wav", "no such file", "restore it") for n in range(100_000)]
    problems.insert(50_000, Problem("meta.csv", "scene 'zoo' is no name", "rename it"))
    lines = in_a_screen(problems)
    assert len(lines) == 5
    assert "scene 'zoo' is no name" in lines[-1]
    assert lines[3] == "… and 99,997 more like it"
