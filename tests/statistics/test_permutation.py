"""What goes with better students is told from the luck of the teachers that trials share."""

from collections.abc import Callable, Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import rankdata, spearmanr

from asc_experiments.statistics.luck import ranks
from asc_experiments.statistics.members import Floats, Members
from asc_experiments.statistics.permutation import FEWEST, Effect, Row, judge


def only(row: Row, target: Floats, members: Sequence[Sequence[int]]) -> Effect:
    """The effect of a single row on a single target."""
    found = judge([row], [target], members)[0][0]
    assert found is not None
    return found


def alone(n: int) -> list[list[int]]:
    """As many trials, each with a teacher of its own."""
    return [[place] for place in range(n)]


def of_one(teachers: int, trials: int) -> list[list[int]]:
    """Trials with one teacher each, all teachers as often."""
    return [[place % teachers] for place in range(trials)]


def halves(teachers: int) -> Floats:
    """A property that half of the teachers have."""
    return (np.arange(teachers) < teachers / 2).astype(float)


@given(st.lists(st.integers(0, 5), min_size=2, max_size=12))
def test_ranks_are_those_of_scipy_also_with_ties(values: list[int]) -> None:
    assert ranks(np.array([values], dtype=float))[0] == pytest.approx(rankdata(values) - 1)


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(1, 4)), min_size=2, max_size=8))
def test_ranks_of_what_is_there_several_times_are_those_of_the_whole_list(values: list[tuple[int, int]]) -> None:
    once, counts = (np.array(each, dtype=float) for each in zip(*values, strict=True))
    whole = np.repeat(once, counts.astype(int))
    expected = ranks(whole[None])[0][np.cumsum(counts.astype(int)) - 1]
    assert ranks(once[None], counts)[0] == pytest.approx(expected)


def test_value_of_a_setting_is_spearmans_correlation() -> None:
    x, y = np.array([1.0, 2, 2, 3, 5, 8, 8, 9, 10]), np.array([0.1, 0.3, 0.2, 0.2, 0.6, 0.5, 0.9, 0.8, 0.8])
    assert only(Row(x, "ensembles"), y, alone(9)).value == pytest.approx(spearmanr(x, y).statistic)


def test_value_of_a_category_is_the_difference_of_means() -> None:
    x, y = halves(12), np.arange(12.0)
    found = only(Row(x, "members", is_category=True, of_units=x, aggregate="any"), y, alone(12))
    assert found.value == pytest.approx(2.5 - 8.5)
    assert found.sizes == (6, 6)
    assert found.units == 12
    assert found.luck_low is not None
    assert found.luck_high is not None
    assert found.value < found.luck_low < 0 < found.luck_high
    assert found.is_clear


def test_teacher_that_was_used_often_does_not_outweigh_the_others() -> None:
    """Of four teachers with a property, the one with 40 trials is worth 9 and the others 0."""
    members = [[0]] * 40 + [[place] for place in range(1, 8)]
    property_of = halves(8)
    x = np.array([property_of[each[0]] for each in members])
    y = np.array([9.0 if each == [0] else 0.0 for each in members])
    found = only(Row(x, "members", is_category=True, of_units=property_of), y, members)
    assert 2 < found.value < 4.5, "9 / 4, or near it, rather than 8.4"
    assert not found.is_clear, "and one lucky teacher is not a property"


@pytest.mark.parametrize("n", [2, 0])
def test_too_few_trials_have_nothing_to_compare(n: int) -> None:
    assert judge([Row(np.arange(float(n)), "ensembles")], [np.arange(float(n))], alone(n)) == [[None]]


def test_what_does_not_vary_has_no_effect() -> None:
    assert judge([Row(np.ones(9), "ensembles")], [np.arange(9.0)], alone(9)) == [[None]]
    assert judge([Row(np.arange(9.0), "ensembles")], [np.ones(9)], alone(9)) == [[None]]


def test_too_few_trials_get_no_verdict() -> None:
    n = FEWEST - 1
    found = only(Row(np.arange(float(n)), "ensembles"), np.arange(float(n)), alone(n))
    assert (found.too_few, found.p, found.luck_low, found.is_clear) == ("trials", None, None, False)


