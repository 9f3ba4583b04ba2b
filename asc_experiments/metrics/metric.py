"""The door through which a metric comes in: one class says what is measured on a clip, and how clips make a number.

A metric that is registered is part of every Scorecard: in the tracking server, as an objective of studies, in reports.
Those of the program use the same door. A package elsewhere opens it with an entry point of the group
``asc_experiments.metrics`` that names its module::

    [project.entry-points."asc_experiments.metrics"]
    brier = "my_package.brier"
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Container
from typing import ClassVar, Literal

import numpy as np

from asc_experiments.base.entry_points import Registry, Source, source_of
from asc_experiments.base.errors import AscError, nearest
from asc_experiments.metrics.key import DEVICE, GROUP, MACRO, OVERALL, PREFIXES, SCENE, MetricKey

GROUP_OF_ENTRY_POINTS = "asc_experiments.metrics"
"""The entry points that name modules of metrics."""
PARTS = ("", OVERALL, MACRO, DEVICE, GROUP, SCENE)
Unit = Literal["%", "nats", ""]
_TAKEN = (
    *PREFIXES, "agreement", "complexity", "disagreement", "export", "names", "objective", "objective_against",
    "students", "targets", "time", "train",
)  # fmt: skip
"""First words of what else is logged."""


class Metric(ABC):
    """What the program asks of a metric.

    Attributes:
        name: as the tracking server and study files have it.
        meaning: in a line, for people.
        higher_is_better: which way.
        unit: ``%`` where it is a part of one and told in percent.
        parts: the clips that it is told of, see :class:`~asc_experiments.metrics.key.MetricKey`. ``macro`` is the mean
            over ``scene``; the empty part is all clips, and the name alone.
        heading: of its column in a report; the name where it is empty.
        every_epoch: whether it is measured on held-out clips after every epoch, and may be a study's objective.
        source: the package that it is from; none for those of the program. Given when it is registered.

    Examples:
        >>> @register_metric
        ... class Brier(Metric):
        ...     name = "brier"
        ...     meaning = "squared error of the probabilities, from 0 to 2"
        ...     higher_is_better = False
        ...
        ...     def per_clip(self, logits: np.ndarray, labels: np.ndarray) -> np.ndarray:
        ...         truth = np.eye(logits.shape[1])[labels]
        ...         return ((scipy.special.softmax(logits, axis=1) - truth) ** 2).sum(axis=1)
    """

    name: ClassVar[str]
    meaning: ClassVar[str]
    higher_is_better: ClassVar[bool]
    unit: ClassVar[Unit] = ""
    parts: ClassVar[tuple[str, ...]] = (OVERALL, DEVICE, GROUP, SCENE)
    heading: ClassVar[str] = ""
    every_epoch: ClassVar[bool] = True
    source: Source | None = None

    @abstractmethod
    def per_clip(self, logits: np.ndarray, labels: np.ndarray) -> np.ndarray:
        """What is measured on each clip.

        Args:
            logits: ``(clips, scenes)`` float32.
            labels: ``(clips,)`` int64, indices into the scenes.

        Returns:
            ``(clips,)``, or ``(clips, columns)`` where an :meth:`aggregate` of its own needs more than one number.
        """

    def aggregate(self, values: np.ndarray, devices: np.ndarray) -> float:
        """The metric of some clips: their mean by default.

        Args:
            values: of :meth:`per_clip`, one row per clip, at least one.
            devices: ``(clips,)`` int64, which device each clip is of.
        """
        return float(values.mean())

    @property
    def title(self) -> str:
        """Of its column: the heading, or the name."""
        return self.heading or self.name

    @property
    def sentence(self) -> str:
        """What it is, for the legend of a table."""
        return f"{self.title}: {self.meaning}; {'higher' if self.higher_is_better else 'lower'} is better."

    @property
    def is_mean(self) -> bool:
        """Whether it is the mean of one number per clip: then margins between networks can be told of it."""
        return type(self).aggregate is Metric.aggregate

    @property
    def key(self) -> MetricKey:
        """Its name over all clips."""
        return MetricKey(self.name, OVERALL if OVERALL in self.parts else "")


METRICS: Registry[Metric] = Registry("metric", GROUP_OF_ENTRY_POINTS)
"""Every metric there is, by name, those of the program first."""


def register_metric(kind: type[Metric]) -> type[Metric]:
    """Have a class be a metric, under its ``name``.

    Raises:
        AscError: if there is another one of that name, or what it says does not fit together.
    """
    where = f"metric '{getattr(kind, 'name', kind.__name__)}'"
    for wanted in ("name", "meaning", "higher_is_better"):
        if not hasattr(kind, wanted):
            raise AscError(where, f"has no '{wanted}'", "see asc_experiments.metrics.Metric")
    if not kind.name.isidentifier() or kind.name in _TAKEN:
        raise AscError(where, "is no name for a metric, or that of something else that is logged", "rename it")
    for part in kind.parts:
        if part not in PARTS:
            raise AscError(where, f"its parts name '{part}'", nearest(part, PARTS[1:]))
    if OVERALL not in kind.parts and "" not in kind.parts:
        raise AscError(where, "is not told of all clips", f"add '{OVERALL}' to its parts")
    if MACRO in kind.parts and SCENE not in kind.parts:
        raise AscError(where, f"its parts have '{MACRO}' without '{SCENE}'", f"add '{SCENE}'")
    made = kind()
    made.source = source_of(kind)
    METRICS.add(kind.name, made)
    return kind


def further_metrics(known: Container[str]) -> list[Metric]:
    """The metrics of other packages that runs hold: columns beside those that every table has.

    Args:
        known: names of numbers that the runs have.
    """
    return [metric for metric in METRICS.values() if metric.source is not None and str(metric.key) in known]


def is_better_higher(name: str) -> bool:
    """Whether a larger value of a metric is better; not of what is no metric of a Scorecard, such as complexities.

    Args:
        name: of one number, such as ``validation/accuracy/group/unseen``.
    """
    metric = METRICS.get(MetricKey.parse(name).name)
    return metric is not None and metric.higher_is_better


def is_part_of_one(name: str) -> bool:
    """Whether a metric is told in percent."""
    metric = METRICS.get(MetricKey.parse(name).name)
    return metric is not None and metric.unit == "%"


def value_in_words(name: str, value: float, std: float | None = None) -> str:
    """A value of a metric, for people: in percent where it is a part of one.

    Args:
        name: the metric's.
        value: its value.
        std: its standard deviation over students, if known.

    Examples:
        >>> value_in_words("accuracy/macro", 0.625, 0.02)
        '62.5 ± 2.0 %'
    """
    scale, digits, unit = (100, 1, " %") if is_part_of_one(name) else (1, 4, "")
    spread = "" if std is None else f" ± {scale * std:.{digits}f}"
    return f"{scale * value:.{digits}f}{spread}{unit}"
