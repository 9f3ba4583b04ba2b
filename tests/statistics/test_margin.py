"""Differences between recipes and how sure they are: over places and over students."""

import math
from dataclasses import replace

import numpy as np
import pytest

from asc_experiments.statistics import Evidence, Part, dg_floor, learning_of, level, margin, paired
from asc_experiments.statistics.settling import what_settles
from asc_experiments.statistics.wording import margin_in_words

SCENES = ("airport", "bus", "park")
DEVICES = ("a", "s4")
GROUPS = {"a": "real", "s4": "unseen"}


def evidence(
    rng: np.random.Generator,
    accuracies: list[float],
    places: int = 30,
    clips: int = 20,
    spread: float = 0.0,
    hard: np.ndarray | None = None,
) -> Evidence:
    """Students of these accuracies, on ``clips`` clips of each place and device.

    Args:
        spread: by how much each student's accuracy differs from place to place, besides ``hard``.
        hard: how much harder each place is for all students alike.
    """
    place = np.arange(places).repeat(clips * len(DEVICES))
    devices = np.array(DEVICES * (places * clips))
    labels = place % len(SCENES)
    names = np.array([f"place{number}" for number in place])
    logits = []
    for accuracy in accuracies:
        of_place = accuracy + spread * rng.normal(size=places) - (0 if hard is None else hard)
        right = rng.random(len(place)) < np.clip(of_place, 0, 1)[place]
        answers = np.where(right, labels, (labels + 1) % len(SCENES))
        logits.append(3.0 * np.eye(len(SCENES))[answers])
    return Evidence.of(logits, labels, devices, names, GROUPS, SCENES)


def test_value_is_the_difference_of_means_over_students_and_swaps_its_sign() -> None:
    rng = np.random.default_rng(0)
    ours, theirs = evidence(rng, [0.7, 0.7, 0.7]), evidence(rng, [0.4, 0.4])
    found, swapped = margin(ours, theirs, "accuracy/macro"), margin(theirs, ours, "accuracy/macro")
    means = [table.measure("accuracy/macro").mean() for table in (ours, theirs)]
    assert found.value == pytest.approx(means[0] - means[1])
    assert (swapped.low, swapped.high) == pytest.approx((-found.high, -found.low))
    assert found.is_better
    assert swapped.is_worse
    assert found.students == (3, 2)
    assert found.places == 30


def test_one_student_on_a_side_is_not_known() -> None:
    rng = np.random.default_rng(0)
    one, two = evidence(rng, [0.9]), evidence(rng, [0.3, 0.3])
    for found in (margin(one, two, "accuracy/macro"), margin(two, one, "accuracy/macro")):
        assert found.unknown == "not known with one seed"
        assert found.is_open
        assert not found.is_better
        assert not found.is_worse
        assert abs(found.value) > 0.4
        assert math.isnan(found.error)


def test_one_place_and_other_clips_are_not_known() -> None:
    rng = np.random.default_rng(0)
    at_one = [evidence(rng, [0.6, 0.7], places=1) for _ in range(2)]
    assert margin(*at_one, "accuracy/overall").unknown == "not known from one place"
    others = margin(evidence(rng, [0.6, 0.7], places=4), evidence(rng, [0.6, 0.7], places=5), "accuracy/overall")
    assert others.unknown == "other clips were asked"


def test_scatter_between_seeds_widens_the_interval() -> None:
    rng = np.random.default_rng(0)
    theirs = evidence(rng, [0.5, 0.5, 0.5])
    steady, unsteady = evidence(rng, [0.6, 0.6, 0.6]), evidence(rng, [0.5, 0.6, 0.7])
    assert margin(steady, theirs, "accuracy/macro").is_better
    assert margin(unsteady, theirs, "accuracy/macro").is_open


def test_fixed_students_leave_out_the_error_of_seeds() -> None:
    rng = np.random.default_rng(0)
    theirs, unsteady = evidence(rng, [0.5, 0.5, 0.5]), evidence(rng, [0.5, 0.6, 0.7])
    of_recipes = margin(unsteady, theirs, "accuracy/macro")
    of_networks = margin(unsteady, theirs, "accuracy/macro", fixed_students=True)
    assert of_networks.value == of_recipes.value
    assert of_networks.error < 0.5 * of_recipes.error
    assert of_networks.is_better
    assert of_recipes.is_open


