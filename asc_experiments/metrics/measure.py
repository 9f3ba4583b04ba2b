"""Metrics of a network's logits, by the names they have in the tracking server."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

import numpy as np

from asc_experiments.metrics.key import DEVICE, GROUP, MACRO, OVERALL, SCENE, MetricKey
from asc_experiments.metrics.metric import METRICS, Metric

ClipPart = np.ndarray | slice
"""Which clips: ``(clips,)`` bool, or all of them."""


_DIGITS = 7
"""Kept of every score: one clip more or less among ten million still shows."""


def measure(
    metrics: Iterable[Metric],
    logits: np.ndarray,
    labels: np.ndarray,
    devices: Sequence[str] | np.ndarray,
    groups: Mapping[str, str],
    scenes: Sequence[str],
) -> dict[str, float]:
    """Every number of some metrics, over all clips and over their parts.

    Args:
        metrics: of :data:`~asc_experiments.metrics.metric.METRICS`.
        logits: ``(clips, scenes)``.
        labels: ``(clips,)``, indices into ``scenes``.
        devices: ``(clips,)``, the name of each clip's device.
        groups: the group of each device.
        scenes: the scenes' names, in the order of the logits.

    Returns:
        By the metric's name, to seven digits.

    Raises:
        ValueError: if there are no clips.
    """
    if len(labels) == 0:
        raise ValueError("a Scorecard needs at least one clip")
    names, device_of = _coded(devices)
    parts = list(_parts(names, device_of, groups))
    parts += [(SCENE, scenes[scene], labels == scene) for scene in sorted(set(labels.tolist()), key=scenes.__getitem__)]
    values: dict[Callable[..., np.ndarray], np.ndarray] = {}  # DG is of accuracy's values, which are computed once
    found: dict[str, float] = {}
    for metric in metrics:
        per_clip = type(metric).per_clip
        if per_clip not in values:
            values[per_clip] = metric.per_clip(logits, labels)
        of_clips = values[per_clip]
        key = MetricKey(metric.name)
        for kind, member, chosen in parts:
            if kind in metric.parts:
                found[str(key.of(kind, member))] = metric.aggregate(of_clips[chosen], device_of[chosen])
        if MACRO in metric.parts:
            by_scene = [value for name, value in found.items() if name.startswith(f"{key.of(SCENE)}/")]
            found[str(key.of(MACRO))] = float(np.mean(by_scene))
    return {name: _rounded(value) for name, value in found.items()}


def _rounded(value: float) -> float:
    """Without the digits that are noise, and that fill MLflow's tables: logits are float32, which has seven."""
    return float(f"{value:.{_DIGITS}g}")


def metric_names(
    devices: Sequence[str], groups: Sequence[str], scenes: Sequence[str], every: bool = False
) -> list[str]:
    """The names of a Scorecard's metrics over clips of these devices, groups and scenes.

    Args:
        devices: their names.
        groups: their names.
        scenes: their names.
        every: those too that are not measured after every epoch.
    """
    members = {DEVICE: devices, GROUP: groups, SCENE: scenes}
    names = []
    for metric in METRICS.values():
        for part in metric.parts if metric.every_epoch or every else ():
            of = sorted(set(members[part])) if part in members else [""]
            names += [str(MetricKey(metric.name, part, member)) for member in of]
    return names


def clip_parts(devices: Sequence[str] | np.ndarray, groups: Mapping[str, str]) -> Iterator[tuple[str, str, ClipPart]]:
    """All clips, those of each device, and those of each group: the part's kind, its member, which clips.

    Args:
        devices: ``(clips,)``, the name of each clip's device.
        groups: the group of each device.
    """
    names, device_of = _coded(devices)
    return (part for part in _parts(names, device_of, groups) if part[0])


def _coded(devices: Sequence[str] | np.ndarray) -> tuple[list[str], np.ndarray]:
    """The names of the devices, sorted, and which of them each clip is of: numbers compare faster than names."""
    of_clips = np.asarray(devices).tolist()
    names = sorted(set(of_clips))
    places = {name: place for place, name in enumerate(names)}
    return names, np.array([places[name] for name in of_clips], dtype=np.int64)


def _parts(
    names: Sequence[str], device_of: np.ndarray, groups: Mapping[str, str]
) -> Iterator[tuple[str, str, ClipPart]]:
    yield "", "", slice(None)
    yield OVERALL, "", slice(None)
    for place, name in enumerate(names):
        yield DEVICE, name, device_of == place
    group_of = [groups[name] for name in names]
    for group in sorted(set(group_of)):
        yield GROUP, group, np.array([each == group for each in group_of])[device_of]
