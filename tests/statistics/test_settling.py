"""What would tell two recipes apart: more students where seeds blur them, more places where places do."""

import re
from dataclasses import replace
from statistics import NormalDist

import numpy as np
import pytest

from asc_experiments.metrics import value_in_words
from asc_experiments.statistics import Evidence, margin
from asc_experiments.statistics.settling import NO_SIGN, power, settling_in_words, what_settles
from asc_experiments.statistics.wording import clips_in_words, margin_in_words

SCENES = ("airport", "bus")
IF_TRUE = (
    ", for such a difference to show in four of five studies, if the true difference is as large as it looks, which "
    "flatters it"
)


def evidence(seed: int, accuracies: list[float], places: int = 40, hard: float = 0.0) -> Evidence:
    """Students of these accuracies; ``hard`` says how much each place differs, alike for the students of one recipe."""
    rng = np.random.default_rng(seed)
    place = np.arange(places).repeat(60)
    labels = place % 2
    of_place = hard * rng.normal(size=places)[place]
    logits = [np.eye(2)[np.where(rng.random(len(place)) < each + of_place, labels, 1 - labels)] for each in accuracies]
    names = [f"place{number}" for number in place]
    return Evidence.of(logits, labels, ["a"] * len(place), names, {"a": "real"}, SCENES)


def numbers(text: str) -> list[int]:
    return [int(found.replace(",", "")) for found in re.findall(r"\d[\d,]*", text)]


def test_where_seeds_blur_it_more_students_settle_it() -> None:
    ours, theirs = evidence(0, [0.6, 0.7, 0.8]), evidence(1, [0.50, 0.60, 0.70])
    found = margin(ours, theirs, "accuracy/overall")
    assert found.is_open
    said = what_settles(ours, theirs, found)
    assert re.fullmatch(rf"about [\d,]+ students on each side instead of 3{IF_TRUE}", said)
    assert numbers(said)[0] > 3


def test_where_places_blur_it_more_of_them_are_needed_and_the_formula_of_errors_says_how_many() -> None:
    ours, theirs = evidence(0, [0.70, 0.70], hard=0.1), evidence(5, [0.68, 0.68], hard=0.1)
    found = margin(ours, theirs, "accuracy/overall")
    assert found.is_open
    said = what_settles(ours, theirs, found)
    assert "test places instead of 40" in said
    assert said.endswith(IF_TRUE)
    assert numbers(said)[0] == pytest.approx(40 * ((1.96 + 0.84) * found.error / found.value) ** 2, rel=0.01)


@pytest.mark.parametrize("comparisons", [1, 6])
def test_so_many_places_tell_a_difference_that_is_there_in_four_of_five_studies(comparisons: int) -> None:
    ours, theirs = evidence(0, [0.70, 0.70], hard=0.1), evidence(5, [0.68, 0.68], hard=0.1)
    found = margin(ours, theirs, "accuracy/overall", comparisons)
    places = numbers(what_settles(ours, theirs, found))[0]
    error = found.error * (found.places / places) ** 0.5
    drawn = np.random.default_rng(0).normal(found.value, error, 100_000)
    reach = NormalDist().inv_cdf(1 - 0.05 / (2 * comparisons)) * error
    assert float(np.mean(np.abs(drawn) > reach)) == pytest.approx(0.8, abs=0.01)


def test_what_is_below_one_standard_error_is_no_sign_of_a_difference_and_gets_no_numbers() -> None:
    ours, theirs = evidence(0, [0.70, 0.72], hard=0.1), evidence(5, [0.70, 0.71], hard=0.1)
    found = margin(ours, theirs, "accuracy/overall")
    near = replace(found, value=0.9 * found.error)
    assert what_settles(ours, theirs, near) == NO_SIGN
    assert not numbers(NO_SIGN)
    assert (
        settling_in_words("To settle it", NO_SIGN)
        == "A difference smaller than its standard error: too imprecise to plan from."
    )
    assert settling_in_words("To settle it", "more students") == "To settle it: more students."


def test_what_is_apart_needs_nothing_and_what_is_not_known_needs_students_or_places() -> None:
    able, weak = evidence(0, [0.9, 0.9]), evidence(1, [0.6, 0.6])
    assert what_settles(able, weak, margin(able, weak, "accuracy/macro")) == ""
    one = evidence(2, [0.9])
    assert what_settles(one, weak, margin(one, weak, "accuracy/macro")) == "at least two students on each side"
    at_one = [evidence(seed, [0.6, 0.7], places=1) for seed in (0, 1)]
    assert what_settles(*at_one, margin(*at_one, "accuracy/overall")) == "test clips of more than one place"
    assert "equally well" in what_settles(able, able, margin(able, able, "accuracy/macro"))


def test_margins_and_clips_are_said_in_points_and_places() -> None:
    able, weak = evidence(0, [0.9, 0.9]), evidence(1, [0.6, 0.6])
    assert clips_in_words(able, "accuracy/macro") == "2,400 test clips of 40 places"
    said = margin_in_words(margin(able, weak, "accuracy/macro", comparisons=3))
    assert re.fullmatch(r"\+\d+\.\d points, 95 % interval \[\+\d+\.\d, \+\d+\.\d\], widened for 3 comparisons", said)
    one = evidence(2, [0.9])
    assert margin_in_words(margin(one, weak, "accuracy/macro")).endswith("noise is not known with one seed")
    assert value_in_words("accuracy/macro", 0.125) == "12.5 %"
    assert value_in_words("loss/overall", 0.125) == "0.1250"


@pytest.mark.parametrize(("students", "shown"), [(3, 0.26), (5, 0.61), (7, 0.85)])
def test_power_is_that_of_the_interval_by_which_recipes_are_compared(students: int, shown: float) -> None:
    """Recounted by a simulation of somebody else's, with these deviations and a difference of 6.83 points."""
    assert power(0.0683, [0.0423**2, 0.0153**2], 0.0, students, comparisons=2) == pytest.approx(shown, abs=0.03)


def test_so_many_students_tell_a_difference_that_is_there_in_four_of_five_studies() -> None:
    ours, theirs = evidence(0, [0.6, 0.7, 0.8]), evidence(1, [0.50, 0.60, 0.70])
    found = margin(ours, theirs, "accuracy/overall")
    needed = numbers(what_settles(ours, theirs, found))[0]
    rng, shown = np.random.default_rng(1), 0
    for study in range(200):
        sides = [rng.normal(mean, 0.1, needed).clip(0, 1).tolist() for mean in (0.6 + found.value, 0.6)]
        drawn = margin(*(evidence(1_000 + 2 * study + n, each) for n, each in enumerate(sides)), "accuracy/overall")
        shown += drawn.is_better
    assert 0.7 <= shown / 200 <= 0.95
