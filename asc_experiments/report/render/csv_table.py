"""A report as CSV (RFC 4180): a row per student and teacher, all their parameters and metrics as columns.

Names that a spreadsheet would take for a formula get an apostrophe in front; numbers stay numbers.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping, Sequence

from asc_experiments.metrics import STD
from asc_experiments.report.analysis.findings import Findings
from asc_experiments.tracking import RunRecord
from asc_experiments.tracking.trials import keys_of

_ABOUT = ("kind", "study", "name", "key", "run_id", "taught_by", "teachers", "note")
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
Row = dict[str, str | float]


def as_csv(findings: Sequence[Findings]) -> str:
    """Students of every study, best first, then all their teachers, each once; lines end in CR LF."""
    rows = [_student(each, trial) for each in findings for trial in each.runs.best_first]
    teachers = {key: run for each in findings for key, run in each.runs.teachers.items()}
    rows += [_teacher(key, run) for key, run in teachers.items()]
    names = sorted({name for row in rows for name in row} - set(_ABOUT), key=_order)
    columns = [*_ABOUT, *names]
    file = io.StringIO()
    writer = csv.writer(file)
    writer.writerow(map(harmless, columns))
    writer.writerows([[_cell(row.get(column, "")) for column in columns] for row in rows])
    return file.getvalue()


def harmless(text: str) -> str:
    """A text that no spreadsheet takes for a formula; what reads as a number stays as it is."""
    return f"'{text}" if text.startswith(_FORMULA) and not _is_number(text) else text


def _order(name: str) -> tuple[bool, bool, str]:
    """Parameters, then metrics, then their spread."""
    return not name.startswith("params."), name.startswith(f"{STD}/"), name


def _student(findings: Findings, trial: RunRecord) -> Row:
    about: Row = {
        "kind": "student",
        "study": findings.study,
        "name": trial.name,
        "run_id": trial.run_id,
        "taught_by": findings.runs.taught_by(trial),
        "teachers": " ".join(keys_of(trial)),
        "note": findings.note_of(trial),
    }
    return about | _measured(trial.params, trial.metrics)


def _teacher(key: str, run: RunRecord) -> Row:
    about: Row = {"kind": "teacher", "name": run.name, "key": key, "run_id": run.run_id}
    return about | _measured(run.params, run.metrics)


def _measured(params: Mapping[str, str], metrics: Mapping[str, float]) -> Row:
    named: Row = {f"params.{name}": value for name, value in params.items()}
    return named | dict(metrics)


def _cell(value: str | float) -> str | float:
    if isinstance(value, str):
        return harmless(value)
    return value if math.isfinite(value) else ""


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
