"""What a report says of a study in which nothing was learned, or whose teachers said nothing: in every format."""

import csv
import io
import json
import re
from collections.abc import Callable
from dataclasses import replace

import pytest

from asc_experiments.report.analysis.best_trial import answer_of
from asc_experiments.report.analysis.findings import Findings
from asc_experiments.report.analysis.headline import headline
from asc_experiments.report.data.study_runs import StudyRuns
from asc_experiments.report.render.formats import Format
from asc_experiments.report.sections import chapter_of
from asc_experiments.report.sections.devices import _best_where
from asc_experiments.report.writing import render
from asc_experiments.tracking import RunRecord
from tests.report.made import SCENES, STUDENTS, guessing_study, made_answers, make_study, with_answers

NOTHING = "Nothing was learned: every student answers one scene to everything"
UNFOUNDED = ("leads", "best on", "weakest on", "ship that teacher", "asc register", "Use ", "easiest", "hardest")


@pytest.fixture(scope="module")
def guessing() -> StudyRuns:
    """Six trials of two students each, all of which answer one scene."""
    return guessing_study()


def words(text: str) -> str:
    """A text without scripts, markup and breaks of lines."""
    text = re.sub(r"<(script|style)\b.*?</\1>", " ", text, flags=re.DOTALL)
    return " ".join(re.sub(r"<[^>]*>", " ", text).replace("&#39;", "'").split())


@pytest.mark.parametrize("format", [Format.table, Format.md, Format.html], ids=lambda each: each.value)
def test_study_in_which_every_student_gives_one_answer_is_told_so_before_anything_else(
    guessing: StudyRuns, format: Format
) -> None:
    text = words(render([Findings(guessing)], format))
    assert NOTHING in text
    assert "every one of 2 networks answers 'airport' to everything (accuracy/macro is 33.3 % on" in text
    told = [word for word in UNFOUNDED if word in text.replace("Nothing was learned", "")]
    assert told == []
    table = text.find("accuracy in % on the test fold")
    assert table < 0 or text.index(NOTHING) < table


def test_noise_of_who_guesses_is_no_matter(guessing: StudyRuns) -> None:
    answer = answer_of(guessing)
    assert answer is not None
    assert answer.caveats[-1] == "Of 6 trials whose answers were looked at, 6 cannot be told from guessing."
    assert not any(word in " ".join(answer.caveats) for word in ("luck", "told apart", "fresh seeds"))


def test_json_and_csv_say_so_too(guessing: StudyRuns) -> None:
    answer = json.loads(render([Findings(guessing)], Format.json))["answer"]
    assert (answer["headline"], answer["has_learned"]) == (NOTHING, False)
    assert answer["learning"]["chance"] == pytest.approx(1 / len(SCENES))
    counts = {"looked_at": 6, "guessing": 6, "one_answer": 6}
    assert answer["guessing"] == counts | {"numbers": [0, 1, 2, 3, 4, 5], "alone": 0}
    rows = csv.DictReader(io.StringIO(render([Findings(guessing)], Format.csv)))
    assert {row["note"] for row in rows if row["kind"] == "student"} == {"cannot be told from guessing"}


def test_dg_of_who_guesses_is_no_virtue(guessing: StudyRuns) -> None:
    text = words(render([Findings(guessing)], Format.html))
    assert "of who guesses a low DG says nothing" in text
    assert "weights at int8" not in text, "and there are no headline figures"


def test_devices_of_who_guesses_are_not_ranked(guessing: StudyRuns) -> None:
    section = next(each for each in chapter_of(Findings(guessing)).sections if each.name == "devices")
    assert str(section.blocks[0]).startswith("Nothing can be said of devices")


def test_best_that_guesses_while_others_do_not_is_no_winner() -> None:
    study = make_study(n_trials=4, n_pruned=0)
    answers = {(trial.run_id, STUDENTS): made_answers(trial, 2) for trial in study.trials}
    one_answer = guessing_study(n_trials=1).evidence("guessing-0", STUDENTS)
    best = study.best_first[0]
    study = with_answers(study, answers | {(best.run_id, STUDENTS): dict(one_answer)})
    said = f"No winner: trial {best.tags['asc.trial']} is highest in accuracy/macro on the validation split, but names"
    assert Findings(study).heading.startswith(f"{said} 33.3 %")


def uniform(run: RunRecord) -> RunRecord:
    """A trial whose targets prefer no scene."""
    scenes = {f"accuracy/scene/{scene}": 0.5 for scene in SCENES}
    return replace(run, metrics={**run.metrics, **scenes, "targets/entropy": 1.0986})


def near_chance(study: StudyRuns) -> StudyRuns:
    """The same study, whose teachers guess."""
    scenes = {f"accuracy/scene/{scene}": 1 / 3 for scene in SCENES} | {"accuracy/macro": 1 / 3}
    bank = {key: replace(run, metrics={**run.metrics, **scenes}) for key, run in study.bank.items()}
    return replace(study, bank=bank)


def uniform_targets(study: StudyRuns) -> StudyRuns:
    return replace(study, runs=tuple(uniform(run) if "objective" in run.metrics else run for run in study.runs))


@pytest.mark.parametrize("changed", [near_chance, uniform_targets])
def test_teachers_that_say_nothing_get_no_credit(changed: Callable[[StudyRuns], StudyRuns]) -> None:
    study = make_study(n_trials=1, n_pruned=0, labels_alone=False)
    answers = {(trial.run_id, STUDENTS): made_answers(trial, 2) for trial in study.trials}
    answer = answer_of(with_answers(changed(study), answers))
    assert answer is not None
    assert answer.taught_nothing
    assert "what the student knows it learned from labels" in " ".join(answer.caveats)
    assert headline(answer).endswith("and nothing beside it; its students learned from labels")
    assert answer_of(with_answers(study, answers)).taught_nothing is False  # type: ignore[union-attr]


def test_even_devices_have_no_best_and_no_weakest_and_dg_has_its_floor() -> None:
    study = make_study(n_trials=2, n_pruned=0)
    even = {(trial.run_id, STUDENTS): made_answers(trial, 2, clips=20, spread=0.1, even=0.5) for trial in study.trials}
    text = words(render([Findings(with_answers(study, even))], Format.html))
    assert "No device is shown to stand out: the widest apart are" in text
    assert "No device is shown to be easier than another" in text
    assert "equal devices would show about 0.0" in text
    uneven = words(render([Findings(study)], Format.html))
    assert "By device its accuracy is highest on a (real" in uneven
    assert "is easier than" in uneven


def test_objective_on_few_clips_is_told_with_its_warning() -> None:
    study = make_study(n_trials=2, n_pruned=0)
    counted = {"asc.objective_clips": "9", "asc.objective_places": "3", "asc.objective_devices": "s3"}
    counted |= {"asc.objective_point": "11.1"}
    study = replace(study, runs=tuple(replace(run, tags={**run.tags, **counted}) for run in study.runs))
    for format in (Format.table, Format.html, Format.md, Format.json):
        text = words(render([Findings(study)], format))
        assert "accuracy/macro on 9 held-out clips of s3 at 3 places: one clip is up to 11.1 points" in text
        assert "fewer than 100 clips" in text


def test_trials_that_are_equally_high_are_all_named(guessing: StudyRuns) -> None:
    table = _best_where(guessing)
    assert table is not None
    named = {str(row[2].text) for row in table.rows}
    assert len(named) == 1, "they answer alike everywhere"
    assert sorted(re.findall(r"\d", named.pop())) == ["0", "1", "2", "3", "4", "5"]
