"""How wide an interval will be, said before it is run, is how wide it is: by simulations that know the truth."""

import math
from dataclasses import replace
from functools import cache
from itertools import combinations

import numpy as np
import pytest
from scipy import stats

from asc_experiments.report.analysis.teacher_kinds import KindResult, kind_differences
from asc_experiments.statistics import Evidence, as_one, margin, pooled
from asc_experiments.statistics.calibration.folds import Fold, small, tau22
from asc_experiments.statistics.calibration.pairs import PairsJob
from asc_experiments.statistics.calibration.students import Recipes, World, evidence
from asc_experiments.statistics.margin import sources
from asc_experiments.statistics.planning import Basis, Expected, Scatter, Side, assumed, expected, measured

MACRO = "accuracy/macro"
WORLD = World(recipe_place=4.0)
SEEDS_ALONE = Scatter(students=1.3**2, at_places=0.0, places=0.0, places_freedom=136, teachers=0.0)


@pytest.mark.parametrize("students", [2, 3, 5, 10])
def test_of_seeds_alone_it_is_the_wider_of_welchs_and_the_pooled_interval(students: int) -> None:
    """Recounted with scipy.stats on students that are drawn one by one."""
    rng = np.random.default_rng(1)
    ours, theirs = rng.normal(0.0, 1.3, (2, 6_000, students))
    pooled_too = [stats.ttest_ind(ours, theirs, axis=1, equal_var=equal) for equal in (True, False)]
    ends = [each.confidence_interval(0.95) for each in pooled_too]
    reach = np.maximum(*((each.high - each.low) / 2 for each in ends))
    found = expected(SEEDS_ALONE, (Side(students), Side(students)))
    assert found.half_width == pytest.approx(reach.mean(), rel=0.03)
    difference = (ours - theirs).mean(axis=1)
    assert np.mean(np.abs(difference) <= reach) >= 0.945, "the interval that is planned with holds the truth"
    assert np.mean(difference + found.detects > reach) == pytest.approx(0.8, abs=0.02)


@cache
def _scatter(fold: Fold, metric: str, recipes: int = 30) -> Scatter:
    """What many students of many pairs of recipes tell of the scatter in a simulated world."""
    pairs = []
    for number in range(recipes):
        rng = np.random.default_rng([7, number])
        drawn = Recipes.draw(fold, WORLD, (0.0, 0.0), rng)
        pairs.append([evidence(fold, each) for each in drawn.answers(drawn.luck(6, rng), rng)])
    known = measured(pairs, [], metric, assumed(pairs[0][0], metric))
    assert known is not None
    assert known[1] == Basis(students=2 * 5 * recipes, pairs=recipes)
    return known[0]


@pytest.mark.parametrize("fold", [tau22(), small()], ids=lambda fold: fold.name)
def test_it_is_the_width_that_simulated_studies_have(fold: Fold) -> None:
    numbers = (3, 5)
    studied = PairsJob(fold, WORLD, numbers, (MACRO,), range(100))()
    widths = (studied.high - studied.low)[:, 0].mean(axis=0) / 2
    for place, students in enumerate(numbers):
        found = expected(_scatter(fold, MACRO), (Side(students), Side(students)))
        assert found.half_width == pytest.approx(widths[place], rel=0.1)
        assert studied.better(by=found.detects)[0, place] == pytest.approx(0.8, abs=0.1)


def test_what_is_assumed_is_what_the_documented_simulation_has() -> None:
    for fold in (tau22(), small()):
        rng = np.random.default_rng(0)
        drawn = Recipes.draw(fold, WORLD, (0.0,), rng)
        table = evidence(fold, drawn.answers(drawn.luck(2, rng), rng)[0])
        guess, known = assumed(table, MACRO), _scatter(fold, MACRO)
        assert guess is not None
        assert math.sqrt(guess.students) == pytest.approx(math.sqrt(known.students), rel=0.15)
        assert math.sqrt(guess.places) == pytest.approx(math.sqrt(known.places), rel=0.25)
        assert assumed(table, "loss/overall") is None, "only of accuracies"


def test_fewer_clips_scatter_students_farther_and_fewer_places_blur_more() -> None:
    whole, few = (_table(fold) for fold in (tau22(), small()))
    assert assumed(few, MACRO).students > assumed(whole, MACRO).students  # type: ignore[union-attr]
    assert assumed(few, MACRO).places > assumed(whole, MACRO).places  # type: ignore[union-attr]
    unseen = "accuracy/group/unseen"
    assert assumed(whole, unseen).students > assumed(whole, MACRO).students  # type: ignore[union-attr]


def _table(fold: Fold) -> Evidence:
    return evidence(fold, np.zeros((1, len(fold.device_of)), dtype=np.int64))


def test_more_students_lower_the_part_of_students_alone() -> None:
    scatter = replace(SEEDS_ALONE, places=0.5**2)
    widths = [expected(scatter, (Side(each), Side(each))).half_width for each in (2, 3, 5, 10, 100)]
    assert widths == sorted(widths, reverse=True)
    assert widths[-1] >= stats.t.ppf(0.975, 136) * 0.5