@pytest.mark.parametrize("teachers", [2, 4, 6])
def test_property_of_half_of_a_few_teachers_gets_no_verdict_however_many_trials_there_are(teachers: int) -> None:
    members, x = of_one(teachers, 60), halves(teachers)
    values = np.array([x[each[0]] for each in members])
    y = 100 * values + np.arange(60) / 60
    found = only(Row(values, "members", is_category=True, of_units=x), y, members)
    assert (found.too_few, found.p) == ("teachers", None), "one of at most 20 ways to part them"


def test_unknown_values_leave_their_trials_out() -> None:
    x = np.arange(20.0)
    x[[3, 7]] = np.nan
    y = np.arange(20.0)
    y[5] = np.nan
    assert only(Row(x, "ensembles"), y, alone(20)).n == 17


def test_trials_without_teachers_count_for_having_teachers_at_all_alone() -> None:
    members = [*of_one(8, 24), *[[] for _ in range(6)]]
    taught = np.array([float(len(each) > 0) for each in members])
    y = np.where(taught > 0, 5.0, 0.0) + np.tile([0.1, -0.1], 15)
    rows = [Row(taught, "taught", is_category=True), Row(np.arange(30.0), "ensembles")]
    (having, _), (setting, _) = judge(rows, [y, y], members)
    assert having is not None
    assert having.value == pytest.approx(5.0, abs=0.1)
    assert having.is_clear
    assert having.sizes == (24, 6)
    assert setting is not None
    assert setting.n == 24


def test_one_good_teacher_does_not_show_that_teachers_help() -> None:
    members = [*[[0]] * 24, *[[] for _ in range(6)]]
    taught = np.array([float(len(each) > 0) for each in members])
    y = np.where(taught > 0, 5.0, 0.0) + np.tile([0.1, -0.1], 15)
    found = only(Row(taught, "taught", is_category=True), y, members)
    assert not found.is_clear


def test_one_trial_without_teachers_is_too_few_to_compare_with() -> None:
    members = [*of_one(8, 24), []]
    taught = np.array([float(len(each) > 0) for each in members])
    assert only(Row(taught, "taught", is_category=True), np.arange(25.0), members).too_few == "trials"


def test_held_setting_takes_its_part_of_what_goes_with_it() -> None:
    rng = np.random.default_rng(0)
    width = rng.integers(3, size=60).astype(float)
    x = width + rng.normal(scale=0.3, size=60)
    y = 3 * width + rng.normal(size=60)
    members = of_one(10, 60)
    assert only(Row(x, "ensembles"), y, members).is_clear
    assert not only(Row(x, "ensembles", held=width[:, None]), y, members).is_clear
    assert judge([Row(width, "ensembles", held=ranks(width[None]).T)], [y], members) == [[None]], "all of it is held"


def test_settings_are_not_held_where_there_are_too_few_trials_for_them() -> None:
    x, y = np.arange(9.0), np.array([2.0, 1, 4, 3, 6, 5, 8, 7, 9])
    held = np.random.default_rng(0).normal(size=(9, 4))
    assert only(Row(x, "ensembles", held=held), y, alone(9)) == only(Row(x, "ensembles"), y, alone(9))


def test_more_rows_need_a_stronger_effect() -> None:
    rng = np.random.default_rng(3)
    y = rng.normal(size=40)
    rows = [
        Row(y + rng.normal(scale=2.2, size=40), "ensembles"),
        *(Row(rng.normal(size=40), "ensembles") for _ in range(20)),
    ]
    single, together = judge(rows[:1], [y], alone(40))[0][0], judge(rows, [y], alone(40))[0][0]
    assert single is not None
    assert together is not None
    assert single.value == together.value
    assert single.p is not None
    assert together.p is not None
    assert single.p < together.p


def test_opposite_target_has_the_opposite_effect() -> None:
    rng = np.random.default_rng(1)
    members = [sorted(rng.choice(9, size=int(rng.integers(1, 4)), replace=False).tolist()) for _ in range(40)]
    of_units, y = rng.normal(size=9), rng.normal(size=40)
    x = np.array([of_units[each].mean() for each in members])
    row = Row(x, "members", of_units=of_units)
    one, other = only(row, y, members), only(row, -y, members)
    assert one.value == pytest.approx(-other.value)
    assert one.p == pytest.approx(other.p, abs=0.03)


