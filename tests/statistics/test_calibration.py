"""The simulation behind ``make calibrate``: its folds have the true numbers, its students the true accuracies."""

import numpy as np
import pytest

from asc_experiments.statistics import margin
from asc_experiments.statistics.calibration.__main__ import main
from asc_experiments.statistics.calibration.folds import DEVICES, Fold, small, tau22
from asc_experiments.statistics.calibration.guesses import GuessJob
from asc_experiments.statistics.calibration.pairs import METRICS, Pairs, PairsJob
from asc_experiments.statistics.calibration.searches import WAYS, SearchJob
from asc_experiments.statistics.calibration.students import ACCURACY, Recipes, World, evidence
from asc_experiments.statistics.calibration.tables import simulations

WORLD = World(seed=1.9, recipe_place=4.0)


def test_tau22s_test_fold_has_its_true_numbers() -> None:
    fold = tau22()
    clips = fold.summed(np.full(len(fold.device_of), fold.clips_each))
    assert (len(fold.scene_of), len(fold.scenes), len(fold.place_of)) == (146, 10, 2064)
    assert len(fold.device_of) == 2968
    assert dict(zip(DEVICES, clips.sum(axis=0).tolist(), strict=True)) == {
        **dict.fromkeys(("a", "s1", "s2", "s3", "s4", "s5", "s6"), 3300),
        **dict.fromkeys(("b", "c"), 3290),
    }


@pytest.mark.parametrize("fold", [tau22(), small(), small(70)], ids=lambda fold: fold.name)
def test_every_segment_is_recorded_and_by_no_device_twice(fold: Fold) -> None:
    assert set(fold.segment_of.tolist()) == set(range(len(fold.place_of)))
    assert len(set(zip(fold.segment_of.tolist(), fold.device_of.tolist(), strict=True))) == len(fold.device_of)
    assert (np.diff(fold.cell_of) >= 0).all()


def test_expected_accuracies_are_those_asked_for_whatever_the_effects() -> None:
    reached = []
    for number in range(60):
        rng = np.random.default_rng(number)
        recipes = Recipes.draw(small(), WORLD, (0.0, 5.0), rng)
        right = recipes.answers(recipes.luck(5, rng), rng)
        reached.append([evidence(small(), each).measure("accuracy/overall").mean() for each in right])
    overall, better = 100 * np.mean(reached, axis=0)
    assert overall == pytest.approx(np.mean(ACCURACY), abs=1.0)
    assert better - overall == pytest.approx(5.0, abs=0.5)


def test_students_scatter_as_they_are_told() -> None:
    rng = np.random.default_rng(0)
    recipes = Recipes.draw(tau22(), World(seed=3.0), (0.0,), rng)
    values = evidence(tau22(), recipes.answers(recipes.luck(60, rng), rng)[0]).measure("accuracy/overall")
    assert 100 * values.std(ddof=1) == pytest.approx(3.0, abs=0.9)


def test_intervals_hold_and_equal_challengers_stay() -> None:
    found = PairsJob(small(), WORLD, (2, 3), METRICS, range(60))()
    assert (found.holds() >= 0.88).all()
    assert (found.better() <= 0.10).all()
    assert (found.better(by=0.3)[:3, 1] >= 0.9).all()  # of accuracies, by three students
    missed_by_seeds_alone = found.earlier[:, 0, 0, 0].mean()
    assert missed_by_seeds_alone > 1 - found.holds()[1, 0]


def test_adding_a_difference_is_simulating_it() -> None:
    """Power is read off comparisons of equals: recipes that truly differ by five points are found as often."""
    simulated = []
    for number in range(60):
        rng = np.random.default_rng(number)
        recipes = Recipes.draw(small(), WORLD, (5.0, 0.0), rng)
        tables = [evidence(small(), each) for each in recipes.answers(recipes.luck(3, rng), rng)]
        simulated.append(margin(tables[0], tables[1], "accuracy/macro").is_better)
    added = PairsJob(small(), WORLD, (3,), ("accuracy/macro",), range(60))().better(by=0.05)
    assert added.item() == pytest.approx(np.mean(simulated), abs=0.2)


def test_parts_of_a_simulation_are_the_whole() -> None:
    whole = PairsJob(small(), WORLD, (2,), METRICS[:1], range(6))()
    parts = [PairsJob(small(), WORLD, (2,), METRICS[:1], numbers)() for numbers in (range(4), range(4, 6))]
    joined = Pairs.joined(parts)
    assert (joined.low == whole.low).all()
    assert (joined.earlier == whole.earlier).all()


def test_winner_among_equals_is_rarely_better_where_its_choice_is_allowed_for() -> None:
    rates = dict(zip(WAYS, SearchJob(small(), WORLD, 20, range(25))().mean(axis=0), strict=True))
    assert rates.pop("uncorrected, chosen on the test fold") >= 0.12
    assert max(rates[way] for way in WAYS[:4]) <= 0.12


def test_guessing_is_not_called_learning_and_knowing_is() -> None:
    guessing, knowing = (GuessJob(small(), above, 1, 10.0, range(60))().mean() for above in (0.0, 0.15))
    assert guessing <= 0.10
    assert knowing >= 0.9


def test_processes_change_nothing() -> None:
    rates = []
    for workers in (1, 2):
        with simulations(41, workers) as simulated:
            rates.append(simulated.rate(Guessing()))
    assert rates[0] == rates[1]


class Guessing:
    """What simulates a part, in a form that other processes understand."""

    def __call__(self, numbers: range) -> GuessJob:
        return GuessJob(small(), 0.05, 1, 10.0, numbers)


def test_tables_are_markdown(capsys: pytest.CaptureFixture[str]) -> None:
    main(["--repetitions", "2", "--workers", "1", "--only", "chance"])
    title, empty, *table = capsys.readouterr().out.rstrip().split("\n")
    assert title.startswith("**How often")
    assert empty == ""
    assert len({row.count("|") for row in table}) == 1
    assert len(table) == 2 + 2 * 2 * 2
