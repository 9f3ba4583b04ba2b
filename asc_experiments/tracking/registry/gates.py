"""Gates: what a network must keep to before it is registered, measured on the network that is shipped.

Accuracies and DG are of this one network, on so many clips of the test fold; at other places it may come out otherwise,
and an interval says how far. A gate asks what was measured, and says so where its limit lies within that interval.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from asc_experiments.base.errors import AscError, nearest
from asc_experiments.corpus.audio import SAMPLE_RATE, in_seconds
from asc_experiments.metrics import (
    DG,
    METRICS,
    OVERALL,
    OVERALL_ACCURACY,
    UNSEEN_ACCURACY,
    MetricKey,
    further_metrics,
    is_better_higher,
    is_part_of_one,
    metric_names,
)
from asc_experiments.statistics import dg_floor, level
from asc_experiments.statistics.wording import clips_in_words, counted
from asc_experiments.tracking.registry.candidate import Candidate

BYTES_AT = {"int8": 1, "float16": 2, "float32": 4}
"""Bytes of one parameter. Registered weights are float32; DCASE's 128 kB are 128,000 parameters at int8."""
_OPTIONS = {OVERALL_ACCURACY: "min_accuracy", UNSEEN_ACCURACY: "min_unseen", DG: "max_dg"}
"""Metrics whose gates have options of their own."""
_COUNTED = ("max_parameters", "max_macs", "max_macs_torchinfo", "max_bytes")


@dataclass(frozen=True)
class Gates:
    """Limits; None is no gate.

    Attributes:
        max_parameters: trainable parameters.
        max_macs: multiply-accumulate operations for one clip, counted as ptflops does it.
        max_bytes: of the parameters at ``precision``; buffers such as running means are not counted, as in DCASE.
        metrics: limits of metrics on the test fold by their names, such as ``accuracy/group/unseen``: of any
            that is registered, the least where higher is better, else the most; a part of one from 0 to 1.
        precision: what ``max_bytes`` counts at, of :data:`BYTES_AT`.
        max_macs_torchinfo: the same operations by torchinfo, as DCASE counts since 2024.
    """

    max_parameters: int | None = None
    max_macs: int | None = None
    max_bytes: int | None = None
    metrics: Mapping[str, float] = field(default_factory=dict)
    precision: str = "int8"
    max_macs_torchinfo: int | None = None

    def __post_init__(self) -> None:
        """Refuse what no metric is called, and what is meant in percent.

        Raises:
            AscError: if there is no such metric, or a part of one does not lie between 0 and 1.
        """
        for metric, value in self.metrics.items():
            _check_metric(metric, _given(metric, value))
            if is_part_of_one(metric) and not 0 <= value <= 1:
                meant = 1 < value <= 100
                remedy = f"for {value:g} % write {value / 100:g}" if meant else "write a number from 0 to 1"
                raise AscError(_given(metric, value), "is not a part of one", remedy)
            if not math.isfinite(value):
                raise AscError(_given(metric, value), "is no limit", "write a number")


def limits_of(texts: Sequence[str], others: Mapping[str, float | None]) -> dict[str, float]:
    """Limits of metrics, as they were typed.

    Args:
        texts: such as ``accuracy/macro=0.5``.
        others: limits that have options of their own; None where they were not given.

    Raises:
        AscError: if one is no limit, or a metric has two.
    """
    found = {metric: limit for metric, limit in others.items() if limit is not None}
    for each in texts:
        metric, _, limit = each.rpartition("=")
        try:
            value = float(limit)
        except ValueError:
            value = None
        if not metric or value is None:
            raise AscError(f"--gate {each}", "is not METRIC=LIMIT", f"write, for example, {UNSEEN_ACCURACY}=0.5")
        if metric in found:
            raise AscError(f"--gate {each}", "has another limit beside it", "give one of them")
        found[metric] = value
    return found


