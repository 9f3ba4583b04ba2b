"""Students and teachers side by side, and which students no other beats."""

from asc_experiments.report.analysis.comparison import build_comparison
from asc_experiments.tracking import RunRecord


def record(name: str, tags: dict[str, str], accuracy: float, **metrics: float) -> RunRecord:
    scores = {
        "accuracy/overall": accuracy, "accuracy/device/a": accuracy, "accuracy/device/s4": accuracy - 0.1,
        "std/accuracy/device/s4": 0.01, "accuracy/group/unseen": accuracy - 0.1, "device_generalization": 0.05,
    }  # fmt: skip
    return RunRecord("r-" + name, "1", name, "FINISHED", {"teachers": "one + two"}, scores | metrics, tags, 0)


def trial(number: int, objective: float, direction: str = "maximize") -> RunRecord:
    tags = {"asc.trial": str(number), "asc.study": "s", "asc.direction": direction, "asc.objective": "accuracy/macro"}
    return record(f"trial {number}", tags | {"asc.objective_split": "validation"}, 0.6, objective=objective)


TEACHER = record("cp_resnet-32-none-s0", {"asc.teacher": "1f"}, 0.7)


def test_best_student_comes_first_then_teachers() -> None:
    comparison = build_comparison("s", [trial(0, 0.5), trial(1, 0.7)], [TEACHER])
    assert [row["name"] for row in comparison.rows] == ["trial 1", "trial 0", "cp_resnet-32-none-s0"]
    assert comparison.devices == ("a", "s4")


def test_smallest_comes_first_where_smaller_is_better() -> None:
    comparison = build_comparison("s", [trial(0, 0.5, "minimize"), trial(1, 0.7, "minimize")], [])
    assert [row["name"] for row in comparison.rows] == ["trial 0", "trial 1"]
