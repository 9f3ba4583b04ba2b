"""How sure a difference between two networks is: a paired bootstrap over clips.

Both are scored on the same resampled clips, so that what is hard for both does not blur their difference (Efron and
Tibshirani, "An Introduction to the Bootstrap", chapter 8). Clips of one recording are drawn together: ten seconds of
one place are not ten independent ones.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from asc_experiments.training.scorecard import DG, losses_of

RESAMPLES = 2_000
CONFIDENCE = 0.95
_BLOCK = 4_000_000


@dataclass(frozen=True)
class Interval:
    """A difference and the interval that holds it with :data:`CONFIDENCE`; it leaves out the scatter between seeds."""

    difference: float
    low: float
    high: float


@dataclass(frozen=True, eq=False)
class ScoredClips:
    """Clips that networks are compared on.

    Attributes:
        labels: ``(clips,)`` int64, indices into ``scenes``.
        devices: ``(clips,)`` the device of each clip.
        groups: the group of each device.
        scenes: the scenes' names.
        recordings: ``(clips,)`` int64, which recording each clip was cut from; None where each is one by itself.
    """

    labels: np.ndarray
    devices: np.ndarray
    groups: Mapping[str, str]
    scenes: Sequence[str]
    recordings: np.ndarray | None = None


def paired_interval(
    ours: Sequence[np.ndarray], theirs: Sequence[np.ndarray], clips: ScoredClips, metric: str, seed: int = 0
) -> Interval:
    """The difference of a Scorecard metric between two settings, ours less theirs, with its interval.

    Args:
        ours: logits ``(clips, scenes)`` of each seed; the metric is averaged over seeds.
        theirs: the same for the other setting.
        clips: what the rows are.
        metric: a Scorecard metric, such as ``accuracy/macro`` or ``device_generalization``.
        seed: of the resampling.

    Raises:
        ValueError: if the metric concerns none of the clips.
    """
    cells = _cells(metric, clips)
    inside = cells >= 0
    if not inside.any():
        raise ValueError(f"no clip counts for {metric}")
    every_clip = np.arange(len(cells)) if clips.recordings is None else clips.recordings
    cells, unit = cells[inside], np.unique(every_clip[inside], return_inverse=True)[1]
    values = np.stack([_per_clip(metric, logits, clips)[inside] for logits in (*ours, *theirs)])
    mine = np.arange(len(values)) < len(ours)

    def differences(times: np.ndarray) -> np.ndarray:
        scores = _combine(metric, _cell_means(values, cells, times))
        return scores[mine].mean(axis=0) - scores[~mine].mean(axis=0)

    rng = np.random.default_rng(seed)
    n_units, block = int(unit.max()) + 1, max(1, min(RESAMPLES, _BLOCK // cells.size))
    resampled = []
    for first in range(0, RESAMPLES, block):
        drawn = rng.multinomial(n_units, np.full(n_units, 1 / n_units), size=min(block, RESAMPLES - first))
        resampled.append(differences(drawn[:, unit].astype(np.float64)))
    tail = 100 * (1 - CONFIDENCE) / 2
    low, high = np.percentile(np.concatenate(resampled), [tail, 100 - tail])
    whole = differences(np.ones((1, cells.size)))
    return Interval(float(whole[0]), float(low), float(high))


def _per_clip(metric: str, logits: np.ndarray, clips: ScoredClips) -> np.ndarray:
    """What each clip scores: its loss, or 1 where the answer is right."""
    if metric.startswith("loss/"):
        return losses_of(logits, clips.labels)
    return (logits.argmax(axis=1) == clips.labels).astype(np.float64)


def _cells(metric: str, clips: ScoredClips) -> np.ndarray:
    """The cell of each clip: a metric is a function of the mean in each cell; -1 counts for nothing."""
    if metric == DG:
        return np.unique(clips.devices, return_inverse=True)[1]
    _, kind, *rest = metric.split("/")
    if kind == "macro":
        return np.unique(clips.labels, return_inverse=True)[1]
    if kind == "overall":
        return np.zeros(len(clips.labels), dtype=np.int64)
    member = {
        "device": clips.devices,
        "group": np.array([clips.groups[device] for device in clips.devices]),
        "scene": np.array(clips.scenes)[clips.labels],
    }[kind]
    return np.where(member == "/".join(rest), 0, -1)


def _cell_means(values: np.ndarray, cells: np.ndarray, times: np.ndarray) -> np.ndarray:
    """Means ``(networks, resamples, cells)`` of values ``(networks, clips)``, each clip counted so many times."""
    belongs = np.eye(int(cells.max()) + 1)[cells]
    counts = times @ belongs
    sums = np.stack([times @ (belongs * value[:, None]) for value in values])
    return np.divide(sums, counts, out=np.full(sums.shape, np.nan), where=counts > 0)


def _combine(metric: str, means: np.ndarray) -> np.ndarray:
    """``(networks, resamples)``: the standard deviation over cells for DG, else the mean over cells."""
    return np.nanstd(means, axis=2) if metric == DG else np.nanmean(means, axis=2)
