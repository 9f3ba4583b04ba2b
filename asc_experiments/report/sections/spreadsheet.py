"""Everything that can be computed with, in one table: a row per student and teacher, every parameter and metric."""

from __future__ import annotations

from collections.abc import Sequence

from asc_experiments.metrics import STD
from asc_experiments.report.analysis.findings import Findings
from asc_experiments.report.render.table import Cell, Table, columns, number, text
from asc_experiments.tracking import RunRecord
from asc_experiments.tracking.trials import keys_of

PARAMS = "params."
"""What the names of parameters' columns begin with."""
_ABOUT = ("kind", "study", "name", "key", "run_id", "taught_by", "teachers", "note")


def spreadsheet(findings: Sequence[Findings]) -> Table:
    """Students of every study, best first, then all their teachers, each once."""
    rows = [_student(each, trial) for each in findings for trial in each.runs.best_first]
    teachers = {key: run for each in findings for key, run in each.runs.teachers.items()}
    rows += [_row(run, kind="teacher", key=key) for key, run in teachers.items()]
    names = [*_ABOUT, *sorted({name for row in rows for name in row} - set(_ABOUT), key=order_of)]
    cells = tuple(tuple(row.get(name, Cell("")) for name in names) for row in rows)
    return Table("Students and teachers", columns(*names, texts=_ABOUT), cells)


def order_of(name: str) -> tuple[bool, bool, str]:
    """Parameters, then metrics, then their spread."""
    return not name.startswith(PARAMS), name.startswith(f"{STD}/"), name


def _student(findings: Findings, trial: RunRecord) -> dict[str, Cell]:
    return _row(
        trial,
        kind="student",
        study=findings.study,
        taught_by=findings.runs.taught_by(trial),
        teachers=" ".join(keys_of(trial)),
        note=findings.note_of(trial),
    )


def _row(run: RunRecord, **about: str) -> dict[str, Cell]:
    """What a run is, its parameters and metrics, by the headings of their columns."""
    texts = {"name": run.name, "run_id": run.run_id} | about
    texts |= {PARAMS + name: value for name, value in run.params.items()}
    return {name: text(value) for name, value in texts.items()} | {
        name: number(value, "") for name, value in run.metrics.items()
    }
