"""Tests are found where the tiers look for them: one that was renamed would leave its tier in silence."""

import re

import pytest

from tests.tiers import SAMPLE, SLOW_TIERS, TESTS, UNIT, _long_ones, is_in


@pytest.mark.parametrize("place", [*SAMPLE, *UNIT, *(place for places in SLOW_TIERS.values() for place in places)])
def test_place_of_a_tier_exists(place: str) -> None:
    path, _, name = place.partition("::")
    assert (TESTS / path).exists()
    assert not name or re.search(rf"^def {name}\(", (TESTS / path).read_text(), re.M)


@pytest.mark.parametrize("place", SAMPLE)
def test_sample_is_of_a_slow_tier(place: str) -> None:
    assert any(is_in(place, places) for places in SLOW_TIERS.values())


def test_slow_tests_are_those_of_a_log_that_took_long() -> None:
    log = """
12.00s call     tests/cli/test_a.py::test_slow[1-x y]
2.00s call     tests/cli/test_a.py::test_slow[2]
9.00s setup    tests/cli/test_a.py::test_of_a_slow_fixture
1.00s call     tests/cli/test_a.py::test_of_a_slow_fixture
30.00s call     tests/faults/test_disk.py::test_of_a_slow_tier
"""
    assert _long_ones(log, 5) == ["cli/test_a.py::test_slow"]


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
