"""Durations as people write them."""

import pytest

from asc_experiments.base.durations import parse_duration
from asc_experiments.base.errors import AscError


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90m", 5_400), ("12h", 43_200), ("2d", 172_800), ("30s", 30), ("45", 45),
        ("1.5h", 5_400), ("0.5", 0.5), (" 2 H ", 7_200), ("007m", 420),
    ],
)  # fmt: skip
def test_number_and_unit_are_seconds(text: str, seconds: float) -> None:
    assert parse_duration(text, "--timeout") == seconds


@pytest.mark.parametrize("text", ["", "h", "0", "0m", "-5m", "1h30m", "5 w", "1e3", "inf", "nan", ".5h", "5.h", "1,5h"])
def test_anything_else_is_one_line_with_examples(text: str) -> None:
    with pytest.raises(AscError, match=r"is no duration; write 90m, 12h, 2d or a number of seconds") as caught:
        parse_duration(text, "--timeout")
    assert caught.value.line().startswith("--timeout")