def test_clips_of_one_place_are_no_independent_evidence() -> None:
    """A recipe that is better at three places of thirty, with ever so many clips of each, is not shown to be better."""
    rng = np.random.default_rng(0)
    at_three = np.where(np.arange(30) < 3, -0.4, 0.0)
    ours, theirs = evidence(rng, [0.5] * 5, clips=400, hard=at_three), evidence(rng, [0.5] * 5, clips=400)
    found = margin(ours, theirs, "accuracy/overall")
    assert found.value > 0.03
    assert found.is_open


def test_places_that_are_hard_for_both_do_not_blur_their_difference() -> None:
    rng = np.random.default_rng(0)
    hard = 0.3 * rng.random(30)
    ours, theirs = (evidence(rng, [accuracy] * 3, clips=100, hard=hard) for accuracy in (0.72, 0.68))
    assert margin(ours, theirs, "accuracy/overall").is_better
    assert level(ours, "accuracy/overall").error > 2 * margin(ours, theirs, "accuracy/overall").error


def test_lower_is_better_for_losses_and_dg() -> None:
    rng = np.random.default_rng(0)
    ours, theirs = evidence(rng, [0.8] * 3), evidence(rng, [0.4] * 3)
    assert margin(ours, theirs, "loss/overall").is_better
    assert margin(theirs, ours, "loss/overall").is_worse
    assert margin(ours, theirs, "device_generalization").is_open


def test_the_more_were_picked_from_the_wider_the_interval() -> None:
    rng = np.random.default_rng(0)
    pair = evidence(rng, [0.6, 0.62, 0.61]), evidence(rng, [0.55, 0.57, 0.56])
    widths = [found.high - found.low for n in (1, 3, 20) if (found := margin(*pair, "accuracy/macro", comparisons=n))]
    assert widths == sorted(widths)
    assert widths[0] < widths[-1]


def test_scene_with_a_single_place_is_no_stratum_of_its_own() -> None:
    rng = np.random.default_rng(0)
    ours, theirs = evidence(rng, [0.7, 0.7], places=5), evidence(rng, [0.5, 0.5], places=5)  # 2, 2 and 1 of a scene
    found = margin(ours, theirs, "accuracy/macro")
    assert found.is_known
    assert np.isfinite([found.low, found.high]).all()


@pytest.mark.parametrize("seed_deviation", [0.0, 0.02])
def test_interval_holds_the_truth_as_often_as_it_says(seed_deviation: float) -> None:
    held, simulations = 0, 200
    for number in range(simulations):
        rng = np.random.default_rng(number)
        hard = 0.15 * rng.normal(size=24)
        mine, others = 0.6 + seed_deviation * rng.normal(size=3), 0.5 + seed_deviation * rng.normal(size=3)
        ours = evidence(rng, mine.tolist(), 24, 10, spread=0.05, hard=hard)
        theirs = evidence(rng, others.tolist(), 24, 10, spread=0.05, hard=hard)
        found = margin(ours, theirs, "accuracy/overall")
        held += found.low <= 0.1 <= found.high
    assert 0.91 <= held / simulations <= 1.0


def seeds_alone(rng: np.random.Generator, students: int, deviation: float) -> Evidence:
    """Students who differ by their luck and by nothing else: of so many clips at each place nothing is chance."""
    right = np.rint(1e6 * (0.5 + deviation * rng.normal(size=(students, 1, 1)))).astype(np.int64)
    return Evidence(
        places=tuple("abcdef"),
        scene_of=np.arange(6) % 3,
        scenes=SCENES,
        devices=("a",),
        groups=GROUPS,
        clips=np.full((6, 1), 1_000_000),
        correct=np.broadcast_to(right, (students, 6, 1)),
        loss=np.zeros((students, 6, 1)),
        answers=np.zeros((students, 3), dtype=np.int64),
    )


@pytest.mark.parametrize(("students", "deviations"), [((2, 10), (0.013, 0.013)), ((3, 10), (0.01, 0.019))])
def test_interval_holds_where_one_side_has_far_fewer_students(
    students: tuple[int, int], deviations: tuple[float, float]
) -> None:
    """Welch's interval alone misses in 10 % of all comparisons of two students with ten."""
    held, simulations = 0, 400
    rng = np.random.default_rng(0)
    for _ in range(simulations):
        sides = [seeds_alone(rng, *each) for each in zip(students, deviations, strict=True)]
        found = margin(sides[0], sides[1], "accuracy/overall")
        held += found.low <= 0 <= found.high
    assert 0.94 <= held / simulations <= 1.0


