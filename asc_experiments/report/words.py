"""Numbers in words: differences, effects, hours, as the sentences of a report say them."""

from __future__ import annotations

from collections.abc import Sequence

from asc_experiments.report.effects import FEWEST, Effect
from asc_experiments.training.scorecard import DG


def is_part_of_one(metric: str) -> bool:
    """Whether a metric is told in percent."""
    return metric.startswith("accuracy/") or metric == DG


def value_of(metric: str, value: float, std: float | None = None) -> str:
    """A value of a metric: in percent where it is an accuracy or DG."""
    if is_part_of_one(metric):
        return f"{100 * value:.1f}" + ("" if std is None else f" ± {100 * std:.1f}") + " %"
    return f"{value:.4f}" + ("" if std is None else f" ± {std:.4f}")


def difference_of(metric: str, value: float) -> str:
    """A difference in a metric, with its sign."""
    return f"{100 * value:+.1f} points" if is_part_of_one(metric) else f"{value:+.4f}"


def interval_of(metric: str, low: float, high: float) -> str:
    """The two ends of an interval of differences."""
    if is_part_of_one(metric):
        return f"[{100 * low:+.1f}, {100 * high:+.1f}]"
    return f"[{low:+.4f}, {high:+.4f}]"


def correlation_in_words(effect: Effect | None, cause: str, result: str) -> str:
    """What a rank correlation says, with its interval, in a sentence or two.

    Args:
        effect: the correlation; None where there is nothing to correlate.
        cause: the one thing, as a subject: ``the ensemble's accuracy``.
        result: the other: ``the student's``.
    """
    if effect is None:
        return f"How {cause} goes with {result} cannot be said: that needs three trials in which both vary."
    said = f"Spearman's rank correlation of {cause} with {result} is {effect.value:+.2f} over n = {effect.n} trials"
    if effect.low is None or effect.high is None:
        return f"{said}: too few for an interval (that needs {FEWEST}), so take it as a hint at most."
    interval = f"95 % interval [{effect.low:+.2f}, {effect.high:+.2f}]"
    if not effect.is_clear:
        return f"{said}, {interval}. The interval holds 0: these trials do not show a connection."
    way = "the higher the one, the higher the other" if effect.value > 0 else "the higher the one, the lower the other"
    return f"{said}, {interval}: {way}."


def counted(n: int, thing: str, things: str = "") -> str:
    """A number of things: ``1 trial``, ``2 trials``."""
    return f"{n:,} {thing if n == 1 else things or thing + 's'}"


def listed(names: Sequence[str], most: int = 6) -> str:
    """Names with commas and an ``and``; the rest counted where there are many."""
    shown = list(names[:most])
    if len(names) > most:
        shown.append(f"{len(names) - most} more")
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}" if shown else ""
