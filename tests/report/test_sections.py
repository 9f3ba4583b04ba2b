"""What a report says, and what it says where there is nothing to show."""

import json
from dataclasses import replace

from asc_experiments.report.document import Chapter, Chart, Section, Table, Tiles
from asc_experiments.report.findings import Findings
from asc_experiments.report.runs import StudyRuns
from asc_experiments.report.sections import chapter_of, report_of
from tests.report.made import make_study


def section(chapter: Chapter, name: str) -> Section:
    return next(each for each in chapter.sections if each.name == name)


def table(section: Section, caption: str) -> Table:
    return next(each for each in section.blocks if isinstance(each, Table) and each.caption.startswith(caption))


def sentences(section: Section) -> str:
    told = [block for block in section.blocks if isinstance(block, str)]
    told += [block.alternative for block in section.blocks if isinstance(block, Chart)]
    return " ".join([*told, *section.points])


def test_report_opens_with_the_answer(made: StudyRuns) -> None:
    chapter = chapter_of(Findings(made))
    answer = chapter.sections[0]
    best = made.best_first[0]
    assert answer.title == f"Use {made.taught_by(best)}"
    assert f"trial {best.tags['asc.trial']}, the best of 24 finished trials (3 pruned)" in sentences(answer)
    assert "+5.0 points, 95 % interval [+2.0, +8.0]" in sentences(answer)
    tiles = next(block for block in answer.blocks if isinstance(block, Tiles)).tiles
    overall = 100 * (best.metrics["accuracy/overall"] - 0.01)
    assert (tiles[0].value, tiles[0].spread, tiles[0].note) == (f"{overall:.1f} %", "± 1.2", "mean over 3 fresh seeds")


def test_answer_says_which_student_is_registered_and_what_names_mean(made: StudyRuns) -> None:
    chapter = chapter_of(Findings(made))
    seed = json.loads(made.best_first[0].tags["asc.recipe"])["seed"]
    assert f"that of seed {seed}, the best of them by the objective" in sentences(chapter.sections[0])
    assert "dirfms is both" in sentences(section(chapter, "scores"))


def test_teacher_that_keeps_to_the_limits_and_does_better_is_told(made: StudyRuns) -> None:
    best = made.best_first[0]
    key = best.tags["asc.teachers"].split(",")[0]
    teacher = made.bank[key]
    assert "keeps to the same limits" not in sentences(chapter_of(Findings(made)).sections[0])
    costs = {"complexity/parameters": 100_000.0, "complexity/macs": 20e6, "accuracy/overall": 0.99}
    small = replace(teacher, metrics=dict(teacher.metrics) | costs)
    told = sentences(chapter_of(Findings(replace(made, bank=dict(made.bank) | {key: small}))).sections[0])
    assert "keeps to the same limits (100,000 parameters, 20.0 MMACs) and does better itself: 99.0 %" in told


def test_students_and_teachers_stand_under_the_same_columns(made: StudyRuns) -> None:
    scores = section(chapter_of(Findings(made)), "scores")
    students, teachers = table(scores, "Students"), table(scores, "Teachers")
    wanted = ["overall", "real", "seen", "unseen", "DG", *made.devices, "parameters", "MMACs"]
    assert [column.heading for column in students.columns][-len(wanted) :] == wanted
    assert [column.heading for column in teachers.columns][-len(wanted) :] == wanted
    assert len(students.rows) == 24
    assert students.rows[0][4].note == "± 1.0"
    assert students.marked == {0}
    published = table(scores, "Published")
    assert [cell.text for cell in published.rows[0]][:3] == ["a paper", "overall", "55.0"]


def test_question_whether_better_teachers_teach_better_is_answered_with_an_interval() -> None:
    told = sentences(section(chapter_of(Findings(make_study(n_trials=60))), "teaching"))
    assert "over n = 50 trials, 95 % interval [+0." in told
    assert "the higher the one, the higher the other" in told


def test_too_few_trials_are_told_instead_of_an_interval() -> None:
    chapter = chapter_of(Findings(make_study(n_trials=5)))
    assert "too few for an interval" in sentences(section(chapter, "teaching"))
    attributes = section(chapter, "attributes")
    assert "not evidence" in sentences(attributes)
    assert {row[3].text for row in table(attributes, "Attributes").rows} == {"too few trials"}
    assert not [block for block in attributes.blocks if isinstance(block, Chart)]


def test_associations_are_not_called_effects(made: StudyRuns) -> None:
    assert "not effects of a single change" in sentences(section(chapter_of(Findings(made)), "attributes"))


def test_what_cannot_be_shown_is_a_sentence_at_the_end() -> None:
    study = make_study(n_trials=1, n_pruned=0, labels_alone=False)
    bare = [
        replace(each, metrics={name: value for name, value in each.metrics.items() if "ece/" not in name})
        for each in study.runs
    ]
    chapter = chapter_of(Findings(replace(study, tags={}, runs=tuple(bare))))
    assert {each.name for each in chapter.sections} == {
        "answer", "scores", "devices", "search", "cost", "reproduce", "missing",
    }  # fmt: skip
    missing = section(chapter, "missing")
    assert len(missing.points) == 6
    assert any("did not measure calibration" in point for point in missing.points)
    assert any("no published figures" in str(block) for block in section(chapter, "scores").blocks)
    assert any("no parameter importances" in str(block) for block in section(chapter, "search").blocks)


def test_study_without_a_finished_trial_says_so() -> None:
    chapter = chapter_of(Findings(make_study(n_trials=0, n_pruned=2)))
    assert [each.title for each in chapter.sections] == ["No trial has finished"]
    assert "2 pruned" in sentences(chapter.sections[0])


def test_several_studies_open_with_what_they_have_together() -> None:
    studies = [make_study("one", 12), make_study("other", 12, seed=2)]
    report = report_of(list(map(Findings, studies)))
    assert report.title == "one and other"
    together = report.front[0]
    assert [row[0].text for row in table(together, "The best trial").rows] == ["one", "other"]
    assert "the best of all is trial" in sentences(together)
    assert len(report.chapters) == 2


def test_studies_that_do_not_compare_have_no_best_of_all() -> None:
    studies = [make_study("one", 12), make_study("other", 12, split="test")]
    together = report_of(list(map(Findings, studies))).front[0]
    assert "no best of all is named" in sentences(together)
    assert "Chosen on the test fold, so flattered there: other." in together.points