@pytest.mark.parametrize("metric", ["accuracy/overall", "accuracy/macro"])
def test_error_of_places_is_that_of_a_stratified_mean(metric: str) -> None:
    """Two places a scene, each with as many clips: the textbook's √(Σ (m/M)² s²/m) over scenes of m of M places."""
    rng = np.random.default_rng(0)
    table = replace(
        seeds_alone(rng, 2, 0.0), clips=np.full((6, 1), 100), correct=rng.integers(20, 90, (1, 6, 1)).repeat(2, axis=0)
    )
    shares = table.correct[0, :, 0] / 100
    of_scenes = [shares[table.scene_of == scene].var(ddof=1) / 2 / 9 for scene in range(3)]
    assert level(table, metric, fixed_students=True).error == pytest.approx(np.sqrt(sum(of_scenes)))


def test_what_these_students_happen_to_answer_at_these_places_counts_once() -> None:
    """Students alike, places alike, every answer a coin's: the error is that of so many coins, not of twice as many."""
    rng = np.random.default_rng(0)
    squares = []
    for _ in range(40):
        ours, theirs = (
            replace(
                seeds_alone(rng, 5, 0.0),
                clips=np.full((6, 1), 100),
                correct=rng.binomial(100, 0.6, (5, 6, 1)),
            )
            for _ in range(2)
        )
        squares.append(margin(ours, theirs, "accuracy/overall").error ** 2)
    assert np.mean(squares) == pytest.approx(2 * 0.6 * 0.4 / (5 * 600), rel=0.4)


def test_network_that_gives_one_answer_has_learned_nothing() -> None:
    labels = np.arange(60) % 3
    places = np.array([f"place{number}" for number in range(60)])
    table = Evidence.of([np.tile([0.0, 1.0, 0.0], (60, 1))], labels, ["a"] * 60, places, GROUPS, SCENES)
    found = learning_of(table)
    assert found.one_answer
    assert found.is_at_chance
    assert found.accuracy == pytest.approx(found.chance) == pytest.approx(1 / 3)
    assert found.favourites == ("bus",)


@pytest.mark.parametrize(("accuracy", "at_chance"), [(1 / 3, True), (0.36, True), (0.6, False)])
def test_accuracy_within_the_noise_of_guessing_is_at_chance(accuracy: float, at_chance: bool) -> None:
    rng = np.random.default_rng(1)
    found = learning_of(evidence(rng, [accuracy], places=30, clips=2))
    assert found.is_at_chance is at_chance
    assert not found.one_answer


def test_even_network_shows_the_dg_of_its_clips_luck() -> None:
    """With 60 independent clips a device and 88 % right, by simulation."""
    devices = np.array([f"d{number}" for number in range(9)]).repeat(60)
    labels, places = np.arange(540) % 3, np.array([f"place{number}" for number in range(540)])
    groups = dict.fromkeys(devices.tolist(), "real")
    seen, floors = [], []
    for seed in range(300):
        right = np.random.default_rng(seed).random(540) < 0.88
        logits = np.eye(3)[np.where(right, labels, (labels + 1) % 3)]
        table = Evidence.of([logits], labels, devices, places, groups, SCENES)
        seen.append(table.measure("device_generalization")[0])
        floors.append(dg_floor(table))
    assert np.mean(seen) == pytest.approx(np.mean(floors), rel=0.05)
    assert np.mean(floors) == pytest.approx(0.0383, abs=0.001)


@pytest.mark.parametrize("missing", [0.0, 0.3], ids=["all heard all", "some heard some"])
def test_devices_that_heard_the_same_places_differ_by_less(missing: float) -> None:
    """Places of 0 to 100 % accuracy, three clips a device: by permuting the devices within each place."""
    rng = np.random.default_rng(0)
    devices, places = (each.ravel().repeat(3) for each in np.meshgrid(np.arange(9), np.arange(27)))
    labels, accuracy = places % 3, rng.beta(0.5, 0.5, 27)
    right = rng.random(len(places)) < accuracy[places]
    logits = np.eye(3)[np.where(right, labels, (labels + 1) % 3)]
    keep = (rng.random((27, 9)) >= missing)[places, devices]
    names = [np.char.add("x", each[keep].astype(str)) for each in (devices, places)]
    table = Evidence.of([logits[keep]], labels[keep], *names, dict.fromkeys(names[0].tolist(), "real"), SCENES)
    rates, weights = table.correct[0] / np.maximum(table.clips, 1), table.clips / table.clips.sum(axis=0)
    seen = []
    for _ in range(2_000):
        dealt = rates.copy()
        for place, heard in enumerate(table.clips > 0):
            dealt[place, heard] = rng.permutation(rates[place, heard])
        seen.append(np.std((dealt * weights).sum(axis=0)))
    independent = np.sqrt(0.25 / table.clips.sum(axis=0).mean())
    assert dg_floor(table) == pytest.approx(np.mean(seen), rel=0.03)
    assert missing or dg_floor(table) < 0.75 * independent


