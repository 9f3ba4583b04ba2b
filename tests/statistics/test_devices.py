"""Whether devices differ by more than the noise of their clips."""

import numpy as np
import pytest

from asc_experiments.statistics.devices import between_devices, extremes, heard_less_unseen, shares_places
from asc_experiments.statistics.wording import unseen_in_words
from tests.report.made import made_evidence

EVEN = dict.fromkeys(("a", "b", "s1"), 0.5)
GROUPS = {"a": "real", "b": "real", "s1": "seen"}


def test_difference_of_two_devices_is_that_of_their_accuracies() -> None:
    table = made_evidence([EVEN | {"a": 0.7}, EVEN | {"a": 0.71}], group_of=GROUPS)
    found = between_devices(table, "a", "s1")
    assert found.value == pytest.approx(0.205, abs=0.001)
    assert found.is_better
    assert between_devices(table, "s1", "a").value == pytest.approx(-found.value)


def test_highest_and_lowest_device_are_apart_only_by_more_than_noise() -> None:
    uneven = extremes(made_evidence([EVEN | {"a": 0.7, "s1": 0.4}] * 2, group_of=GROUPS))
    assert uneven is not None
    assert uneven[:2] == ("a", "s1")
    assert uneven[2].is_better
    assert uneven[2].comparisons == 3
    rng = np.random.default_rng(0)
    table = made_evidence([EVEN], clips=10, group_of=GROUPS)
    table.correct[:] = rng.binomial(10, 0.5, table.correct.shape)
    even = extremes(table)
    assert even is not None
    assert even[2].is_open


def test_one_device_and_one_place_tell_nothing() -> None:
    assert extremes(made_evidence([0.5], group_of={"a": "real"})) is None
    assert between_devices(made_evidence([EVEN], places=1, group_of=GROUPS), "a", "b").unknown


def test_devices_of_equal_students_are_called_apart_in_at_most_as_many_studies_as_said() -> None:
    apart = 0
    for seed in range(200):
        rng = np.random.default_rng(seed)
        table = made_evidence([EVEN], places=30, clips=20, group_of=GROUPS)
        table.correct[:] = rng.binomial(20, 0.5, table.correct.shape)
        found = extremes(table)
        apart += found is not None and found[2].is_better
    assert apart / 200 <= 0.05


HEARD = {"a": "real", "b": "real", "s1": "seen", "s4": "unseen", "s5": "held_out"}


def test_heard_devices_less_unseen_ones_is_one_comparison_of_two_sets() -> None:
    even = dict.fromkeys(HEARD, 0.6)
    table = made_evidence([even | {"s4": 0.5, "s5": 0.1}, even | {"s4": 0.51, "s5": 0.1}], group_of=HEARD)
    found = heard_less_unseen(table)
    assert found is not None
    assert (found.value, found.comparisons) == (pytest.approx(0.095, abs=0.001), 1)
    assert found.is_better
    said = unseen_in_words(table)
    assert said.startswith("Devices heard in training less unseen ones: +9.5 points, 95 % interval")
    assert said.endswith("unseen devices are harder.")


def test_even_students_do_not_show_that_unseen_devices_are_harder() -> None:
    rng = np.random.default_rng(3)
    table = made_evidence([dict.fromkeys(HEARD, 0.5)] * 3, clips=10, group_of=HEARD)
    table.correct[:] = rng.binomial(10, 0.5, table.correct.shape)
    assert unseen_in_words(table).endswith("whether unseen devices are harder is not shown.")


def test_clips_of_heard_devices_alone_cannot_ask_it() -> None:
    table = made_evidence([EVEN], group_of=GROUPS)
    assert heard_less_unseen(table) is None
    assert unseen_in_words(table) == ""


def test_devices_share_places_where_both_recorded_one() -> None:
    table = made_evidence([EVEN], places=4, group_of=GROUPS)
    assert shares_places(table, "a", "s1")
    table.clips[:2, 0], table.clips[2:, 2] = 0, 0
    assert not shares_places(table, "a", "s1")
