"""Tests are found where the tiers look for them: one that was renamed would leave its tier in silence."""

import re

import pytest

from tests.tiers import SAMPLE, SLOW_TIERS, TESTS, UNIT, is_in


@pytest.mark.parametrize("place", [*SAMPLE, *UNIT, *(place for places in SLOW_TIERS.values() for place in places)])
def test_place_of_a_tier_exists(place: str) -> None:
    path, _, name = place.partition("::")
    assert (TESTS / path).exists()
    assert not name or re.search(rf"^def {name}\(", (TESTS / path).read_text(), re.M)


@pytest.mark.parametrize("place", SAMPLE)
def test_sample_is_of_a_slow_tier(place: str) -> None:
    assert any(is_in(place, places) for places in SLOW_TIERS.values())


@pytest.mark.parametrize(
    ("test", "is_there"),
    [
        ("faults/test_disk.py::test_x[1]", True),
        ("faultsome/test_disk.py::test_x", False),
        ("cli/test_a.py::t[1]", True),
    ],
)
def test_test_lies_in_a_folder_a_file_or_is_one_itself(test: str, is_there: bool) -> None:
    assert is_in(test, ("faults", "cli/test_a.py::t")) == is_there
