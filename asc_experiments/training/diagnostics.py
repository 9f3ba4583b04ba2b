"""What explains a student: how far networks agree.

Pure functions of logits. Their results stand beside a Scorecard's under names of the same form, such as
``agreement/device/s4``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import combinations

import numpy as np

from asc_experiments.metrics import MetricKey
from asc_experiments.metrics.measure import ClipPart, clip_parts


def agreement(
    ours: np.ndarray, theirs: np.ndarray, devices: Sequence[str] | np.ndarray, groups: Mapping[str, str]
) -> dict[str, float]:
    """``agreement/…``: the part of clips on which two networks choose the same scene.

    Args:
        ours: logits ``(clips, scenes)`` of one.
        theirs: those of the other.
        devices: ``(clips,)``, the name of each clip's device.
        groups: the group of each device.
    """
    same = ours.argmax(axis=1) == theirs.argmax(axis=1)
    return _named("agreement", lambda chosen: float(same[chosen].mean()), devices, groups)


def disagreement(
    members: Sequence[np.ndarray], devices: Sequence[str] | np.ndarray, groups: Mapping[str, str]
) -> dict[str, float]:
    """``disagreement/…``: the part of clips on which two members of an ensemble choose different scenes.

    The mean over all pairs of members; nothing where there is no pair.

    Args:
        members: logits ``(clips, scenes)`` of each.
        devices: ``(clips,)``, the name of each clip's device.
        groups: the group of each device.
    """
    if len(members) < 2:
        return {}
    choices = [member.argmax(axis=1) for member in members]
    differs = np.mean([one != other for one, other in combinations(choices, 2)], axis=0)
    return _named("disagreement", lambda chosen: float(differs[chosen].mean()), devices, groups)


def _named(
    what: str, measure: Callable[[ClipPart], float], devices: Sequence[str] | np.ndarray, groups: Mapping[str, str]
) -> dict[str, float]:
    return {str(MetricKey(what, kind, member)): measure(chosen) for kind, member, chosen in clip_parts(devices, groups)}
