"""The section of networks for devices: what they give where the recording device is known."""

from __future__ import annotations

from dataclasses import replace

from asc_experiments.metrics import DEVICE, MACRO_ACCURACY, OVERALL_ACCURACY, accuracy_of
from asc_experiments.report.analysis.device_networks import device_gain, device_gain_in_words, with_device_networks
from asc_experiments.report.analysis.findings import Findings
from asc_experiments.report.data.study_runs import group_word, number_of
from asc_experiments.report.render.blocks import Section
from asc_experiments.report.render.table import Cell, Column, Table, percent, points, text
from asc_experiments.tracking import RunRecord

_TITLE = "Does it help to know the device?"
_NONE = (
    "One network served all devices; `specialise: known` in a study file makes one for each too, and shows the gain."
)


def device_networks_section(findings: Findings) -> Section:
    """Students with a network for each device beside the same students with one for all."""
    runs = findings.runs
    trials = with_device_networks(runs)
    if not trials:
        return Section("device-networks", _TITLE, (_NONE,))
    return Section("device-networks", _TITLE, (device_gain_in_words(runs, trials[0]), _table(findings, trials)))


def _table(findings: Findings, trials: tuple[RunRecord, ...]) -> Table:
    runs = findings.runs
    parts = [("overall", OVERALL_ACCURACY), ("macro", MACRO_ACCURACY)]
    parts += [(device, accuracy_of(DEVICE, device)) for device in runs.devices]
    rows: list[tuple[Cell, ...]] = []
    for trial in trials:
        found = [device_gain(trial, metric) for _, metric in parts]
        name = f"trial {number_of(trial)}"
        rows.append(
            (text(name), text("one for all"), *(percent(None if each is None else each.general) for each in found))
        )
        rows.append(
            (text(name), text("by device"), *(percent(None if each is None else each.by_device) for each in found))
        )
        gains = [
            replace(points(each.gain), note=_interval(each.interval)) if each is not None else Cell("")
            for each in found
        ]
        rows.append((text(name), text("gain"), *gains))
    heads = [Column("student", is_number=False), Column("networks", is_number=False)]
    heads += [Column(heading, group_word(runs.group_of.get(heading, ""))) for heading, _ in parts]
    caption = (
        "Accuracy in the test fold in %, means over students, and the gain in points; in brackets 95 % intervals over "
        "places and students, each for itself. A device without a network of its own has the general one: gain 0"
    )
    return Table(caption, tuple(heads), tuple(rows))


def _interval(ends: tuple[float, float] | None) -> str:
    return "not known" if ends is None else f"[{100 * ends[0]:+.1f}, {100 * ends[1]:+.1f}]"
