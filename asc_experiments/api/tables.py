"""Runs as tables to compute with: a row per run, its parameters and metrics under the names of ``asc report``'s CSV."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from asc_experiments.report.analysis.findings import Findings
from asc_experiments.report.data.study_runs import StudyRuns, number_of
from asc_experiments.report.sections.spreadsheet import PARAMS, order_of
from asc_experiments.tracking import RunRecord
from asc_experiments.tracking.trials import CELL, IMPORTED, best_trial, keys_of

_RUN = ("name", "status", "run_id")
_TRIAL = (*_RUN, "taught_by", "teachers", "cell", "counts", "best", "note")
_TEACHER = (*_RUN, "imported")
_TRUTH = {"True": True, "False": False}


def trials_table(findings: Findings, every: bool = False) -> pd.DataFrame:
    """A row per finished trial under its number; with ``every`` also those that were pruned or failed."""
    runs = findings.runs
    shown = (*runs.finished, *runs.pruned, *runs.failed) if every else runs.finished
    counting = {trial.run_id for trial in runs.trials}
    best = best_trial(runs.finished, runs.name).run_id if runs.finished else ""
    rows = []
    for trial in sorted(shown, key=number_of):
        counts = trial.run_id in counting
        about = _about_trial(runs, trial) | {"counts": counts, "best": trial.run_id == best}
        rows.append(_row(trial, about | {"note": findings.note_of(trial) if counts else ""}))
    return _table(rows, _TRIAL, pd.Index([number_of(trial) for trial in sorted(shown, key=number_of)], name="trial"))


def teachers_table(teachers: Mapping[str, RunRecord]) -> pd.DataFrame:
    """A row per teacher under its key."""
    rows = [_row(run, {"imported": run.tags.get(IMPORTED, "").partition(" ")[2]}) for run in teachers.values()]
    return _table(rows, _TEACHER, pd.Index(list(teachers), name="key", dtype=str))


def _about_trial(runs: StudyRuns, trial: RunRecord) -> dict[str, object]:
    return {"taught_by": runs.taught_by(trial), "teachers": " ".join(keys_of(trial)), "cell": trial.tags.get(CELL, "")}


def _row(run: RunRecord, about: Mapping[str, object]) -> dict[str, object]:
    own = {"name": run.name, "status": run.status, "run_id": run.run_id}
    return own | dict(about) | {PARAMS + name: value for name, value in run.params.items()} | dict(run.metrics)


def _table(rows: Sequence[Mapping[str, object]], about: Sequence[str], index: pd.Index) -> pd.DataFrame:
    """Rows under the names of any of them: what they are, then parameters, metrics, and their spread."""
    names = [*about, *sorted({name for row in rows for name in row} - set(about), key=order_of)]
    columns = {name: pd.Series([row.get(name) for row in rows], index=index) for name in names}
    return pd.DataFrame(
        {name: _typed(column) if name.startswith(PARAMS) else column for name, column in columns.items()}, index=index
    )


def _typed(texts: pd.Series) -> pd.Series:
    """A parameter, which MLflow keeps as text, as numbers or truth values where all of it reads as such."""
    known = texts.dropna()
    if set(known) <= set(_TRUTH):
        return texts.map(_TRUTH)
    try:
        return pd.to_numeric(texts)
    except ValueError:
        return texts
