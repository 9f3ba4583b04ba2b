"""What the winner is worth as a file on a device: its exports beside the network itself, or the command that tells."""

from __future__ import annotations

from collections.abc import Mapping

from asc_experiments.metrics import DG, OVERALL_ACCURACY
from asc_experiments.report.analysis.best_trial import Answer
from asc_experiments.report.analysis.next_commands import CORPUS_FOLDER
from asc_experiments.report.data.exports import (
    FILE_BYTES,
    FORMATS,
    INT8,
    LATENCY,
    WEIGHT_BYTES,
    exports_of,
    shipped_student,
)
from asc_experiments.report.data.study_runs import StudyRuns
from asc_experiments.report.render.blocks import Block, Commands
from asc_experiments.report.render.table import Cell, Column, Table, columns, number, percent, text
from asc_experiments.report.sections.scores import parts_of

_FLOAT = "PyTorch, float32"
_UNITS = {"weights": "bytes", "whole file": "bytes", "latency": "ms"}


def export_blocks(runs: StudyRuns, answer: Answer) -> list[Block]:
    """Accuracy as float and as int8 where the winner's student was exported; else how to find it out."""
    student = shipped_student(runs, answer.trial)
    files = {} if student is None else exports_of(student)
    measured = {name: metrics for name, metrics in files.items() if OVERALL_ACCURACY in metrics}
    blocks: list[Block] = []
    if student is not None and measured:
        blocks += [_in_words(student.metrics, measured), _table(runs, student.metrics, measured)]
    if not any(name in measured for name in INT8) and answer.model:
        line = f"asc export models:/{answer.model} --int8 --corpus {CORPUS_FOLDER} -o student.onnx"
        blocks.append(
            "What int8 costs in accuracy is not known: the student was not exported with --int8 and tested. This "
            f"command does both ({CORPUS_FOLDER} is the corpus's folder); then write this report again:"
        )
        blocks.append(Commands((("shell", line),)))
    return blocks


def _in_words(student: Mapping[str, float], files: Mapping[str, Mapping[str, float]]) -> str:
    """The float network beside the best int8 file."""
    int8 = [metrics for name, metrics in files.items() if name in INT8]
    own = student.get(OVERALL_ACCURACY)
    if not int8 or own is None:
        return "The one student that is registered was exported, and its file tested on the test fold:"
    best = max(int8, key=lambda metrics: metrics[OVERALL_ACCURACY])
    loss = 100 * (best[OVERALL_ACCURACY] - own)
    return (
        "As an int8 file the one student that is registered reaches "
        f"{100 * best[OVERALL_ACCURACY]:.1f} % of the test clips, "
        f"{loss:+.1f} points to the {100 * own:.1f} % of the float network; both ran over the whole test fold."
    )


def _table(runs: StudyRuns, student: Mapping[str, float], files: Mapping[str, Mapping[str, float]]) -> Table:
    parts = parts_of(runs)
    ends = [str(key) for _, key in parts]
    rows = [_row(_FLOAT, student, ends)] + [_row(FORMATS[name], metrics, ends) for name, metrics in files.items()]
    heads = (
        *columns("file", "weights", "whole file", "latency", texts=("file",), units=_UNITS),
        *(Column(heading, "%") for heading, _ in parts),
        Column("DG", "points"),
    )
    return Table("The registered student as a network and as files, on the test fold", heads, tuple(rows))


def _row(name: str, metrics: Mapping[str, float], ends: list[str]) -> tuple[Cell, ...]:
    sizes = [number(metrics.get(WEIGHT_BYTES)), number(metrics.get(FILE_BYTES)), number(metrics.get(LATENCY), ".2f")]
    return (text(name), *sizes, *(percent(metrics.get(end)) for end in (*ends, DG)))
