"""The comparison of a study: its students, its teachers, and every device, side by side.

Pure functions from run records to rows; drawing is done elsewhere.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from asc_experiments.metrics import (
    DEVICE,
    DG,
    ENSEMBLE,
    GROUP,
    OVERALL_ACCURACY,
    VALIDATION,
    accuracy_of,
    further_metrics,
    is_better_higher,
)
from asc_experiments.report.analysis.pareto import non_dominated
from asc_experiments.report.data.loading import read_studies
from asc_experiments.report.data.study_runs import GROUPS, StudyRuns, device_names, spread
from asc_experiments.tracking import RunRecord, Tracking
from asc_experiments.tracking.objective import ObjectiveClips
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
    SPLIT,
    STUDY,
    TEACHER_KEY,
    TRIAL,
    last_replicated,
    searched_of,
)

_COLUMNS = {"overall": OVERALL_ACCURACY, "DG": DG} | {g: accuracy_of(GROUP, g) for g in GROUPS}


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
        clips: what the objective is measured on, in words; empty where an earlier version did not count.
        pooled: how many finished trials are told by a later one of the same settings.
        left_out: how many finished trials are of other studies of that name, and not among the rows.
    """

    study: str
    objective: str
    split: str
    direction: str
    devices: tuple[str, ...]
    rows: tuple[dict[str, Any], ...]
    published: tuple[dict[str, Any], ...] = ()
    against: tuple[str, str] | None = None
    clips: str = ""
    pooled: int = 0
    left_out: int = 0

    @property
    def students(self) -> tuple[dict[str, Any], ...]:
        """The rows of students."""
        return tuple(row for row in self.rows if row["kind"] == "student")

    @property
    def front(self) -> frozenset[str]:
        """The run ids of students that no other beats in both objectives; empty where a study has one."""
        if not self.against:
            return frozenset()
        signs = [-1.0 if direction == "maximize" else 1.0 for direction in (self.direction, self.against[1])]
        students = self.students
        front = non_dominated([(signs[0] * row["objective"], signs[1] * row["against"]) for row in students])
        return frozenset(students[place]["run_id"] for place in front)

    def facts(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "study": self.study,
            "objective": self.objective,
            "split": self.split,
            "direction": self.direction,
            "against": self.against,
            "objective_clips": self.clips,
            "pooled": self.pooled,
            "left_out": self.left_out,
            "rows": list(self.rows),
            "published": list(self.published),
        }


def compare_study(tracking: Tracking, study: str) -> Comparison:
    """Read a study's finished trials and the teachers they used.

    Raises:
        AscError: if the tracking server knows no such study.
    """
    return compare_runs(read_studies(tracking, [study])[0])


def compare_runs(study: StudyRuns) -> Comparison:
    """The comparison of a study that was read before."""
    published = json.loads(study.tags.get(PUBLISHED, "[]"))
    found = build_comparison(study.name, study.trials, list(study.teachers.values()), published, study.devices)
    clips = ObjectiveClips.from_tags(study.first)
    return replace(found, clips="" if clips is None else clips.note, pooled=study.pooled, left_out=study.left_out)


def build_comparison(
    study: str,
    trials: Sequence[RunRecord],
    teachers: Sequence[RunRecord],
    published: Sequence[dict[str, Any]] = (),
    devices: Sequence[str] | None = None,
) -> Comparison:
    """Arrange trials and teachers as rows with the same columns; accuracies as parts of one.

    Args:
        study: its name.
        trials: the finished ones.
        teachers: those that they learned from.
        published: figures to be read beside them.
        devices: the columns; by default the devices of the trials by name.
    """
    devices = tuple(sorted(device_names(trials)) if devices is None else devices)
    first = trials[0].tags if trials else {}
    sign = -1.0 if first.get(DIRECTION) == "maximize" else 1.0
    ordered = sorted(trials, key=lambda record: sign * record.metrics[OBJECTIVE_VALUE])
    again = {record.run_id for record in last_replicated(trials)}
    rows = [_student_row(record, devices, again) for record in ordered] + [_teacher_row(t, devices) for t in teachers]
    told = (first.get(OBJECTIVE, ""), first.get(SPLIT, ""), first.get(DIRECTION, "maximize"))
    figures = [figure | {"ours": _ours(figure, trials)} for figure in published]
    against = None
    if AGAINST in first:
        better_higher = is_better_higher(first[AGAINST].removeprefix(f"{VALIDATION}/"))
        against = (first[AGAINST], "maximize" if better_higher else "minimize")
    return Comparison(study, *told, devices, tuple(rows), tuple(figures), against)


def _ours(figure: Mapping[str, Any], trials: Sequence[RunRecord]) -> dict[str, float]:
    """Our value of each metric of a published figure, of the trial that stands for it."""
    record = stands_for(figure, trials)
    if record is None:
        return {}
    # An ensemble of one teacher is that teacher.
    names = {name: name.replace("teacher/", f"{ENSEMBLE}/") for name in figure["metrics"]}
    return {name: record.metrics[ours] for name, ours in names.items() if ours in record.metrics}


def stands_for(figure: Mapping[str, Any], trials: Sequence[RunRecord]) -> RunRecord | None:
    """The first trial with the parameters of a published figure; None if the figure names none, or none has them."""
    for record in trials:
        searched = searched_of(record)
        if figure["params"] and figure["params"].items() <= searched.items():
            return record
    return None


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
        "std": metrics.get(REPLICATED_STD),
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
        "overall": metrics.get(OVERALL_ACCURACY),
        **{group: metrics.get(accuracy_of(GROUP, group)) for group in GROUPS},
        "DG": metrics.get(DG),
        "devices": {device: metrics.get(accuracy_of(DEVICE, device)) for device in devices},
        "further": {metric.title: metrics[str(metric.key)] for metric in further_metrics(metrics)},
        "std": _spreads(metrics, _COLUMNS),
        "device_std": _spreads(metrics, {device: accuracy_of(DEVICE, device) for device in devices}),
        "parameters": metrics.get("complexity/parameters"),
        "macs": metrics.get("complexity/macs"),
        "macs_torchinfo": metrics.get("complexity/macs_torchinfo"),
    }


def _spreads(metrics: Mapping[str, float], names: Mapping[str, str]) -> dict[str, float]:
    """The standard deviations over seeds that are known, by the short names of their metrics."""
    found = {short: spread(metrics, name) for short, name in names.items()}
    return {short: value for short, value in found.items() if value is not None}
