"""Whether students do better on one device than on another, by more than the noise of the clips."""

from __future__ import annotations

import itertools
import math

import numpy as np

from asc_experiments.metrics import accuracy_of
from asc_experiments.statistics.evidence import Evidence
from asc_experiments.statistics.margin import CONFIDENCE, ONE_PLACE, Margin, Part


def between_devices(table: Evidence, first: str, second: str, comparisons: int = 1) -> Margin:
    """The accuracy on one device less that on another, of the same students.

    Places count as in :func:`margin`: each is left out in turn, with both devices. Of a single student it is asked only
    how that very network does elsewhere.

    Args:
        table: the answers of a recipe's students.
        first: the name of the one device.
        second: that of the other.
        comparisons: among how many such differences this one is the most striking.

    Raises:
        ValueError: if one of them has no clip.
    """
    metric = "accuracy/device/"
    changes = _left_out(table, first) - _left_out(table, second)
    values = table.measure(metric + first) - table.measure(metric + second)
    places = int(((table.clips[:, [table.devices.index(first), table.devices.index(second)]]).sum(axis=1) > 0).sum())
    value, students = float(values.mean()), (table.students, table.students)
    if places < 2:
        unknown = (math.nan, -math.inf, math.inf, ONE_PLACE)
        return Margin(metric + first, value, *unknown, students, places, comparisons)
    parts = [Part(float((len(changes) - 1) * np.mean((changes - changes.mean()) ** 2)), len(changes) - 1)]
    parts += [Part(float(values.var(ddof=1)) / len(values), len(values) - 1)] if len(values) > 1 else []
    whole = Part.total(parts)
    reach = whole.reach(1 - (1 - CONFIDENCE) / comparisons)
    error = math.sqrt(whole.variance)
    return Margin(metric + first, value, error, value - reach, value + reach, "", students, places, comparisons)


def extremes(table: Evidence) -> tuple[str, str, Margin] | None:
    """The devices with the highest and the lowest accuracy, and their difference, widened for being the extremes.

    None where there is one device.
    """
    heard = [device for place, device in enumerate(table.devices) if table.clips[:, place].sum() > 0]
    if len(heard) < 2:
        return None
    accuracy = {device: float(table.measure(accuracy_of("device", device)).mean()) for device in heard}
    high, low = max(heard, key=lambda d: accuracy[d]), min(heard, key=lambda d: accuracy[d])
    if high == low:
        low = next(device for device in heard if device != high)
    pairs = len(list(itertools.combinations(heard, 2)))
    return high, low, between_devices(table, high, low, pairs)


def _left_out(table: Evidence, device: str) -> np.ndarray:
    """The accuracy on a device, mean over students, with each place left out in turn, ``(places,)``."""
    place = table.devices.index(device)
    right, clips = table.correct[:, :, place], table.clips[:, place]
    left = right.sum(axis=1, keepdims=True) - right
    return np.asarray((left / np.maximum(clips.sum() - clips, 1)).mean(axis=0))
