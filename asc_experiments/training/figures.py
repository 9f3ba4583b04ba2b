"""Figures of a Scorecard for the tracking server's pages: accuracy per device, and which scenes are taken for which."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:  # half a second and 25 MB, of whoever draws none too
    from matplotlib.figure import Figure

_COLOURS = ("#0072b2", "#e69f00", "#999999")  # told apart by colour-blind eyes and in grey (Okabe and Ito)
_DPI = 110


@dataclass(frozen=True)
class Bars:
    """One network's bars.

    Attributes:
        label: whose they are.
        accuracies: by device, 0 to 1.
        spreads: standard deviations by device, where they are known.
    """

    label: str
    accuracies: Mapping[str, float]
    spreads: Mapping[str, float]


def device_figure(title: str, series: Sequence[Bars], groups: Mapping[str, str]) -> bytes:
    """Accuracy per device as bars, one colour per network, the devices by group; a PNG.

    Args:
        title: above the figure.
        series: one to three networks that heard the same devices.
        groups: the group of each device.
    """
    from matplotlib.figure import Figure

    devices = sorted(series[0].accuracies, key=lambda device: (groups.get(device, ""), device))
    figure = Figure(figsize=(8, 3.6), dpi=_DPI, layout="constrained")
    axes = figure.subplots()
    width = 0.8 / len(series)
    for number, bars in enumerate(series):
        offsets = np.arange(len(devices)) + (number - (len(series) - 1) / 2) * width
        heights = [100 * bars.accuracies.get(device, np.nan) for device in devices]
        spreads = [100 * bars.spreads.get(device, 0.0) for device in devices] if bars.spreads else None
        axes.bar(offsets, heights, width, yerr=spreads, capsize=2, color=_COLOURS[number], label=bars.label)
    axes.set_xticks(range(len(devices)), [f"{device}\n{groups.get(device, '')}" for device in devices])
    axes.set(ylim=(0, 105), xlabel="device and its group", ylabel="accuracy on the test fold in %")
    axes.set_title(title, fontsize=10, loc="left", wrap=True)
    axes.grid(axis="y", alpha=0.3)
    axes.set_axisbelow(True)
    figure.legend(fontsize=8, loc="outside lower center", ncols=len(series))
    return _png(figure)


def confusions(logits: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """How many clips of each scene (rows) were taken for which (columns); ``(scenes, scenes)``.

    Args:
        logits: ``(clips, scenes)``.
        labels: ``(clips,)``, indices into the scenes.
    """
    counts = np.zeros((logits.shape[1], logits.shape[1]), dtype=np.int64)
    np.add.at(counts, (labels, logits.argmax(axis=1)), 1)
    return counts


def confusion_figure(title: str, counts: np.ndarray, scenes: Sequence[str]) -> bytes:
    """A confusion matrix in percent of each scene's clips; a PNG.

    Args:
        title: above the figure.
        counts: of :func:`confusions`.
        scenes: the scenes' names.
    """
    from matplotlib.figure import Figure

    totals = counts.sum(axis=1, keepdims=True)
    percent = 100 * counts / np.maximum(totals, 1)
    size = 3.2 + 0.42 * len(scenes)
    figure = Figure(figsize=(size + 0.8, size), dpi=_DPI, layout="constrained")
    axes = figure.subplots()
    image = axes.imshow(percent, cmap="Blues", vmin=0, vmax=100)
    axes.set_xticks(range(len(scenes)), scenes, rotation=45, ha="right", fontsize=8)
    axes.set_yticks(range(len(scenes)), scenes, fontsize=8)
    axes.set(xlabel="scene that was chosen", ylabel="scene that it is")
    axes.set_title(title, fontsize=10, loc="left", wrap=True)
    for row, column in zip(*np.nonzero(counts), strict=True):
        value = percent[row, column]
        colour = "white" if value > 55 else "black"
        axes.text(column, row, f"{value:.0f}", ha="center", va="center", fontsize=7, color=colour)
    figure.colorbar(image, ax=axes, shrink=0.8, label="% of the scene's clips")
    return _png(figure)


def _png(figure: Figure) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None})  # the same figure gives the same bytes
    return buffer.getvalue()
