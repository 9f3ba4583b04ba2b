"""The comparison of a study: its students, its teachers, and every device, side by side.

Pure functions from run records to rows; drawing is done elsewhere.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from asc_experiments.tracking import RunRecord, Tracking
from asc_experiments.tracking.trials import (
    AGAINST,
    AGAINST_VALUE,
    BASELINE,
    DIFFERENCE,
    DIRECTION,
    OBJECTIVE,
    OBJECTIVE_VALUE,
    PUBLISHED,
    REPLICATED,
    REPLICATED_STD,
    REPLICATES,
    SEARCHED,
    SPLIT,
    STUDY,
    TEACHER_KEY,
    TEACHERS,
    TRIAL,
    finished_trials,
    last_replicated,
)
from asc_experiments.training.scorecard import is_better_higher

GROUPS = ("real", "seen", "unseen")
_COLUMNS = {"overall": "accuracy/overall", "DG": "device_generalization"} | {g: f"accuracy/group/{g}" for g in GROUPS}


@dataclass(frozen=True)
class Comparison:
    """What a study found.

    Attributes:
        study: its name.
        objective: the metric that trials were chosen by.
        split: what it was measured on; ``test`` means that the winner was chosen on the test fold.
        direction: ``maximize`` or ``minimize``.
        devices: the devices of the test fold, the columns of ``rows``.
        rows: students first, best objective first, then the teachers they learned from.
        published: figures to be read beside them, with ``ours``; those of teachers are called ``teacher/…``.
        against: the metric that the objective was traded against, and its direction.
    """

    study: str
    objective: str
    split: str
    direction: str
    devices: tuple[str, ...]
    rows: tuple[dict[str, Any], ...]
    published: tuple[dict[str, Any], ...] = ()
    against: tuple[str, str] | None = None

    def facts(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "study": self.study,
            "objective": self.objective,
            "split": self.split,
            "direction": self.direction,
            "against": self.against,
            "rows": list(self.rows),
            "published": list(self.published),
        }


def compare_study(tracking: Tracking, study: str) -> Comparison:
    """Read a study's finished trials and the teachers they used.

    Raises:
        AscError: if the tracking server knows no such study.
    """
    trials = finished_trials(tracking, study)
    keys = list(dict.fromkeys(key for trial in trials for key in trial.tags.get(TEACHERS, "").split(",") if key))
    teachers = _teachers(tracking, keys)
    published = json.loads(tracking.experiment_tags(tracking.experiment(study)).get(PUBLISHED, "[]"))
    return build_comparison(study, trials, teachers, published)


def build_comparison(
    study: str,
    trials: Sequence[RunRecord],
    teachers: Sequence[RunRecord],
    published: Sequence[dict[str, Any]] = (),
) -> Comparison:
    """Arrange trials and teachers as rows with the same columns; accuracies as parts of one."""
    prefix = "accuracy/device/"
    names = {name for record in trials for name in record.metrics if name.startswith(prefix)}
    devices = tuple(sorted(name.removeprefix(prefix) for name in names if not name.endswith("_std")))
    first = trials[0].tags if trials else {}
    sign = -1.0 if first.get(DIRECTION) == "maximize" else 1.0
    ordered = sorted(trials, key=lambda record: sign * record.metrics[OBJECTIVE_VALUE])
    again = {record.run_id for record in last_replicated(trials)}
    rows = [_student_row(record, devices, again) for record in ordered] + [_teacher_row(t, devices) for t in teachers]
    told = (first.get(OBJECTIVE, ""), first.get(SPLIT, ""), first.get(DIRECTION, "maximize"))
    figures = [figure | {"ours": _ours(figure, trials)} for figure in published]
    against = None
    if AGAINST in first:
        better_higher = is_better_higher(first[AGAINST].removeprefix("validation/"))
        against = (first[AGAINST], "maximize" if better_higher else "minimize")
    return Comparison(study, *told, devices, tuple(rows), tuple(figures), against)


def _ours(figure: Mapping[str, Any], trials: Sequence[RunRecord]) -> dict[str, float]:
    """Our value of each metric of a published figure, of the first trial with its parameters; none if it names none."""
    for record in trials:
        searched = json.loads(record.tags.get(SEARCHED, "{}"))
        if figure["params"] and figure["params"].items() <= searched.items():
            # An ensemble of one teacher is that teacher.
            names = {name: name.replace("teacher/", "ensemble/") for name in figure["metrics"]}
            return {name: record.metrics[ours] for name, ours in names.items() if ours in record.metrics}
    return {}


def _teachers(tracking: Tracking, keys: Sequence[str]) -> list[RunRecord]:
    if not keys or not tracking.has_experiment("teachers"):
        return []
    records = tracking.search([tracking.experiment("teachers")], "attributes.status = 'FINISHED'")
    found = {record.tags.get(TEACHER_KEY): record for record in reversed(records)}
    return [found[key] for key in keys if key in found]


def _student_row(record: RunRecord, devices: Sequence[str], again: Collection[str]) -> dict[str, Any]:
    return {
        "kind": "student",
        "name": f"trial {record.tags[TRIAL]}",
        "trained": f"{record.params.get('student.size', '?')} {record.params.get('student.augment', '?')}",
        "teachers": record.params.get("teachers", ""),
        "objective": record.metrics[OBJECTIVE_VALUE],
        "against": record.metrics.get(AGAINST_VALUE),
        **_scores(record, devices),
        "replicated": _replicated(record, again),
        "run_id": record.run_id,
        "study": record.tags[STUDY],
    }


def _replicated(record: RunRecord, among: Collection[str]) -> dict[str, Any] | None:
    """What a trial reached with fresh seeds, where it was tried again; the difference is to the baseline's."""
    metrics = record.metrics
    if record.run_id not in among:
        return None
    on_test = f"{DIFFERENCE}/test"
    return {
        "seeds": int(metrics[REPLICATES]),
        "objective": metrics[REPLICATED],
        "std": metrics[REPLICATED_STD],
        "baseline": f"trial {record.tags[BASELINE]}",
        **{key: metrics.get(f"{DIFFERENCE}/{key}") for key in ("difference", "low", "high")},
        "test": {key: metrics.get(f"{on_test}/{key}") for key in ("difference", "low", "high")},
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
        "key": record.tags[TEACHER_KEY],
    }


def _scores(record: RunRecord, devices: Sequence[str]) -> dict[str, Any]:
    metrics = record.metrics
    return {
        "overall": metrics.get("accuracy/overall"),
        **{group: metrics.get(f"accuracy/group/{group}") for group in GROUPS},
        "DG": metrics.get("device_generalization"),
        "devices": {device: metrics.get(f"accuracy/device/{device}") for device in devices},
        "std": {short: metrics[f"{name}_std"] for short, name in _COLUMNS.items() if f"{name}_std" in metrics},
        "parameters": metrics.get("complexity/parameters"),
        "macs": metrics.get("complexity/macs"),
    }