def _given(metric: str, limit: float) -> str:
    """A limit as it is typed."""
    if metric in _OPTIONS:
        return f"--{_OPTIONS[metric].replace('_', '-')} {limit:g}"
    return f"--gate {metric}={limit:g}"


def _check_metric(name: str, where: str) -> None:
    """Refuse what no metric is called on any test fold.

    Raises:
        AscError: with the nearest names, or all.
    """
    key = MetricKey.parse(name)
    metric, member = METRICS.find(key.name, where), key.member or "NAME"
    if name not in metric_names([member], [member], [member], every=True):
        names = metric_names(["NAME"], ["NAME"], ["NAME"], every=True)
        own = [each for each in names if MetricKey.parse(each).name == metric.name]
        raise AscError(where, f"unknown metric '{name}'", nearest(name, own))


@dataclass(frozen=True)
class Measured:
    """One property of the network that is shipped, beside the trial's mean, and its gate where there is one.

    Attributes:
        name: of the property.
        option: of the gate, such as ``max_parameters`` or ``max_loss/overall``.
        value: of the network that is shipped.
        mean, std: over the trial's students; None where they are all the same, or there is one.
        limit: of the gate; None where there is none.
        clips: what it is measured on, in words; empty for what is counted, or where that is not known.
        low, high: the 95 % interval of this very network at other places; None where that is not known.
        floor: of DG, what a network equally good on every device shows by the luck of so many clips.
        picked_from: from how many networks this one was picked by these very clips; 1 where others chose it.
    """

    name: str
    option: str
    value: float
    mean: float | None = None
    std: float | None = None
    limit: float | None = None
    clips: str = ""
    low: float | None = None
    high: float | None = None
    floor: float | None = None
    picked_from: int = 1

    @property
    def passed(self) -> bool:
        """Whether it keeps to its limit."""
        if self.limit is None:
            return True
        if self.option.startswith("max_"):
            return self.value <= self.limit
        return self.value >= self.limit

    @property
    def comparison(self) -> str:
        """``value ≤ limit`` or ``value > limit``, as it is."""
        if self.limit is None:
            return self.shown(self.value)
        signs = ("≤", ">") if self.option.startswith("max_") else ("≥", "<")
        return f"{self.shown(self.value)} {signs[not self.passed]} {self.shown(self.limit)}"

    @property
    def is_close(self) -> bool:
        """Whether clips of other places could as well have put it on the other side of its limit."""
        bounds = (self.limit, self.low, self.high)
        return None not in bounds and bounds[1] <= bounds[0] <= bounds[2]  # type: ignore[operator]

    @property
    def interval(self) -> str:
        """The ends of the interval; empty where it is not known."""
        if self.low is None or self.high is None:
            return ""
        return f"[{self.shown(self.low)}, {self.shown(self.high)}]"

    @property
    def basis(self) -> str:
        """What it is measured on, how sure that is where it is close, and what DG shows by chance, in words."""
        said = [f"on {self.clips}"] if self.clips else []
        if self.is_close:
            name = "95 % interval" if self.picked_from < 2 else "interval"
            said.append(f"the {name} over places {self.interval} holds the limit")
        if self.floor is not None:
            said.append(f"a network equally good on every device shows about {self.shown(self.floor)}")
        return "; ".join(said)

    @property
    def statement(self) -> str:
        """The comparison with what it is measured on."""
        return f"{self.name} {self.comparison}" + (f" ({self.basis})" if self.basis else "")

    @property
    def limit_shown(self) -> str:
        """``≤ limit`` or ``≥ limit``; empty where there is none."""
        sign = "≤" if self.option.startswith("max_") else "≥"
        return "" if self.limit is None else f"{sign} {self.shown(self.limit)}"

    def shown(self, number: float | None) -> str:
        """A number of this property as people read it: counts whole, metrics with four digits."""
        if number is None:
            return ""
        return f"{number:,.0f}" if self.option in _COUNTED else f"{number:.4f}"


