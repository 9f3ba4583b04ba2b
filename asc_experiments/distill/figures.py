"""The figures of a run in the tracking server: accuracy per device, and which scenes are taken for which."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from asc_experiments.distill.training_context import TrainingContext
from asc_experiments.metrics import ACCURACY, DEVICE
from asc_experiments.tracking import Run
from asc_experiments.training.figures import Bars, confusion_figure, confusions, device_figure


def log_figures(
    bench: TrainingContext, run: Run, title: str, logits: Sequence[np.ndarray], bars: Sequence[Bars]
) -> None:
    """Log ``figures/devices.png`` and ``figures/confusion.png`` of the test fold.

    Args:
        bench: corpus and split.
        run: where they go.
        title: whose they are.
        logits: ``(clips, scenes)`` by the corpus's rows, one table per seed; their confusions are added up.
        bars: what the figure per device shows. Without any, or where test clips have no logits, nothing is logged.
    """
    rows = bench.corpus.test_rows
    if not bars or any(np.isnan(table[rows]).any() for table in logits):
        return
    run.content(device_figure(title, bars, bench.device_groups), "figures/devices.png")
    labels = bench.corpus.labels[rows]
    counts = np.sum([confusions(table[rows], labels) for table in logits], axis=0)
    run.content(confusion_figure(f"{title}: confusions", counts, bench.corpus.scenes), "figures/confusion.png")


def bars_of(label: str, metrics: Mapping[str, float], prefix: str = "", spread: str = "") -> list[Bars]:
    """The accuracies per device among a run's metrics as bars; none where there are none.

    Args:
        label: whose they are.
        metrics: of the run.
        prefix: of the metrics' names, such as ``ensemble``.
        spread: prefix of the standard deviations' names, where they are to be shown.
    """
    accuracies = _per_device(metrics, prefix)
    return [Bars(label, accuracies, _per_device(metrics, spread) if spread else {})] if accuracies else []


def _per_device(metrics: Mapping[str, float], prefix: str) -> dict[str, float]:
    return {device: metrics[name] for device, name in ACCURACY.of(DEVICE).on(prefix).members(metrics).items()}
