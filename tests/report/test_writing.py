"""A report is written in the form that was asked for."""

import json
import re
from pathlib import Path

import pytest
from rich.console import Console

from asc_experiments.report.analysis.findings import Findings
from asc_experiments.report.data.study_runs import StudyRuns
from asc_experiments.report.render.formats import Format, default_file, format_of
from asc_experiments.report.render.table import MOST_ROWS
from asc_experiments.report.writing import render
from tests.report.made import make_study


@pytest.mark.parametrize(
    ("name", "format"),
    [("a.html", "html"), ("a.HTM", "html"), ("a.md", "md"), ("a.csv", "csv"), ("a.json", "json"), ("a.txt", "table")],
)
def test_ending_says_the_format(name: str, format: str) -> None:
    assert format_of(Path(name)) is Format(format)


def test_page_without_a_name_goes_into_this_folder() -> None:
    assert default_file(["quickstart"]) == Path("quickstart.html")
    assert default_file(["one", "other"]) == Path("report.html")
    assert default_file(["../../etc/x y"]) == Path("_.._etc_x_y.html")


def test_json_of_one_study_keeps_its_keys_and_has_what_the_page_has(made: StudyRuns) -> None:
    facts = json.loads(render([Findings(made)], Format.json))
    assert {"study", "objective", "split", "direction", "against", "rows", "published"} <= set(facts)
    assert facts["answer"]["trial"] == int(made.best_first[0].tags["asc.trial"])
    assert facts["costs"]["seconds"] > 0
    assert facts["metrics"][made.best_first[0].run_id] == dict(made.best_first[0].metrics)
    assert len(facts["history"]) == 27


def test_json_of_several_studies_is_a_list_of_theirs() -> None:
    facts = json.loads(render([Findings(make_study("one", 3)), Findings(make_study("other", 3))], Format.json))
    assert [each["study"] for each in facts["studies"]] == ["one", "other"]
    assert len(facts["accuracy_against_macs"]) == 6


def test_json_has_only_numbers_that_json_has(made: StudyRuns) -> None:
    study = make_study(n_trials=3)
    study.trials[0].metrics["loss/overall"] = float("nan")  # type: ignore[index]
    constants: list[str] = []
    facts = json.loads(render([Findings(study)], Format.json), parse_constant=constants.append)
    assert constants == []
    assert facts["metrics"][study.trials[0].run_id]["loss/overall"] is None


def test_table_in_a_file_has_everybody(made: StudyRuns) -> None:
    text = render([Findings(made)], Format.table)
    assert text.count("│ student │") == 24
    assert max(map(len, text.splitlines())) < 400


def test_thousands_of_trials_are_shortened_where_they_are_read_and_whole_where_they_are_computed_with() -> None:
    study = make_study("large", MOST_ROWS + 20)
    table, page, rows = (render([Findings(study)], form) for form in (Format.table, Format.html, Format.csv))
    assert table.count("│ student │") == MOST_ROWS
    for text in (table, page):
        assert f"the first {MOST_ROWS} of {MOST_ROWS + 20}, all with --format csv" in " ".join(text.split())
    assert len([line for line in rows.splitlines() if ",student," in f",{line}"]) == MOST_ROWS + 20


def test_markdown_has_the_comparison_first_and_then_the_sections(made: StudyRuns) -> None:
    text = render([Findings(made)], Format.md)
    assert text.startswith("**No winner yet: ")
    assert "\n\n**made: accuracy in % on the test fold" in text
    headings = [line for line in text.splitlines() if line.startswith("## ")]
    assert made.taught_by(made.best_first[0]) in headings[0]
    assert "\n- Date: 1 January 1970\n" in text
    assert "## What makes a good teacher here" in headings
    after = text.partition("## Students and teachers")[2].partition("\n## ")[0]
    assert "**Students, best" not in after, "they are in the comparison above"
    assert "**Ensembles of several teachers" in after


def test_markdown_of_hostile_names_keeps_its_tables() -> None:
    text = render([Findings(make_study("a|b<script>", 3, teacher_name="x|y\n| z <img>"))], Format.md)
    text = re.sub(r"(?s)^```.*?^```", "", text, flags=re.MULTILINE)  # code is shown as it is
    assert "<script>" not in text
    assert "<img>" not in text
    tables = [part.splitlines() for part in text.split("\n\n") if part.startswith("|")]
    assert len(tables) > 5
    for lines in tables:
        assert len({line.replace("\\|", "").count("|") for line in lines}) == 1, lines


def test_table_in_a_file_is_whole_however_narrow_the_terminal(made: StudyRuns, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("asc_experiments.base.progress.console", Console(width=60, force_terminal=True))
    assert "the same per device" not in render([Findings(made)], Format.table)


def test_names_in_a_file_are_no_markup() -> None:
    assert "[bold]x" in render([Findings(make_study(n_trials=3, teacher_name="[bold]x"))], Format.table)
