"""Sections for who wants to do it again: what it cost, and the command behind every row."""

from __future__ import annotations

from asc_experiments.report.analysis.findings import Findings
from asc_experiments.report.analysis.next_commands import CORPUS_FOLDER, RESPONSES_FOLDER
from asc_experiments.report.charts import search as draw
from asc_experiments.report.data.study_runs import number_of
from asc_experiments.report.render.blocks import Block, Chart, Section
from asc_experiments.report.render.table import Cell, Table, code, columns, number, text
from asc_experiments.report.words import counted, duration


def cost_section(findings: Findings) -> Section:
    """Hours of training by sort."""
    costs, title = findings.costs, "What it cost"
    if not costs.seconds:
        return Section("cost", title, ("The time of no training is known.",))
    said = f"{duration(costs.seconds)} of training in all, added up over workers: two at a time take somewhat more "
    said += "than half of it by the clock."
    if costs.found:
        said += (
            f" {counted(costs.found, 'teacher was', 'teachers were')} in the bank before this study began, and counted."
        )
    rows = tuple(
        (text(part.what), number(part.trainings), number(part.seconds / 3600, ".2f"), number(part.unknown or None))
        for part in costs.parts
    )
    heads = columns("what", "trainings", "hours", "of unknown time", texts=("what",))
    figure = draw.cost_bars([findings.study], [costs.parts])
    told = "; ".join(f"{part.what}: {duration(part.seconds)}" for part in costs.parts) + "."
    blocks: list[Block] = [said, Chart("Hours of training", figure, told, height=230), Table("Trainings", heads, rows)]
    return Section("cost", title, tuple(blocks))


def reproduce_section(findings: Findings) -> Section:
    """The command that trains each teacher and student again."""
    said = (
        f"{CORPUS_FOLDER} is the corpus's folder, {RESPONSES_FOLDER} that of impulse responses. Train teachers first: "
        "one comes out under the same key, and is found if it is in the bank. On a CPU the same seed and number of "
        "threads give the same network bit for bit; elsewhere expect the scatter of a seed."
    )
    teachers = tuple(
        (text(run.name), Cell(key, is_code=True), code(command.line) if command.line else text(command.note))
        for key, run, command in findings.teacher_commands
    )
    students = tuple(
        (
            text(f"trial {number_of(trial)}"),
            text(findings.runs.taught_by(trial)),
            code(command.line) if command.line else text(command.note),
            text(command.note if command.line else ""),
        )
        for trial, command in findings.student_commands
    )
    blocks: list[Block] = [said]
    if teachers:
        heads = columns("teacher", "key", "command", texts=("teacher", "key", "command"))
        blocks.append(Table("Teachers", heads, teachers, folded=len(teachers) > 8))
    names = ("student", "taught by", "command", "also")
    blocks.append(Table("Students, best first", columns(*names, texts=names), students, folded=len(students) > 8))
    return Section("reproduce", "How to make each row again", tuple(blocks))