def test_pairs_take_off_what_students_share_with_those_they_were_made_of() -> None:
    theirs = evidence(np.random.default_rng(0), [0.3, 0.5, 0.7, 0.9])
    answered = np.minimum(theirs.clips, theirs.correct + np.random.default_rng(1).integers(0, 4, theirs.correct.shape))
    ours = replace(theirs, correct=answered)
    pairs, apart = paired(ours, theirs, "accuracy/overall"), margin(ours, theirs, "accuracy/overall")
    assert pairs.value == pytest.approx(apart.value)
    assert pairs.is_better
    assert apart.is_open, "the students themselves differ by far more"
    swapped = paired(theirs, ours, "accuracy/overall")
    assert (swapped.low, swapped.high) == pytest.approx((-pairs.high, -pairs.low))


def test_pairs_that_answer_alike_differ_by_nothing() -> None:
    table = evidence(np.random.default_rng(0), [0.3, 0.6])
    for metric in ("accuracy/macro", "accuracy/device/a", "device_generalization"):
        found = paired(table, table, metric)
        assert (found.value, found.low, found.high, found.error) == (0, 0, 0, 0)


def test_one_pair_is_asked_only_how_it_does_at_other_places() -> None:
    theirs = evidence(np.random.default_rng(0), [0.5], spread=0.1)
    ours = evidence(np.random.default_rng(0), [0.6], spread=0.1)
    one = paired(ours, theirs, "accuracy/overall")
    assert one.is_known
    fixed = margin(ours, theirs, "accuracy/overall", fixed_students=True)
    assert (one.low, one.high) == pytest.approx((fixed.low, fixed.high))


def test_students_that_are_no_pairs_are_refused() -> None:
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match="2 students are no pairs of 3"):
        paired(evidence(rng, [0.5, 0.5]), evidence(rng, [0.5] * 3), "accuracy/overall")


def test_pairs_of_recipes_that_gain_nothing_are_rarely_found_better() -> None:
    rng, found = np.random.default_rng(0), []
    for _ in range(300):
        hard = rng.normal(0, 0.1, 30)
        accuracies = rng.normal(0.6, 0.05, 3)
        gains = rng.normal(0, 0.02, 3)  # what fine-tuning does to each student, nothing on average
        theirs = evidence(rng, list(accuracies), hard=hard)
        found.append(paired(evidence(rng, list(accuracies + gains), hard=hard), theirs, "accuracy/overall"))
    assert np.mean([not each.is_open for each in found]) < 0.08


def test_a_difference_by_rounding_alone_is_none() -> None:
    rng = np.random.default_rng(0)
    table = evidence(rng, [0.6])
    ours = replace(table, correct=np.repeat(table.clips[None] * 0.6, 2, axis=0))
    theirs = replace(ours, correct=ours.correct * (1 - 3e-16))
    found = margin(ours, theirs, "accuracy/overall")
    assert found.value != 0
    assert found.is_none
    assert found.has_no_noise
    assert found.is_open
    assert "not known: no place and no student differs" in margin_in_words(found)
    assert what_settles(ours, theirs, found) == "nothing: they do equally well here"


def test_the_spread_of_students_may_be_given_where_it_is_known_from_more() -> None:
    rng = np.random.default_rng(0)
    ours, theirs = evidence(rng, [0.6, 0.6]), evidence(rng, [0.5, 0.5])
    wide = margin(ours, theirs, "accuracy/macro", of_students=[Part(0.01, 20.0)])
    assert wide.error >= 0.1
    assert wide.high - wide.low > margin(ours, theirs, "accuracy/macro").high - wide.value
