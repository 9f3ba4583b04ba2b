"""Two ways of doing the same, timed in turn in one run, so that what else the machine does meets both."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch

from asc_experiments.bench.machine import wait_for


@dataclass(frozen=True)
class Measured:
    """One line of the table.

    Attributes:
        value: the median of this program.
        unit: clips_per_s or another; of which more is better only if it ends in ``_per_s``.
        plain: the median of the baseline, None where there is none.
        ratios: of every round, lowest and highest, how many times better than the baseline.
        floor: what the machine could do at best, None where that is not known.
    """

    value: float
    unit: str
    plain: float | None = None
    ratio: float | None = None
    ratios: tuple[float, float] | None = None
    floor: float | None = None

    def facts(self) -> dict[str, float]:
        """Everything that is known, by name."""
        facts = {self.unit: self.value}
        if self.plain is not None and self.ratio is not None and self.ratios is not None:
            facts |= {f"plain_{self.unit}": self.plain, "ratio": self.ratio}
            facts |= {"lowest_ratio": self.ratios[0], "highest_ratio": self.ratios[1]}
        if self.floor is not None:
            facts |= {f"floor_{self.unit}": self.floor, "of_floor": self.value / self.floor}
        return facts


def compare(
    ours: Callable[[], object],
    plain: Callable[[], object] | None,
    clips: int,
    rounds: int,
    device: torch.device,
    floor: float | None = None,
    plain_clips: int | None = None,
) -> Measured:
    """Clips per second of this program and of the baseline, in turn, after one round of each that does not count.

    Args:
        ours: does the work on all clips.
        plain: does the same as the baseline.
        clips: how many.
        rounds: how often.
        device: is waited for.
        floor: clips per second at best.
        plain_clips: how many clips the baseline does it on, if not on as many.
    """
    counts = (clips, plain_clips or clips)
    ways = [ours] if plain is None else [ours, plain]
    rates: list[list[float]] = [[] for _ in ways]
    for number in range(rounds + 1):
        for way, into, count in zip(ways, rates, counts, strict=False):
            wait_for(device)
            before = time.perf_counter()
            way()
            wait_for(device)
            if number:
                into.append(count / (time.perf_counter() - before))
    value = statistics.median(rates[0])
    if plain is None:
        return Measured(value, "clips_per_s", floor=floor)
    ratios = [a / b for a, b in zip(*rates, strict=True)]
    of_plain = statistics.median(rates[1])
    return Measured(value, "clips_per_s", of_plain, statistics.median(ratios), (min(ratios), max(ratios)), floor)


def median_ms(work: Callable[[], object], times: int) -> float:
    """Milliseconds of a piece of work, the median of a few times after one that does not count."""
    measured = []
    for _ in range(times + 1):
        before = time.perf_counter()
        work()
        measured.append(1_000 * (time.perf_counter() - before))
    return statistics.median(measured[1:])
