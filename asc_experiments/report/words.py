"""Numbers in words: differences, effects, hours, as the sentences of a report say them."""

from __future__ import annotations

from collections.abc import Sequence

from asc_experiments.metrics import ACCURACY, DG, is_part_of_one
from asc_experiments.statistics.permutation import FEWEST, Effect
from asc_experiments.tracking import RunRecord
from asc_experiments.tracking.trials import clip_seconds


def short_name(metric: str) -> str:
    """The name of a metric where most are accuracies: which clips an accuracy is of."""
    return metric.replace(DG, "DG").replace(f"{ACCURACY.name}/", "")


def difference_of(metric: str, value: float) -> str:
    """A difference in a metric, with its sign."""
    return f"{100 * value:+.1f} points" if is_part_of_one(metric) else f"{value:+.4f}"


def interval_of(metric: str, low: float, high: float) -> str:
    """The two ends of an interval of differences."""
    if is_part_of_one(metric):
        return f"[{100 * low:+.1f}, {100 * high:+.1f}]"
    return f"[{low:+.4f}, {high:+.4f}]"


def correlation_in_words(effect: Effect | None, cause: str, result: str, unit: str = "teacher/teachers") -> str:
    """What a rank correlation says, and what luck alone would give, in a sentence or two.

    Args:
        effect: the correlation; None where there is nothing to correlate.
        cause: the one thing, as a subject: ``the ensemble's accuracy``.
        result: the other: ``the student's``.
        unit: what luck comes in, see :func:`units`.
    """
    if effect is None:
        return f"How {cause} goes with {result} cannot be said: that needs three trials in which both vary."
    over = f"over {counted(effect.n, 'trial')} with {units(effect.units, unit)}"
    if effect.too_few == "trials":
        return f"How {cause} goes with {result} cannot be said {over}: too few for a correlation (that needs {FEWEST})."
    said = f"Spearman's rank correlation of {cause} with {result} is {effect.value:+.2f} {over}"
    if effect.luck_low is None or effect.luck_high is None:
        return f"{said}: too few {units(None, unit)} to tell it from their luck."
    luck = f"luck alone gives {effect.luck_low:+.2f} to {effect.luck_high:+.2f}"
    if not effect.is_clear:
        return f"{said}; {luck}. These trials do not show a connection."
    way = "the higher the one, the higher the other" if effect.value > 0 else "the higher the one, the lower the other"
    return f"{said}; {luck}: {way}."


def units(n: int | None, unit: str) -> str:
    """A number of what luck comes in, or its name alone.

    Args:
        n: how many; None for the name.
        unit: its name of one and of several, ``teacher/teachers``.
    """
    one, several = unit.split("/")
    return several if n is None else counted(n, one, several)


def clip_in_words(run: RunRecord) -> str:
    """What a run's MACs are for: ``one second``, or ``one clip of 10 s``."""
    seconds = clip_seconds(run)
    return "one second" if seconds == 1 else f"one clip of {seconds:g} s"


def counted(n: int, thing: str, things: str = "") -> str:
    """A number of things: ``1 trial``, ``2 trials``."""
    return f"{n:,} {thing if n == 1 else things or thing + 's'}"


def listed(names: Sequence[str], most: int = 6) -> str:
    """Names with commas and an ``and``; the rest counted where there are many."""
    shown = list(names[:most])
    if len(names) > most:
        shown.append(f"{len(names) - most} more")
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}" if shown else ""


def duration(seconds: float) -> str:
    """Seconds, minutes or hours, as one says it."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 90 * 60 else f"{seconds / 3600:.1f} h"


def ordinal(place: int) -> str:
    """The place of something among others: ``seventh``, ``21st``."""
    words = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth")
    if place <= len(words):
        return words[place - 1]
    ending = "th" if place % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(place % 10, "th")
    return f"{place:,}{ending}"
