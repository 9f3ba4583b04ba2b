"""What an export reached, for people and for programs."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from asc_experiments.edge.comparison import PYTORCH
from asc_experiments.edge.export import Exported
from asc_experiments.edge.order import FINE_TUNED, FLOAT, INT8
from asc_experiments.metrics import ACCURACY, DEVICE, DG, GROUP, OVERALL_ACCURACY, accuracy_of
from asc_experiments.report.render.table import Table, columns, percent, text

POINT = 0.01
"""The most that a file may lose to PyTorch before something is to be done about it."""
_NAMES = {
    PYTORCH: "float32, PyTorch",
    FLOAT: "float32, exported",
    INT8: "int8, quantised after training",
    FINE_TUNED: "int8, fine-tuned",
}
_GROUPS = ("real", "seen", "unseen")


def facts(exported: Exported) -> dict[str, Any]:
    """An export as JSON takes it."""
    return asdict(exported) | {"file": str(exported.file)}


def summary(exported: Exported) -> dict[str, str]:
    """An export's facts as people read them."""
    size, latency, costs = exported.bytes, exported.latency, exported.complexity
    clip = "one second" if exported.seconds == 1 else f"one clip of {exported.seconds:g} s"
    shown = {
        "file": str(exported.file),
        "bytes": f"{exported.file_bytes:,}",
        "model": f"models:/{exported.model}",
        "bytes, network": f"{size.network:,}",
        "bytes, weights": f"{size.weights:,}" + (f", and {size.scales:,} of scales" if size.scales else ""),
        "parameters": f"{costs.parameters:,}",
        "MACs (ptflops)": f"{costs.macs:,} for {clip}",
        "MACs (torchinfo)": f"{costs.macs_torchinfo:,} for {clip}, DCASE's rule",
        "latency": f"{latency.median_ms:.2f} ms (80 % within {latency.fast_ms:.2f} to {latency.slow_ms:.2f} ms)",
        "": f"median of {latency.repeats} times {clip}, onnxruntime, one thread, batch 1, this machine",
    }
    if exported.format == FLOAT:
        on = "the test fold" if exported.compared.scorecards else "noise"
        shown["largest difference"] = f"{exported.compared.difference[FLOAT]:.1e} in logits to PyTorch, on {on}"
    return shown


def accuracy_table(exported: Exported) -> Table | None:
    """Accuracies and DG of PyTorch and of every file; None without a corpus."""
    cards = exported.compared.scorecards
    if not cards:
        return None
    devices = sorted(ACCURACY.of(DEVICE).members(cards[PYTORCH]).values())
    groups = [accuracy_of(GROUP, group) for group in _GROUPS if accuracy_of(GROUP, group) in cards[PYTORCH]]
    names = [OVERALL_ACCURACY, *groups, DG, *devices]
    headings = ["", *("DG" if name == DG else name.rpartition("/")[2] for name in names)]
    rows = tuple((text(_NAMES[file]), *(percent(card[name]) for name in names)) for file, card in cards.items())
    return Table("accuracy in % on the test fold, and DG", columns(*headings, texts=("",)), rows)


def advice(exported: Exported) -> str:
    """What to do where a file loses more than a point to PyTorch; empty where it does not."""
    cards = exported.compared.scorecards
    if not cards:
        return ""
    overall = {name: card[OVERALL_ACCURACY] for name, card in cards.items()}
    lost = overall[PYTORCH] - overall[exported.format]
    if lost <= POINT:
        return ""
    remedy = ""
    if exported.format == INT8:
        remedy = "; try --finetune 5"
    elif exported.format == FINE_TUNED:
        better = overall[INT8] >= overall[FINE_TUNED]
        remedy = "; leave --finetune out, int8 reaches more without" if better else "; try more epochs of --finetune"
    return f"{_NAMES[exported.format]}: {100 * lost:.1f} points less than PyTorch{remedy}"
