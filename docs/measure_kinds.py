"""Compare kinds of teachers by their students: ``python -m docs.measure_kinds WORKSPACE [STUDY]``.

Prints the tables of ``docs/explanation/field-places.md``. A teacher and its students are one piece of evidence, so that
a kind is compared over its teachers, over places, and no surer than three teachers a kind allow.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import combinations
from pathlib import Path

from asc_experiments.metrics import DG
from asc_experiments.statistics import CONFIDENCE, Evidence, Margin, as_one, level, margin, pooled
from asc_experiments.statistics.margin import ONE_SEED
from asc_experiments.tracking import RunRecord, Tracking
from asc_experiments.tracking.evidence import evidence_of
from asc_experiments.tracking.trials import TEACHER_KEY, finished_trials, keys_of

METRICS = {
    "accuracy/macro": "macro",
    "accuracy/overall": "overall",
    "accuracy/group/unseen": "unseen devices",
    DG: "DG",
}
LABELS = "labels alone"
POWER = 1.96 + 0.84
"""Standard errors that a difference must be from 0 for an interval of 95 % to leave out 0 in 80 % of tests."""


def main(workspace: Path, study: str) -> None:
    """Print every kind's figures and every difference between two kinds, of teachers and of students."""
    tracking = Tracking.open(workspace)
    teachers: dict[str, list[Evidence]] = defaultdict(list)
    students: dict[str, list[Evidence]] = defaultdict(list)
    seen = set()
    for trial in finished_trials(tracking, study):
        kinds = [(key, _teacher(tracking, key)) for key in keys_of(trial)]
        table = evidence_of(tracking, trial.run_id)["test"]
        if not kinds:
            students[LABELS] += [_student(table, number) for number in range(table.students)]
            continue
        ((key, run),) = kinds
        kind = run.name.rpartition("-s")[0]
        students[f"taught by {kind}"].append(as_one(table))
        if key not in seen:
            teachers[f"teacher {kind}"].append(evidence_of(tracking, run.run_id)["test"])
            seen.add(key)
    _print(teachers, "teachers")
    _print(students, "students, a teacher's as one; of labels alone, each by itself")


def _teacher(tracking: Tracking, key: str) -> RunRecord:
    bank = tracking.experiment("teachers")
    return tracking.search([bank], f"tags.`{TEACHER_KEY}` = '{key}' AND attributes.status = 'FINISHED'", limit=1)[0]


def _student(table: Evidence, number: int) -> Evidence:
    chosen = slice(number, number + 1)
    parts = {"correct": table.correct[chosen], "loss": table.loss[chosen], "answers": table.answers[chosen]}
    return Evidence(**{**vars(table), **parts})


def _print(kinds: Mapping[str, Sequence[Evidence]], what: str) -> None:
    tables = {kind: pooled(found) for kind, found in kinds.items()}
    first = next(iter(tables.values()))
    clips, places = first.counts("accuracy/macro")
    print(f"\n{clips} test clips of {places} places; {what}; in %, {100 * CONFIDENCE:.0f} % intervals\n")
    print("| | n | " + " | ".join(METRICS.values()) + " |")
    print("|---|---|" + "---|" * len(METRICS))
    for kind, table in tables.items():
        print(f"| {kind} | {table.students} | " + " | ".join(_shown(level(table, name)) for name in METRICS) + " |")
    pairs = [(tables[ours], tables[theirs], f"{ours} less {theirs}") for theirs, ours in combinations(tables, 2)]
    for ours, theirs, name in pairs:
        found = [_shown(margin(ours, theirs, metric), sign="+") for metric in METRICS]
        print(f"| {name} | | " + " | ".join(found) + " |")
    print("\n| places for such a difference to show in four of five tests |" + " |" * len(METRICS))
    print("|---|" + "---|" * len(METRICS))
    for ours, theirs, name in pairs:
        print(f"| {name} | " + " | ".join(_places_needed(ours, theirs, metric) for metric in METRICS) + " |")


def _shown(found: Margin, sign: str = "") -> str:
    value = f"{100 * found.value:{sign}.1f}"
    if found.unknown == ONE_SEED:
        return f"{value} (one)"
    bold = "**" if sign and not found.is_open else ""
    return f"{bold}{value}{bold} [{100 * found.low:{sign}.1f}, {100 * found.high:{sign}.1f}]"


def _places_needed(ours: Evidence, theirs: Evidence, metric: str) -> str:
    """Test places at which a difference of this size would show, were there so many networks that they add no noise."""
    found = margin(ours, theirs, metric, fixed_students=True)
    return f"{found.places * (POWER * found.error / found.value) ** 2:,.0f}" if found.value else "any number"


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else "field-places")
