"""What a network for each device gains over the one student for all devices that it was made of."""

from __future__ import annotations

import math
from dataclasses import dataclass

from asc_experiments.metrics import GAIN, GENERAL, MACRO_ACCURACY, OVERALL_ACCURACY
from asc_experiments.report.data.study_runs import StudyRuns, number_of
from asc_experiments.report.words import counted, difference_of, interval_of
from asc_experiments.tracking import RunRecord


@dataclass(frozen=True)
class DeviceGain:
    """One metric of a trial's students.

    Attributes:
        general: of the students for all devices, the mean over them.
        by_device: of the same with a network for each device.
        gain: their difference.
        interval: its ends; None where it is not known.
    """

    general: float
    by_device: float
    gain: float
    interval: tuple[float, float] | None


def device_gain(trial: RunRecord, metric: str) -> DeviceGain | None:
    """What networks for devices gain in a metric; None where a trial has none, or was not measured by it.

    Args:
        trial: its run.
        metric: such as ``accuracy/device/a``.
    """
    names = (f"{GENERAL}/{metric}", metric, f"{GAIN}/{metric}")
    values = [trial.metrics.get(name, math.nan) for name in names]
    if not all(map(math.isfinite, values)):
        return None
    low, high = (trial.metrics.get(f"{GAIN}/{end}/{metric}") for end in ("low", "high"))
    general, by_device, gain = values
    return DeviceGain(general, by_device, gain, None if low is None or high is None else (low, high))


def with_device_networks(runs: StudyRuns) -> tuple[RunRecord, ...]:
    """The trials whose students have networks for devices, best first."""
    return tuple(trial for trial in runs.best_first if device_gain(trial, OVERALL_ACCURACY) is not None)


def device_gain_in_words(runs: StudyRuns, trial: RunRecord) -> str:
    """What the networks for devices of a trial's students gain, in a sentence; empty where they have none."""
    found = device_gain(trial, MACRO_ACCURACY)
    if found is None:
        return ""
    students = counted(runs.count(trial), "student")
    said = (
        f"A network for each device: trial {number_of(trial)} reaches {100 * found.by_device:.1f} % "
        f"(macro, test fold), and the same {students} with one network for all devices {100 * found.general:.1f} %: "
        f"{difference_of(MACRO_ACCURACY, found.gain)}"
    )
    if found.interval is None:
        return f"{said}; how sure that is is not known."
    low, high = found.interval
    verdict = "more than noise" if low > 0 or high < 0 else "no more than noise"
    return f"{said} (95 % interval {interval_of(MACRO_ACCURACY, low, high)}: {verdict})."
