"""From studies to a written report, in the form that was asked for."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import date

from rich.table import Table
from rich.text import Text

from asc_experiments import __version__
from asc_experiments.base.progress import WIDE, in_file, room, show
from asc_experiments.report.analysis.findings import Findings, facts_of
from asc_experiments.report.data.loading import read_studies
from asc_experiments.report.render.blocks import finite
from asc_experiments.report.render.formats import Format
from asc_experiments.report.render.terminal import drawn, show_table
from asc_experiments.report.words import counted
from asc_experiments.tracking import Tracking

_MOST_DOUBTS = 6
"""So many are shown on a terminal, the gravest; the page has all of them."""
_NARROW = 80
"""In characters: of the table that fits every terminal."""


def find(tracking: Tracking, names: Sequence[str]) -> list[Findings]:
    """Read studies, each name once.

    Raises:
        AscError: if the tracking server knows no study of a name.
    """
    return [Findings(runs) for runs in read_studies(tracking, names)]


def render(findings: Sequence[Findings], format: Format) -> str:
    """The report as text."""
    if format is Format.json:
        return json.dumps(finite(facts_of(findings)), indent=2, ensure_ascii=False) + "\n"
    if format is Format.csv:
        from asc_experiments.report.render.csv_table import as_csv
        from asc_experiments.report.sections.spreadsheet import spreadsheet

        return as_csv(spreadsheet(findings))
    if format is Format.table:
        return in_file([part for each in findings for part in _parts(each, WIDE)])
    from asc_experiments.report.sections import report_of

    report = report_of(findings, _written(findings))
    if format is Format.md:
        from asc_experiments.report.render.markdown import as_text

        return as_text(report)
    from asc_experiments.report.render.html import page

    return page(report)


def show_tables(findings: Sequence[Findings]) -> None:
    """Print the comparison of every study on the terminal."""
    for each in findings:
        for part in _parts(each, room()):
            show(part)


def show_answer(findings: Findings) -> None:
    """Print the answer in a sentence, and each student beside its teachers, on any terminal that is not tiny."""
    from asc_experiments.report.sections.scores import students_in_short

    show(_headline(findings))
    show_table(students_in_short(findings), _NARROW)


def _headline(findings: Findings) -> Text:
    return Text(f"{findings.study}: {findings.heading}", style="bold")


def _parts(findings: Findings, width: int) -> list[Table | Text]:
    """The answer in a sentence, what one must know before believing it, and the tables."""
    from asc_experiments.report.analysis.question import answers_in_short
    from asc_experiments.report.sections.front import doubts, nothing_yet
    from asc_experiments.report.sections.scores import compared

    told = doubts(findings, "on the page: --format html")
    doubted = [Text(f"- {doubt}") for doubt in told[:_MOST_DOUBTS]]
    if len(told) > _MOST_DOUBTS:
        doubted.append(Text(f"- {len(told) - _MOST_DOUBTS} more: --format html"))
    if findings.answer is None:
        return [_headline(findings), *doubted, Text(nothing_yet(findings))]
    tables = [part for table in compared(findings) for part in drawn(table, width)]
    answers = map(Text, answers_in_short(findings.runs)) if findings.answer.has_learned else ()
    return [_headline(findings), *answers, *doubted, *tables, *map(Text, _said(findings))]


def _said(findings: Findings) -> list[str]:
    """What the tables leave open: what makes a good teacher, what knowing the device gives, which parameters matter."""
    from asc_experiments.report.analysis.device_networks import device_gain_in_words
    from asc_experiments.report.sections.attributes import attributes_in_words
    from asc_experiments.report.sections.search import importances_in_words

    said = [attributes_in_words(findings)] if findings.attributes else []
    if findings.answer is not None and (gain := device_gain_in_words(findings.runs, findings.answer.trial)):
        said.append(gain)
    return [*said, *([importances_in_words(findings)] if findings.importances else [])]


def _written(findings: Sequence[Findings]) -> str:
    trials = sum(len(each.runs.trials) for each in findings)
    teachers = len({key for each in findings for key in each.runs.teachers})
    return (
        f"Written by asc_experiments {__version__} on {date.today():%-d %B %Y} from the tracking server: "
        f"{counted(trials, 'finished trial')}, {counted(teachers, 'teacher')}."
    )
