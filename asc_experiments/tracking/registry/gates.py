"""Gates: what a network must keep to before it is registered, measured on the network that is shipped.

Accuracies and DG are of this one network, on so many clips of the test fold; at other places it may come out otherwise,
and an interval says how far. A gate asks what was measured, and says so where its limit lies within that interval.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from asc_experiments.base.errors import AscError
from asc_experiments.metrics import DG, OVERALL_ACCURACY, UNSEEN_ACCURACY
from asc_experiments.statistics import dg_floor, level
from asc_experiments.statistics.wording import clips_in_words, counted
from asc_experiments.tracking.registry.candidate import Candidate

BYTES_AT = {"int8": 1, "float16": 2, "float32": 4}
"""Bytes of one parameter. Registered weights are float32; DCASE's 128 kB are 128,000 parameters at int8."""


@dataclass(frozen=True)
class Gates:
    """Limits; None is no gate.

    Attributes:
        max_parameters: trainable parameters.
        max_macs: multiply-accumulate operations for one second of sound, counted as ptflops does it.
        max_bytes: of the parameters at ``precision``; buffers such as running means are not counted, as in DCASE.
        min_accuracy: overall on the test fold, 0 to 1.
        min_unseen: accuracy on the test fold's unseen devices, 0 to 1.
        max_dg: standard deviation of the accuracies per device of the test fold, 0 to 1.
        precision: what ``max_bytes`` counts at, of :data:`BYTES_AT`.
        max_macs_torchinfo: the same operations by torchinfo, as DCASE counts since 2024.
    """

    max_parameters: int | None = None
    max_macs: int | None = None
    max_bytes: int | None = None
    min_accuracy: float | None = None
    min_unseen: float | None = None
    max_dg: float | None = None
    precision: str = "int8"
    max_macs_torchinfo: int | None = None

    def __post_init__(self) -> None:
        """Refuse what is meant in percent.

        Raises:
            AscError: if an accuracy or DG does not lie between 0 and 1.
        """
        for option, value in (
            ("--min-accuracy", self.min_accuracy), ("--min-unseen", self.min_unseen), ("--max-dg", self.max_dg),
        ):  # fmt: skip
            if value is not None and not 0 <= value <= 1:
                meant = 1 < value <= 100
                remedy = f"for {value:g} % write {value / 100:g}" if meant else "write a number from 0 to 1"
                raise AscError(f"{option} {value:g}", "is not a part of one", remedy)


@dataclass(frozen=True)
class Measured:
    """One property of the network that is shipped, beside the trial's mean, and its gate where there is one.

    Attributes:
        name: of the property.
        option: of the gate, such as ``max_parameters``.
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
        """A number of this property as people read it: counts whole, parts of one with four digits."""
        if number is None:
            return ""
        return f"{number:.4f}" if self.option in ("min_accuracy", "min_unseen", "max_dg") else f"{number:,.0f}"


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
    costs = candidate.complexity
    size = BYTES_AT[gates.precision] * costs.parameters
    measured = [
        Measured("parameters", "max_parameters", costs.parameters, limit=gates.max_parameters),
        Measured("MACs per second (ptflops)", "max_macs", costs.macs, limit=gates.max_macs),
        Measured(
            "MACs per second (torchinfo)",
            "max_macs_torchinfo",
            costs.macs_torchinfo,
            limit=gates.max_macs_torchinfo,
        ),
        Measured(f"bytes at {gates.precision}", "max_bytes", size, limit=gates.max_bytes),
    ]
    for name, option, metric, limit in (
        ("accuracy", "min_accuracy", OVERALL_ACCURACY, gates.min_accuracy),
        ("accuracy, unseen", "min_unseen", UNSEEN_ACCURACY, gates.min_unseen),
        ("DG", "max_dg", DG, gates.max_dg),
    ):
        value = candidate.own.metrics.get(metric)
        if value is not None and math.isfinite(value):
            mean, std = candidate.trial.metrics.get(metric), candidate.spread(metric)
            measured.append(Measured(name, option, value, mean, std, limit, **_basis(candidate, metric)))
        elif limit is not None:
            where = f"--{option.replace('_', '-')} {limit:g}"
            raise AscError(where, f"the network of {candidate.trial.name} has no {metric}", "leave it out")
    return measured


def _basis(candidate: Candidate, metric: str) -> dict[str, Any]:
    """What a metric of the network is measured on, and how sure it is; nothing where its answers are not kept."""
    table = candidate.evidence
    if table is None or not table.concerns(metric):
        clips = candidate.data.test_clips if metric == OVERALL_ACCURACY else None
        return {"clips": counted(clips, "test clip")} if clips else {}
    known = level(table, metric, fixed_students=True)
    bounds = {"low": max(0.0, known.low), "high": min(1.0, known.high)} if known.is_known else {}
    floor = {"floor": dg_floor(table)} if metric == DG else {}
    return {"clips": clips_in_words(table, metric), "picked_from": candidate.picked_from} | bounds | floor
