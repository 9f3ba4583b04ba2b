"""The Scorecard: how well a network does overall, per device, per device group, per scene, and how evenly."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

DG = "device_generalization"
"""The name of DG among metrics."""


@dataclass(frozen=True)
class Scorecard:
    """Accuracies (0 to 1) and losses under the names they have in the tracking server."""

    metrics: Mapping[str, float]

    def __getitem__(self, name: str) -> float:
        return self.metrics[name]

    def prefixed(self, prefix: str) -> dict[str, float]:
        """The metrics under ``prefix/…``, for splits other than the test fold."""
        return {f"{prefix}/{name}": value for name, value in self.metrics.items()}


def score(
    logits: np.ndarray,
    labels: np.ndarray,
    devices: Sequence[str] | np.ndarray,
    groups: Mapping[str, str],
    scenes: Sequence[str],
) -> Scorecard:
    """Score a network's logits.

    ``accuracy/macro`` averages the scenes' accuracies, as DCASE ranks; ``device_generalization`` (DG) is the standard
    deviation of the devices' accuracies, lower is better (EUSIPCO 2023, section IV).

    Args:
        logits: ``(clips, scenes)``.
        labels: ``(clips,)``, indices into ``scenes``.
        devices: ``(clips,)``, the name of each clip's device.
        groups: the group of each device.
        scenes: the scenes' names, in the order of the logits.

    Raises:
        ValueError: if there are no clips.
    """
    if len(labels) == 0:
        raise ValueError("a Scorecard needs at least one clip")
    correct = (logits.argmax(axis=1) == labels).astype(np.float64)
    losses = losses_of(logits, labels)
    device_of = np.asarray(devices)
    group_of = np.array([groups[device] for device in device_of])
    scene_of = np.array(scenes)[labels]
    metrics = {"accuracy/overall": float(correct.mean()), "loss/overall": float(losses.mean())}
    for kind, member in (("device", device_of), ("group", group_of), ("scene", scene_of)):
        for name in sorted(set(member.tolist())):
            chosen = member == name
            metrics[f"accuracy/{kind}/{name}"] = float(correct[chosen].mean())
            metrics[f"loss/{kind}/{name}"] = float(losses[chosen].mean())
    metrics["accuracy/macro"] = _mean(metrics, "accuracy/scene/")
    metrics[DG] = float(np.std(_values(metrics, "accuracy/device/")))
    return Scorecard(metrics)


def losses_of(logits: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """The cross entropy of each clip; ``(clips,)`` float64."""
    shifted = logits.astype(np.float64) - logits.max(axis=1, keepdims=True)
    return np.log(np.exp(shifted).sum(axis=1)) - shifted[np.arange(len(labels)), labels]


def metric_names(devices: Sequence[str], groups: Sequence[str], scenes: Sequence[str]) -> list[str]:
    """Every metric name of a Scorecard over clips of these devices, groups and scenes."""
    names = ["accuracy/overall", "accuracy/macro", "loss/overall", DG]
    for kind, members in (("device", devices), ("group", groups), ("scene", scenes)):
        names += [f"{what}/{kind}/{member}" for what in ("accuracy", "loss") for member in sorted(set(members))]
    return names


def is_better_higher(metric: str) -> bool:
    """Whether a larger value of the metric is better: accuracies yes, losses and DG no."""
    return metric.startswith("accuracy/")


def _values(metrics: Mapping[str, float], prefix: str) -> list[float]:
    return [value for name, value in metrics.items() if name.startswith(prefix)]


def _mean(metrics: Mapping[str, float], prefix: str) -> float:
    return float(np.mean(_values(metrics, prefix)))
