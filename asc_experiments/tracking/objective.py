"""How many clips a study's objective is measured on: a study that is chosen on nine clips has to say so everywhere."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from asc_experiments.metrics import ACCURACY, MACRO_ACCURACY, MetricKey
from asc_experiments.tracking.trials import (
    OBJECTIVE,
    OBJECTIVE_CLIPS,
    OBJECTIVE_DEVICES,
    OBJECTIVE_PLACES,
    OBJECTIVE_POINT,
    SPLIT,
)

if TYPE_CHECKING:  # a report reads the tags and needs no corpus
    from asc_experiments.corpus import Corpus

FEW_CLIPS = 100
"""Below so many clips a warning goes with the objective."""


@dataclass(frozen=True)
class ObjectiveClips:
    """What an objective is measured on.

    Attributes:
        metric: the Scorecard metric, such as ``accuracy/group/unseen``.
        split: ``validation`` or ``test``.
        clips: how many the metric is of.
        places: at how many places they were recorded.
        devices: by which, where those are not all devices of the split; else empty.
        point: by how many percentage points one clip can change the metric at most; None where it is no accuracy.
    """

    metric: str
    split: str
    clips: int
    places: int
    devices: tuple[str, ...] = ()
    point: float | None = None

    @property
    def line(self) -> str:
        """Such as ``accuracy/group/unseen on 9 held-out clips of s3 at 3 places: one clip is 11.1 points``."""
        which = "held-out" if self.split == "validation" else "test"
        text = f"{self.metric} on {_count(self.clips, f'{which} clip')}"
        if self.devices:
            text += f" of {', '.join(self.devices)}"
        text += f" at {_count(self.places, 'place')}"
        if self.point is None:
            return text
        upto = "up to " if self.metric == MACRO_ACCURACY else ""
        return f"{text}: one clip is {upto}{_digits(self.point)} points"

    @property
    def warning(self) -> str:
        """Why so few clips cannot decide, and what to do; empty from :data:`FEW_CLIPS` clips on."""
        if self.clips >= FEW_CLIPS:
            return ""
        text = f"fewer than {FEW_CLIPS} clips: most differences between trials are chance"
        if self.split == "test":
            return text
        remedy = "hold more out: validation.fraction"
        return f"{text}; {remedy}, validation.held_out_device_clips" if self.devices else f"{text}; {remedy}"

    @property
    def note(self) -> str:
        """The line, with the warning where there is one."""
        return f"{self.line} ({self.warning})" if self.warning else self.line

    def tags(self) -> dict[str, str]:
        """For a study's experiment and its trials' runs."""
        tags = {OBJECTIVE: self.metric, SPLIT: self.split}
        tags |= {OBJECTIVE_CLIPS: str(self.clips), OBJECTIVE_PLACES: str(self.places)}
        if self.devices:
            tags[OBJECTIVE_DEVICES] = ",".join(self.devices)
        return tags if self.point is None else tags | {OBJECTIVE_POINT: _digits(self.point)}

    @classmethod
    def from_tags(cls, tags: Mapping[str, Any]) -> ObjectiveClips | None:
        """As :meth:`tags` wrote it; None where an earlier version did not say."""
        try:
            clips, places = int(tags[OBJECTIVE_CLIPS]), int(tags[OBJECTIVE_PLACES])
            point = float(tags[OBJECTIVE_POINT]) if OBJECTIVE_POINT in tags else None
            devices = tuple(name for name in str(tags.get(OBJECTIVE_DEVICES, "")).split(",") if name)
            return cls(str(tags[OBJECTIVE]), str(tags[SPLIT]), clips, places, devices, point)
        except (KeyError, ValueError):
            return None


def count_objective(
    metric: str, split: str, rows: np.ndarray, corpus: Corpus, groups: Mapping[str, str]
) -> ObjectiveClips:
    """Count the clips that a Scorecard metric is measured on.

    Args:
        metric: its name, without the split.
        split: what the rows are: ``validation`` or ``test``.
        rows: ``(clips,)`` int64 rows of the corpus: the split's.
        corpus: the corpus.
        groups: the group of each device.
    """
    devices, labels = corpus.device_of[rows], corpus.labels[rows]
    key = MetricKey.parse(metric)
    kind, member = key.part, key.member
    chosen = np.ones(len(rows), dtype=bool)
    if kind == "device":
        chosen = devices == member
    elif kind == "group":
        chosen = np.array([groups[device] == member for device in devices], dtype=bool)
    elif kind == "scene":
        chosen = labels == (corpus.scenes.index(member) if member in corpus.scenes else -1)
    counted = rows[chosen]
    places = corpus.locations.take(counted).names
    found = tuple(sorted(set(devices[chosen].tolist())))
    named = found if kind in ("device", "group") else ()
    point = _point(metric, labels[chosen]) if key.name == ACCURACY.name and len(counted) else None
    return ObjectiveClips(metric, split, len(counted), len(places), named, point)


def _point(metric: str, labels: np.ndarray) -> float:
    """The most that one clip changes an accuracy, in percentage points; in a mean over scenes a rare one's most."""
    if metric != MACRO_ACCURACY:
        return 100.0 / len(labels)
    _, counts = np.unique(labels, return_counts=True)
    return 100.0 / (len(counts) * float(counts.min()))


def _digits(point: float) -> str:
    return f"{point:.1f}" if point >= 0.1 else f"{point:.2g}"


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}" + ("" if number == 1 else "s")
