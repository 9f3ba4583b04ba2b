"""What explains a student: calibration and softness of a network's answers, and how far networks agree.

Pure functions of logits. Their results stand beside a Scorecard's under names of the same form, such as
``ece/device/s4``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import combinations

import numpy as np
from scipy import special

ENTROPY_TEMPERATURE = 2.0
"""The published T. One for all, so that entropies of any two networks compare."""
_BINS = 15


def calibration(
    logits: np.ndarray, labels: np.ndarray, devices: Sequence[str] | np.ndarray, groups: Mapping[str, str]
) -> dict[str, float]:
    """``ece/…`` and ``entropy/…``: overall, per device and per device group.

    Args:
        logits: ``(clips, scenes)``.
        labels: ``(clips,)``, indices into the scenes.
        devices: ``(clips,)``, the name of each clip's device.
        groups: the group of each device.
    """
    probabilities = softmax(logits)
    confidence = probabilities.max(axis=1)
    correct = probabilities.argmax(axis=1) == labels
    entropies = entropy(logits, ENTROPY_TEMPERATURE)
    return _named("ece", lambda chosen: ece(confidence[chosen], correct[chosen]), devices, groups) | _named(
        "entropy", lambda chosen: float(entropies[chosen].mean()), devices, groups
    )


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


def ece(confidence: np.ndarray, correct: np.ndarray) -> float:
    """The expected calibration error over 15 bins of equal width (Guo et al., ICML 2017, equation 5).

    Args:
        confidence: ``(clips,)``, the probability of each clip's chosen scene.
        correct: ``(clips,)``, whether that is the label.
    """
    bins = np.clip(np.ceil(confidence * _BINS).astype(int) - 1, 0, _BINS - 1)
    weight = np.bincount(bins, minlength=_BINS)
    surplus = np.bincount(bins, confidence - correct, minlength=_BINS)  # of confidence over accuracy, in clips
    return float(np.abs(surplus).sum() / weight.sum())


def entropy(logits: np.ndarray, temperature: float) -> np.ndarray:
    """The entropy of each clip's softened probabilities in nats; ``(clips,)`` float64.

    Args:
        logits: ``(clips, scenes)``.
        temperature: T, which the logits are divided by.
    """
    return np.asarray(special.entr(softmax(logits / temperature)).sum(axis=1))


def softmax(logits: np.ndarray) -> np.ndarray:
    """Probabilities ``(clips, scenes)`` float64."""
    return np.asarray(special.softmax(logits.astype(np.float64), axis=1))


def _named(
    what: str, measure: Callable[[np.ndarray], float], devices: Sequence[str] | np.ndarray, groups: Mapping[str, str]
) -> dict[str, float]:
    return {f"{what}/{name}": measure(chosen) for name, chosen in _parts(np.asarray(devices), groups)}


def _parts(devices: np.ndarray, groups: Mapping[str, str]) -> Iterator[tuple[str, np.ndarray]]:
    """Every part of the clips that is measured, by the end of its metric's name."""
    yield "overall", np.ones(len(devices), dtype=bool)
    group_of = np.array([groups[device] for device in devices])
    for kind, member in (("device", devices), ("group", group_of)):
        for name in sorted(set(member.tolist())):
            yield f"{kind}/{name}", member == name
