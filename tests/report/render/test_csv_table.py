"""CSV for programs and spreadsheets."""

import csv
import io
from dataclasses import replace

import pytest

from asc_experiments.report.analysis.findings import Findings
from asc_experiments.report.data.study_runs import StudyRuns
from asc_experiments.report.render.csv_table import as_csv, harmless
from asc_experiments.report.sections.spreadsheet import spreadsheet
from tests.report.made import make_study


def rows(*studies: StudyRuns) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(as_csv(spreadsheet(list(map(Findings, studies)))))))


def test_every_student_and_teacher_is_a_row_with_every_metric(made: StudyRuns) -> None:
    found = rows(made)
    assert [row["kind"] for row in found].count("student") == 24
    assert [row["kind"] for row in found].count("teacher") == len(made.teachers)
    best = made.best_first[0]
    assert found[0]["run_id"] == best.run_id
    for name, value in best.metrics.items():
        assert float(found[0][name]) == value
    assert found[0]["params.student.size"] == best.params["student.size"]


def test_teacher_of_two_studies_is_one_row() -> None:
    found = rows(make_study("one", 12), make_study("other", 12))
    keys = [row["key"] for row in found if row["kind"] == "teacher"]
    assert len(keys) == len(set(keys))
    assert {row["study"] for row in found if row["kind"] == "student"} == {"one", "other"}


def test_lines_end_as_the_standard_says(made: StudyRuns) -> None:
    text = as_csv(spreadsheet([Findings(made)]))
    assert text.count("\r\n") == text.count("\n")


@pytest.mark.parametrize("name", ["=1+1", "+SUM(A1)", "-cmd|' /C calc'!A0", "@x", "\t=1", "\r=1"])
def test_name_is_no_formula(name: str) -> None:
    assert harmless(name) == f"'{name}"
    study = make_study(n_trials=3, teacher_name=name)
    assert {row["name"] for row in rows(study) if row["kind"] == "teacher"} == {f"'{name}"}


@pytest.mark.parametrize("number", ["-1", "+0.5", "-1e-3", "2"])
def test_number_stays_a_number(number: str) -> None:
    assert harmless(number) == number


def test_value_that_is_not_finite_is_empty(made: StudyRuns) -> None:
    best = made.best_first[0]
    broken = replace(best, metrics={**best.metrics, "loss/overall": float("nan")})
    runs = tuple(broken if each.run_id == best.run_id else each for each in made.runs)
    assert rows(replace(made, runs=runs))[0]["loss/overall"] == ""


def test_quotes_and_line_ends_in_names_stay_in_their_cell() -> None:
    name = 'a "quoted", name\nof two lines'
    study = make_study(n_trials=3, teacher_name=name)
    assert {row["name"] for row in rows(study) if row["kind"] == "teacher"} == {name}
