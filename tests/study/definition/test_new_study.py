"""A new study file is small, is read without a mistake, and is what the documentation opens with."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from asc_experiments.study.definition.new_study import Questions, new_study
from asc_experiments.study.search.whole_file import read_whole_study

Asc = Callable[..., Any]


def test_new_file_has_fifteen_lines_and_is_a_study(asc: Asc, tmp_path: Path) -> None:
    path = tmp_path / "my_study.yaml"
    result = asc("study", "new", path)
    assert (result.code, result.out) == (0, f"wrote {path}; next: asc study plan {path} --corpus DIR\n")
    assert len(path.read_text().splitlines()) == 15
    study = read_whole_study(path)
    assert (study.name, study.asked, study.seeds) == ("my_study", 12, 3)
    assert study.student["augment"] == "none", "else the students' own hides what the teachers' gives"
    assert study.enqueue == ({"ensemble_size": 0},), "the baseline"


def test_answers_are_in_the_file(asc: Asc, tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    options = ["--teachers", "passt, cp_resnet", "--augment", "dir", "--size", "2", "--trials", 5, "--seeds", 2]
    options += ["--epochs", 7, "--student-augment", "fms", "--objective", "accuracy/group/unseen", "--hold-out", "s3"]
    assert asc("study", "new", path, *options).code == 0
    study = read_whole_study(path)
    assert [kind["arch"] for kind in study.ensemble.pool] == ["passt", "cp_resnet"]
    assert (study.ensemble.size, study.trials, study.seeds) == (2, 5, 2)
    assert study.ensemble.common == {"epochs": 7, "augment": "dir"}
    assert study.student == {"epochs": 7, "augment": "fms"}
    assert study.objective.metric == "accuracy/group/unseen"
    assert study.validation.hold_out_devices == ("s3",)
    assert study.enqueue == (), "all trials have two teachers: none is on labels alone"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--teachers", "past"], "unknown architecture 'past'; did you mean 'passt'?"),
        (["--augment", "dirfm"], "unknown augment 'dirfm'; did you mean 'dirfms'?"),
        (["--size", "3-1"], "--size 3-1: is no number of teachers; give one such as 2, or a range such as 0-3"),
        (["--size", "some"], "--size some: is no number of teachers"),
        (["--teachers", ","], "'ensemble.pool' is empty"),
    ],
)
def test_wrong_answer_is_told_and_leaves_no_file(asc: Asc, tmp_path: Path, options: list[str], message: str) -> None:
    result = asc("study", "new", tmp_path / "x.yaml", *options)
    assert result.code == 2
    assert message in result.err
    assert all(line.startswith("error: ") for line in result.err.splitlines())
    assert list(tmp_path.iterdir()) == []


def test_help_says_which_objective_a_new_study_has(asc: Asc) -> None:
    said = " ".join(asc("study", "new", "--help").out.replace("│", " ").split())
    assert f"(default: {Questions('x').metric})" in said


def test_file_that_exists_stays(asc: Asc, tmp_path: Path) -> None:
    (path := tmp_path / "x.yaml").write_text("mine")
    result = asc("study", "new", path)
    assert (result.code, path.read_text()) == (2, "mine")
    assert result.err == f"error: {path}: exists already; give a file that does not; nothing was written\n"


def test_page_on_study_files_opens_with_the_file_that_the_command_writes() -> None:
    page = (Path(__file__).parents[3] / "studies" / "README.md").read_text()
    assert page.index(f"```yaml\n{new_study(Questions('my_study'))}```") < page.index("\n## ")
