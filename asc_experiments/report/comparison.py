"""The comparison of a study: its students, its teachers, and every device, side by side.

Pure functions from run records to rows; drawing is done elsewhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from asc_experiments.tracking import RunRecord, Tracking
from asc_experiments.tracking.trials import DIRECTION, OBJECTIVE, OBJECTIVE_VALUE, SPLIT, STUDY, TRIAL, finished_trials

_TEACHER_KEY, _TEACHERS = "asc.teacher", "asc.teachers"
GROUPS = ("real", "seen", "unseen")


@dataclass(frozen=True)
class Comparison:
    """What a study found.

    Attributes:
        study: its name.
        objective: the metric that trials were chosen by.
        split: what it was measured on; ``test`` means that the winner was chosen on the test fold.
        devices: the devices of the test fold, the columns of ``rows``.
        rows: students first, best objective first, then the teachers they learned from.
    """

    study: str
    objective: str
    split: str
    devices: tuple[str, ...]
    rows: tuple[dict[str, Any], ...]

    def facts(self) -> dict[str, Any]:
        """For JSON."""
        return {"study": self.study, "objective": self.objective, "split": self.split, "rows": list(self.rows)}


def compare_study(tracking: Tracking, study: str) -> Comparison:
    """Read a study's finished trials and the teachers they used.

    Raises:
        AscError: if the tracking server knows no such study.
    """
    trials = finished_trials(tracking, study)
    keys = list(dict.fromkeys(key for trial in trials for key in trial.tags.get(_TEACHERS, "").split(",") if key))
    teachers = _teachers(tracking, keys)
    return build_comparison(study, trials, teachers)


def build_comparison(study: str, trials: Sequence[RunRecord], teachers: Sequence[RunRecord]) -> Comparison:
    """Arrange trials and teachers as rows with the same columns; accuracies as parts of one."""
    prefix = "accuracy/device/"
    names = {name for record in trials for name in record.metrics if name.startswith(prefix)}
    devices = tuple(sorted(name.removeprefix(prefix) for name in names if not name.endswith("_std")))
    first = trials[0].tags if trials else {}
    sign = -1.0 if first.get(DIRECTION) == "maximize" else 1.0
    ordered = sorted(trials, key=lambda record: sign * record.metrics[OBJECTIVE_VALUE])
    rows = [_student_row(record, devices) for record in ordered] + [_teacher_row(t, devices) for t in teachers]
    return Comparison(study, first.get(OBJECTIVE, ""), first.get(SPLIT, ""), devices, tuple(rows))


def _teachers(tracking: Tracking, keys: Sequence[str]) -> list[RunRecord]:
    if not keys or not tracking.has_experiment("teachers"):
        return []
    records = tracking.search([tracking.experiment("teachers")], "attributes.status = 'FINISHED'")
    found = {record.tags.get(_TEACHER_KEY): record for record in reversed(records)}
    return [found[key] for key in keys if key in found]


def _student_row(record: RunRecord, devices: Sequence[str]) -> dict[str, Any]:
    return {
        "kind": "student",
        "name": f"trial {record.tags[TRIAL]}",
        "trained": f"{record.params.get('student.size', '?')} {record.params.get('student.augment', '?')}",
        "teachers": record.params.get("teachers", ""),
        "objective": record.metrics[OBJECTIVE_VALUE],
        **_scores(record, devices),
        "run_id": record.run_id,
        "study": record.tags[STUDY],
    }


def _teacher_row(record: RunRecord, devices: Sequence[str]) -> dict[str, Any]:
    return {
        "kind": "teacher",
        "name": record.name,
        "trained": f"{record.params.get('size', '?')} {record.params.get('augment', '?')}",
        "teachers": "",
        "objective": None,
        **_scores(record, devices),
        "run_id": record.run_id,
        "key": record.tags[_TEACHER_KEY],
    }


def _scores(record: RunRecord, devices: Sequence[str]) -> dict[str, Any]:
    metrics = record.metrics
    return {
        "overall": metrics.get("accuracy/overall"),
        **{group: metrics.get(f"accuracy/group/{group}") for group in GROUPS},
        "DG": metrics.get("device_generalization"),
        "devices": {device: metrics.get(f"accuracy/device/{device}") for device in devices},
        "parameters": metrics.get("complexity/parameters"),
        "macs": metrics.get("complexity/macs"),
    }
