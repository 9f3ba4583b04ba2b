"""An export is told honestly: what it lost, and what to do about it."""

from pathlib import Path

import pytest

from asc_experiments.edge.compact import Bytes
from asc_experiments.edge.comparison import PYTORCH, Compared
from asc_experiments.edge.export import Exported
from asc_experiments.edge.order import FINE_TUNED, FLOAT, INT8
from asc_experiments.edge.running import Latency
from asc_experiments.edge.text import accuracy_table, advice, facts, summary
from asc_experiments.models import Complexity


def exported(seconds: float = 1.0, **accuracies: float) -> Exported:
    """An export that reached these accuracies; the last one is the file's."""
    cards = {
        name: {"accuracy/overall": value, "accuracy/device/s4": value, "device_generalization": 0.1}
        for name, value in accuracies.items()
    }
    format = list(accuracies or [FLOAT])[-1]
    return Exported(
        Path("a.onnx"), format, "m-1", None, 139_000, Bytes(126_988, 4_300, 139_000),
        Complexity(126_952, 28_889_088, 28_893_268, 507_808),
        Latency(0.6, 0.5, 0.9, 200), seconds, Compared({FLOAT: 2e-6}, cards),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("accuracies", "told"),
    [
        ({}, ""),
        ({PYTORCH: 0.6, FLOAT: 0.6}, ""),
        ({PYTORCH: 0.6, INT8: 0.591}, ""),
        ({PYTORCH: 0.6, INT8: 0.58}, "2.0 points less than PyTorch; try --finetune"),
        ({PYTORCH: 0.6, INT8: 0.5, FINE_TUNED: 0.58}, "2.0 points less than PyTorch; try more epochs"),
        ({PYTORCH: 0.6, INT8: 0.59, FINE_TUNED: 0.58}, "leave --finetune out"),
        ({PYTORCH: 0.6, INT8: 0.5, FINE_TUNED: 0.6}, ""),
    ],
)
def test_more_than_a_point_lost_is_told_with_what_to_do(accuracies: dict[str, float], told: str) -> None:
    said = advice(exported(**accuracies))
    assert told in said
    assert bool(said) == bool(told)


def test_table_has_a_row_for_each_and_no_column_for_groups_that_are_not_there() -> None:
    table = accuracy_table(exported(**{PYTORCH: 0.6, INT8: 0.58}))
    assert table is not None
    assert [column.heading for column in table.columns] == ["", "overall", "DG", "s4"]
    assert [row[1].text for row in table.rows] == ["60.0", "58.0"]
    assert accuracy_table(exported()) is None


def test_latency_is_told_with_how_it_was_measured() -> None:
    shown = " ".join(summary(exported()).values())
    for part in ("0.60 ms", "0.50 to 0.90 ms", "200", "one thread, batch 1", "126,988", "4,300 of scales"):
        assert part in shown
    assert facts(exported())["latency"]["median_ms"] == 0.6


@pytest.mark.parametrize(
    ("seconds", "clip"), [(1.0, "one second"), (0.5, "one clip of 0.5 s"), (10.0, "one clip of 10 s")]
)
def test_counts_and_latency_say_the_clip_that_they_are_of(seconds: float, clip: str) -> None:
    shown = summary(exported(seconds=seconds))
    assert shown["MACs (ptflops)"] == f"28,889,088 for {clip}"
    assert shown[""].startswith(f"median of 200 times {clip}, onnxruntime")