def interval_in_words(picked_from: int) -> str:
    """What an interval is of: of a network that was picked by these very clips it is none of what it will reach.

    Args:
        picked_from: from how many networks it was picked by them; 1 where others chose it.
    """
    said = "95 % interval for this network on other places"
    return said if picked_from < 2 else f"{said}, had it not been picked from {picked_from:,} by these clips"


class GatesFailedError(AscError):
    """The network does not pass; nothing was registered.

    Attributes:
        measured: everything that was measured.
        warning: what must stand beside it; empty for nothing.
    """

    def __init__(self, where: str, measured: Sequence[Measured], warning: str = "") -> None:
        self.measured, self.warning = tuple(measured), warning
        failed = [each.statement for each in measured if not each.passed]
        super().__init__(where, f"does not pass: {', '.join(failed)}", "nothing was registered")


def measure(candidate: Candidate, gates: Gates) -> list[Measured]:
    """Measure the network that would be shipped, and judge it.

    Raises:
        AscError: if a gate concerns what was not measured, such as unseen devices where there are none.
    """
    costs = candidate.complexity  # of each network, where there are some for devices: one answers at a time
    size = BYTES_AT[gates.precision] * costs.parameters
    samples = candidate.network.samples
    clip = "second" if samples == SAMPLE_RATE else f"clip of {in_seconds(samples)}"
    measured = [
        Measured("parameters", "max_parameters", costs.parameters, limit=gates.max_parameters),
        Measured(f"MACs per {clip} (ptflops)", "max_macs", costs.macs, limit=gates.max_macs),
        Measured(
            f"MACs per {clip} (torchinfo)",
            "max_macs_torchinfo",
            costs.macs_torchinfo,
            limit=gates.max_macs_torchinfo,
        ),
        Measured(f"bytes at {gates.precision}", "max_bytes", size, limit=gates.max_bytes),
    ]
    own = candidate.own.metrics
    always = (*_OPTIONS, *(str(metric.key) for metric in further_metrics(own)))
    for metric in dict.fromkeys((*always, *gates.metrics)):
        value, limit = own.get(metric), gates.metrics.get(metric)
        if value is not None and math.isfinite(value):
            mean, std = candidate.trial.metrics.get(metric), candidate.spread(metric)
            measured.append(Measured(*_called(metric), value, mean, std, limit, **_basis(candidate, metric)))
        elif limit is not None:
            start = MetricKey.parse(metric).name
            others = [name for name in own if MetricKey.parse(name).name == start]
            remedy = nearest(metric, others) if others and metric not in _OPTIONS else "leave it out"
            raise AscError(_given(metric, limit), f"the network of {candidate.trial.name} has no {metric}", remedy)
    return measured


def _called(metric: str) -> tuple[str, str]:
    """What a metric is called, and its gate: ``min_`` where higher is better."""
    key = MetricKey.parse(metric)
    clips = "" if key.clips in ("", OVERALL) else f", {key.member or key.part}"
    option = f"{'min' if is_better_higher(metric) else 'max'}_{metric}"
    return METRICS[key.name].title + clips, _OPTIONS.get(metric, option)


def _basis(candidate: Candidate, metric: str) -> dict[str, Any]:
    """What a metric of the network is measured on, and how sure it is; nothing where its answers are not kept."""
    table = candidate.evidence
    if table is None or not table.concerns(metric):
        clips = candidate.data.test_clips if MetricKey.parse(metric).part == OVERALL else None
        return {"clips": counted(clips, "test clip")} if clips else {}
    known = level(table, metric, fixed_students=True)
    low, high = (max(0.0, known.low), min(1.0, known.high)) if is_part_of_one(metric) else (known.low, known.high)
    bounds = {"low": low, "high": high} if known.is_known else {}
    floor = {"floor": dg_floor(table)} if metric == DG else {}
    return {"clips": clips_in_words(table, metric), "picked_from": candidate.picked_from} | bounds | floor