def test_it_is_wider_for_the_most_striking_of_many() -> None:
    alone, of_many = (expected(SEEDS_ALONE, (Side(5), Side(5)), comparisons) for comparisons in (1, 6))
    assert of_many.half_width > 1.3 * alone.half_width
    assert of_many.detects > alone.detects


def test_where_students_do_not_scatter_everything_is_told_apart() -> None:
    nothing = Scatter(0.0, 0.0, 0.0, 10, 0.0)
    assert expected(nothing, (Side(2), Side(2))) == Expected(0.0, 0.0)


def _kind(rng: np.random.Generator, luck: list[float], students: int) -> list[Evidence]:
    """The students of each teacher of a kind, whose accuracy is 60 % with its luck, at 40 places of two scenes."""
    shape = (students, 40, 1)
    tables = []
    for each in luck:
        accuracy = 0.6 + each + rng.normal(0.0, 0.02, students)
        correct = rng.binomial(400, np.broadcast_to(accuracy[:, None, None], shape))
        tables.append(
            Evidence(
                places=tuple(f"place{number}" for number in range(40)),
                scene_of=np.arange(40) % 2,
                scenes=("bus", "tram"),
                devices=("a",),
                groups={"a": "real"},
                clips=np.full((40, 1), 400),
                correct=correct,
                loss=np.zeros(shape),
                answers=np.zeros((students, 2), dtype=np.int64),
            )
        )
    return tables


def _kinds(seed: int, teachers: int, students: int) -> list[list[Evidence]]:
    """Three equally good kinds, whose teachers have a luck of 1.5 points."""
    rng = np.random.default_rng(seed)
    return [_kind(rng, rng.normal(0.0, 0.015, teachers).tolist(), students) for _ in range(3)]


@pytest.mark.parametrize(("teachers", "students"), [(2, 3), (3, 2), (5, 3)])
def test_of_kinds_of_teachers_it_is_the_width_that_reports_have(teachers: int, students: int) -> None:
    reaches, missed = [], []
    for seed in range(80):
        kinds = _kinds(seed, teachers, students)
        pieces = [pooled([as_one(table) for table in tables]) for tables in kinds]
        results = [KindResult(str(n), teachers, pieces[n], tuple(tables)) for n, tables in enumerate(kinds)]
        found = [apart for _, apart in kind_differences(results, "accuracy/overall")]
        reaches += [(each.high - each.low) / 2 for each in found]
        missed += [(each.high - each.low) / 2 - each.value for each in found]
    clips = 0.6 * 0.4 / (40 * 400)
    scatter = Scatter(0.02**2 + clips, clips, 0.0, 38, 0.015**2)
    side = Side(teachers * students, teachers)
    planned = expected(scatter, (side, side), comparisons=3, teachers_freedom=3 * (teachers - 1))
    assert planned.half_width == pytest.approx(np.mean(reaches), rel=0.1)
    assert np.mean(np.array(missed) < planned.detects) == pytest.approx(0.8, abs=0.07)


def test_the_luck_of_teachers_is_told_from_that_of_their_students() -> None:
    kinds = [tables for seed in range(40) for tables in _kinds(100 + seed, 4, 4)]
    trials = [[table for tables in kinds for table in tables]]
    known = measured(trials, kinds, "accuracy/overall", None)
    assert known is not None
    scatter, basis = known
    assert basis == Basis(students=40 * 3 * 4 * 3, pairs=100, teachers=40 * 3 * 3)
    assert math.sqrt(scatter.students) == pytest.approx(0.0204, rel=0.1)
    assert math.sqrt(scatter.teachers) == pytest.approx(0.015, rel=0.15)


def test_too_few_students_tell_nothing_and_what_is_assumed_stays() -> None:
    table = _kind(np.random.default_rng(0), [0.0], 3)[0]
    guess = assumed(table, MACRO)
    assert measured([[table]], [], MACRO, guess) == (guess, Basis())
    assert measured([[table]], [], MACRO, None) is None
    known = measured([[table, replace_students(table, 1)], [table]], [], MACRO, guess)
    assert known is not None
    assert known[1] == Basis(students=4), "one student tells nothing, and places need a pair of trials of one study"
    assert (known[0].places, known[0].teachers) == (guess.places, guess.teachers)  # type: ignore[union-attr]


def replace_students(table: Evidence, students: int) -> Evidence:
    return replace(
        table, correct=table.correct[:students], loss=table.loss[:students], answers=table.answers[:students]
    )


def test_sources_are_what_the_error_of_a_margin_is_made_of() -> None:
    for ours, theirs in combinations(_kind(np.random.default_rng(3), [0.0, 0.01, 0.02], 4), 2):
        found = sources(ours, theirs, MACRO)
        of_students = sum(part.variance / 4 for part in found.students)
        in_both = sum(part / 4 for part in found.at_places)
        whole = max(found.places + of_students, found.places + in_both, of_students)
        assert margin(ours, theirs, MACRO).error ** 2 == pytest.approx(whole)
