"""Every table that the program prints is legible on a terminal of 80, 100 and 120 columns."""

from collections.abc import Callable
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console
from rich.table import Table

from asc_experiments.base.tables import fitted
from asc_experiments.bench.table import table_of
from asc_experiments.bench.timing import Measured
from asc_experiments.report.analysis.findings import Findings
from asc_experiments.report.data.study_runs import StudyRuns
from asc_experiments.report.render.terminal import drawn
from asc_experiments.report.sections.scores import compared, everybody
from tests.terminal import in_terminal, numbers_in, table_lines

WIDTHS = (80, 100, 120)


@pytest.mark.parametrize("columns", WIDTHS)
def test_no_table_cuts_a_number_on_a_terminal(asc: Callable, studied: Path, synth_corpus: Path, columns: int) -> None:
    at = ["--workspace", studied]
    key = asc("teacher", "list", *at).out.split("│")[1].strip()
    commands = [
        ["report", "tiny", *at],
        ["study", "status", "tiny", *at],
        ["study", "list", *at],
        ["study", "watch", "tiny", "--once", *at],
        ["study", "list", "--shipped", *at],
        ["teacher", "list", *at],
        ["teacher", "show", key, *at],
        ["teacher", "prune", "--unused", *at],
        ["corpus", "check", synth_corpus],
        ["study", "plan", studied / "tiny.yaml", "--corpus", synth_corpus, *at],
    ]
    for command, shown in zip(commands, in_terminal(columns, *commands), strict=True):
        lines = table_lines(shown)
        assert lines, command
        assert max(map(len, lines)) <= columns, command
        assert "…" not in "".join(lines), command
        if "plan" not in command:  # whose seconds differ
            assert numbers_in(asc(*command).out) <= numbers_in(shown), command


def test_report_begins_with_the_headline_and_its_doubts(studied: Path) -> None:
    (shown,) = in_terminal(80, ["report", "tiny", "--workspace", studied])
    _, headline, *rest = shown.splitlines()
    assert headline.startswith("tiny: Nothing was learned")
    assert rest[0].startswith("- "), "its doubts"
    first_table = next(number for number, line in enumerate(rest) if line.startswith("┏"))
    assert not [line for line in rest[first_table:] if line.startswith("- ")], "they stand above the tables"


def shown_on(tables: list[Table], columns: int) -> str:
    """Tables as a terminal of a certain width shows them."""
    console = Console(width=columns, file=StringIO(), highlight=False)
    for table in tables:
        for part in fitted(table, columns):
            console.print(part)
    assert isinstance(console.file, StringIO)
    return console.file.getvalue()


@pytest.mark.parametrize("columns", WIDTHS)
def test_report_with_spreads_and_replicates_is_whole(made: StudyRuns, columns: int) -> None:
    findings = Findings(made)
    shown = shown_on([part for table in compared(findings) for part in drawn(table, columns)], columns)
    assert max(map(len, shown.splitlines())) <= columns
    cells = [cell for table in compared(findings) for row in table.rows for cell in row[2:]]
    assert {word for cell in cells for word in cell.plain.split()} <= set(shown.split())
    assert "the same per device" in shown
    assert "│ student │" not in shown, "the names say what they are"


def test_interval_stays_beside_its_difference_on_a_narrow_terminal(made: StudyRuns) -> None:
    (again,) = (table for table in compared(Findings(made)) if table.columns[0].heading == "tried again")
    first, second = again.narrow
    assert [column.heading for column in first.columns][-2:] == ["difference in the test fold", "95 % interval"]
    assert [column.heading for column in second.columns] == [
        "tried again", "difference on the validation split", "95 % interval",
    ]  # fmt: skip
    assert "which chose them" in second.caption


def test_table_of_everybody_is_one_where_there_is_room_and_says_which_rows_are_students(made: StudyRuns) -> None:
    table = everybody(Findings(made))
    (whole,) = drawn(table, 400)
    assert [str(column.header) for column in whole.columns[:2]] == ["", "student or teacher"]
    assert [place for place, row in enumerate(whole.rows) if row.end_section] == [len(made.trials) - 1]
    first, devices = drawn(table, 80)
    assert [len(part.columns) for part in (first, devices)] == [len(whole.columns) - 8, 8], "seven devices"
    assert [str(column.header) for column in devices.columns[:2]] == ["student or teacher", "a real"]


@pytest.mark.parametrize("columns", WIDTHS)
def test_measurements_of_the_machine_are_whole(columns: int) -> None:
    line = Measured(123_456.7, "clips_per_s", 101_234.5, 1.2, (1.1, 1.3), 999_999.9)
    shown = shown_on([table_of({"student_distillation_epoch": line}, "a machine")], columns)
    assert {"123,457", "101,234", "1.1–1.3", "1,000,000", "12%"} <= set(shown.split())
    assert max(map(len, shown.splitlines())) <= columns


def test_table_too_wide_becomes_several_that_begin_with_the_names() -> None:
    table = Table(title="wide", caption="below")
    table.add_column("name")
    for number in range(12):
        table.add_column(f"column {number}", justify="right")
    table.add_row("row", *(f"{number}.123456 ± 0.1" for number in range(12)))
    title, *parts, caption = fitted(table, 80)
    assert (str(title), str(caption)) == ("wide", "below")
    assert all(isinstance(part, Table) and part.columns[0].header == "name" for part in parts)
    found = [str(column.header) for part in parts if isinstance(part, Table) for column in part.columns[1:]]
    assert found == [f"column {number}" for number in range(12)]
    assert {f"{number}.123456 ± 0.1" in shown_on([table], 80) for number in range(12)} == {True}


def test_long_name_is_broken_rather_than_cut() -> None:
    table = Table()
    table.add_column("name", no_wrap=True)
    table.add_column("value", justify="right")
    table.add_row("n" * 70, "123456789")
    shown = shown_on([table], 40)
    assert shown.replace("name", "").count("n") == 70
    assert "123456789" in shown
