"""Markdown of tables and reports."""

from asc_experiments.report.analysis.findings import Findings
from asc_experiments.report.data.study_runs import StudyRuns
from asc_experiments.report.render.formats import Format
from asc_experiments.report.render.markdown import markdown_table
from asc_experiments.report.render.table import Table, columns, number, percent, text
from asc_experiments.report.writing import render


def test_columns_line_up_and_have_their_units() -> None:
    heads = columns("a", "long heading", texts="a", units={"long heading": "%"})
    table = Table("caption", heads, ((text("1"), percent(0.02, 0.001)), (text("x|y"), number(None))))
    assert markdown_table(table).splitlines() == [
        "| a    | long heading (%) |",
        "|------|------------------|",
        "| 1    | 2.0 ± 0.1        |",
        "| x\\|y |                  |",
    ]


def test_everybody_has_a_row_and_every_student_its_teachers(made: StudyRuns) -> None:
    first = render([Findings(made)], Format.md).partition("\n## ")[0]
    assert "chosen by accuracy/macro on the validation split" in first
    assert len([line for line in first.splitlines() if line.startswith("| ")]) == 1 + 24 + len(made.teachers)
    assert first.count("\n- trial ") == 24


def test_notes_of_a_table_are_listed_below_it_on_the_page_too() -> None:
    from asc_experiments.report.render.blocks import Chapter, Report, Section
    from asc_experiments.report.render.html import page
    from asc_experiments.report.render.markdown import as_text

    table = Table("caption", columns("a"), ((number(1),),), notes=("x < y",))
    report = Report("t", (), (Chapter("s", "", (Section("one", "One", (table,)),)),))
    assert as_text(report).endswith("| 1   |\n\n- x &lt; y\n")
    assert "<li>x &lt; y</li>" in page(report)
