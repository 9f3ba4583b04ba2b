"""Durations as people write them: ``90m``, ``12h``, ``2d``, or a number of seconds."""

from __future__ import annotations

import re

from asc_experiments.base.errors import AscError

_SECONDS = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3_600.0, "d": 86_400.0}
_DURATION = re.compile(r"(?P<number>\d+(\.\d+)?)\s*(?P<unit>[smhd]?)")


def parse_duration(text: str, where: str) -> float:
    """A duration in seconds.

    Args:
        text: a number and s, m, h or d; seconds where there is no unit.
        where: the option it came from, for the error.

    Raises:
        AscError: if it is no duration above zero.
    """
    found = _DURATION.fullmatch(text.strip().lower())
    seconds = float(found["number"]) * _SECONDS[found["unit"]] if found else 0.0
    if seconds <= 0:
        raise AscError(f"{where} {text}", "is no duration", "write 90m, 12h, 2d or a number of seconds")
    return seconds
