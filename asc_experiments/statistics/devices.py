"""Whether students do better on one device than on another, by more than the noise of the clips."""

from __future__ import annotations

import itertools

from asc_experiments.metrics import DEVICE, UNSEEN_ACCURACY, accuracy_of
from asc_experiments.statistics.evidence import Evidence
from asc_experiments.statistics.margin import Margin, within

HEARD = ("real", "seen")
"""The groups of devices whose recordings networks are trained on."""


def between_devices(table: Evidence, first: str, second: str, comparisons: int = 1) -> Margin:
    """The accuracy on one device less that on another, of these very students at other places.

    See :func:`asc_experiments.statistics.margin.within`. (Of other students like them, a handful tells next to nothing
    where the two devices were picked from dozens of pairs.)

    Args:
        table: the answers of a recipe's students.
        first: the name of the one device.
        second: that of the other.
        comparisons: among how many such differences this one is the most striking.

    Raises:
        ValueError: if one of them has no clip.
    """
    return within(table, [first], [second], accuracy_of(DEVICE, first), comparisons, fixed_students=True)


def heard_less_unseen(table: Evidence) -> Margin | None:
    """The accuracy on devices that networks are trained on less that on devices that none is: what unseen ones cost.

    One comparison, fixed before anything was seen, where :func:`extremes` picks the widest of many.

    Args:
        table: the answers of a recipe's students; a device of group ``held_out`` counts for neither.

    Returns:
        The margin; None where the clips are of one of the two kinds alone.
    """
    clips = dict(zip(table.devices, table.clips.sum(axis=0), strict=True))
    heard = [device for device, group in table.groups.items() if group in HEARD and clips[device] > 0]
    unseen = [device for device, group in table.groups.items() if group == "unseen" and clips[device] > 0]
    return within(table, heard, unseen, UNSEEN_ACCURACY) if heard and unseen else None


def shares_places(table: Evidence, first: str, second: str) -> bool:
    """Whether any place was recorded by both devices: if none was, what differs may be the places."""
    clips = table.clips[:, [table.devices.index(first), table.devices.index(second)]]
    return bool((clips > 0).all(axis=1).any())


def extremes(table: Evidence) -> tuple[str, str, Margin] | None:
    """The devices with the highest and the lowest accuracy, and their difference, widened for being the extremes.

    None where there is one device.
    """
    heard = [device for place, device in enumerate(table.devices) if table.clips[:, place].sum() > 0]
    if len(heard) < 2:
        return None
    accuracy = {device: float(table.measure(accuracy_of(DEVICE, device)).mean()) for device in heard}
    high, low = max(heard, key=lambda d: accuracy[d]), min(heard, key=lambda d: accuracy[d])
    if high == low:
        low = next(device for device in heard if device != high)
    pairs = len(list(itertools.combinations(heard, 2)))
    return high, low, between_devices(table, high, low, pairs)