def test_same_trials_give_the_same_verdict() -> None:
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=40), rng.normal(size=40)
    assert only(Row(x, "ensembles"), y, of_one(8, 40)) == only(Row(x, "ensembles"), y, of_one(8, 40))


@pytest.mark.parametrize(
    ("how", "expected"),
    [("mean", [2.0, 2.0, 7.0]), ("any", [2.0, 3.0, 7.0]), ("every", [2.0, 1.0, 7.0]), ("several", [0.0, 1.0, 0.0])],
)
def test_value_of_an_ensemble_is_made_of_its_members(how: str, expected: list[float]) -> None:
    members = Members([[1], [], [0, 2], [3, 3], [1]])
    found = members.aggregate(np.array([[1.0, 2.0, 3.0, 7.0]]), how)  # type: ignore[arg-type]
    assert found.tolist() == [expected]
    assert found[0][members.ensemble].tolist()[-1] == expected[0], "trials of one ensemble share its value"


Simulated = Callable[[np.random.Generator, list[list[int]], Floats], Row]


def property_row(rng: np.random.Generator, members: list[list[int]], luck: Floats) -> Row:
    """A category that half of the teachers have, whatever their luck."""
    of_units = rng.permutation(halves(len(luck)))
    values = np.array([of_units[each].max() for each in members])
    return Row(values, "members", is_category=True, of_units=of_units, aggregate="any")


def number_row(rng: np.random.Generator, members: list[list[int]], luck: Floats) -> Row:
    """A mean over members, whatever their luck."""
    of_units = rng.normal(size=len(luck))
    return Row(np.array([of_units[each].mean() for each in members]), "members", of_units=of_units)


def ensemble_row(rng: np.random.Generator, members: list[list[int]], luck: Floats) -> Row:
    """A measure of the whole ensemble: something of its members, something of its size, something of its own."""
    of_units, own = rng.normal(size=len(luck)), {tuple(each): rng.normal(scale=0.3) for each in members}
    return Row(np.array([of_units[e].mean() + 0.3 * len(e) + own[tuple(e)] for e in members]), "ensembles")


def setting_row(rng: np.random.Generator, members: list[list[int]], luck: Floats) -> Row:
    """A setting that is larger in trials of better teachers, as where a sampler has found both."""
    return Row(np.array([luck[each].mean() for each in members]) + rng.normal(size=len(members)), "settings")


@pytest.mark.parametrize("teachers", [4, 12])
@pytest.mark.parametrize("trials", [12, 60])
@pytest.mark.parametrize("make", [property_row, number_row, ensemble_row, setting_row])
def test_luck_of_shared_teachers_looks_like_an_effect_in_few_studies(
    teachers: int, trials: int, make: Simulated
) -> None:
    """Treating the trials as independent, as once was done, calls 15 to 60 % of these clear at 60 trials."""
    clear, studies = 0, 120
    for number in range(studies):
        rng = np.random.default_rng([number, teachers, trials])
        luck = rng.normal(size=teachers)
        members = [rng.choice(teachers, size=int(rng.integers(1, 3)), replace=False).tolist() for _ in range(trials)]
        y = np.array([luck[each].mean() for each in members]) + rng.normal(scale=0.5, size=trials)
        found = judge([make(rng, members, luck)], [y], members)[0][0]
        clear += found is not None and found.is_clear
    assert clear <= 0.07 * studies + 5, "5 % and the error of 120 studies"


def test_effect_of_three_standard_deviations_of_luck_is_found_with_twelve_teachers() -> None:
    clear = 0
    for number in range(40):
        rng = np.random.default_rng(number)
        has = rng.permutation(halves(12))
        worth = rng.normal(size=12) + 3 * has
        members = of_one(12, 36)
        y = np.array([worth[each[0]] for each in members]) + rng.normal(scale=0.7, size=36)
        x = np.array([has[each[0]] for each in members])
        clear += only(Row(x, "members", is_category=True, of_units=has), y, members).is_clear
    assert clear >= 36
