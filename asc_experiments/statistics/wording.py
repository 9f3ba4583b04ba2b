"""Margins and what they are measured on, in words: the same ones wherever the program claims something."""

from __future__ import annotations

from asc_experiments.metrics import is_part_of_one
from asc_experiments.statistics.devices import heard_less_unseen
from asc_experiments.statistics.evidence import Evidence
from asc_experiments.statistics.margin import CONFIDENCE, Margin


def counted(number: int, thing: str) -> str:
    """A number of things: ``1 student``, ``1,200 clips``."""
    return f"{number:,} {thing}{'' if number == 1 else 's'}"


def clips_in_words(table: Evidence, metric: str, split: str = "test") -> str:
    """What a metric is measured on: ``729 test clips of 27 places``."""
    clips, places = table.counts(metric)
    return f"{counted(clips, f'{split} clip')} of {counted(places, 'place')}"


def margin_in_words(found: Margin) -> str:
    """A difference with its interval: ``+0.4 points, 95 % interval [-1.2, +2.0]``, or why that is not known."""
    scale, digits, unit = (100, 1, " points") if is_part_of_one(found.metric) else (1, 4, "")
    said = f"{scale * found.value:+.{digits}f}{unit}"
    if not found.is_known:
        return f"{said}, and how much of that is noise is {found.unknown}"
    if found.has_no_noise:
        return f"{said}, and how much of that is noise is not known: no place and no student differs from the others"
    interval = f"[{scale * found.low:+.{digits}f}, {scale * found.high:+.{digits}f}]"
    widened = "" if found.comparisons == 1 else f", widened for {found.comparisons:,} comparisons"
    return f"{said}, {100 * CONFIDENCE:.0f} % interval {interval}{widened}"


def unseen_in_words(table: Evidence) -> str:
    """What devices cost that no network was trained on, in one sentence; empty where the clips cannot ask it."""
    found = heard_less_unseen(table)
    if found is None:
        return ""
    said = f"Devices heard in training less unseen ones: {margin_in_words(found)}"
    if found.is_open:
        return f"{said}: whether unseen devices are harder is not shown."
    return f"{said}: unseen devices are {'harder' if found.is_better else 'easier'}."
