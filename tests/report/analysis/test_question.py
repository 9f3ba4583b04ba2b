"""What most studies ask is answered in a line each."""

import re
from dataclasses import replace

import pytest

from asc_experiments.report.analysis.findings import Findings
from asc_experiments.report.analysis.question import answers_in_short, best_less_labels_alone, question_facts
from asc_experiments.report.data.study_runs import number_of
from asc_experiments.report.render.formats import Format
from asc_experiments.report.writing import render
from asc_experiments.tracking.trials import keys_of
from tests.report.analysis.test_teacher_kinds import of_two_kinds
from tests.report.made import make_study


def test_best_taught_trial_is_compared_with_the_same_student_on_labels_alone() -> None:
    study = make_study(n_trials=24)
    assert best_less_labels_alone(study) is None, "the best has another student than those on labels alone"
    recipe = study.trials[0].tags["asc.recipe"]
    study = replace(study, runs=tuple(replace(run, tags={**run.tags, "asc.recipe": recipe}) for run in study.runs))
    found = best_less_labels_alone(study)
    assert found is not None
    best, reference, apart = found
    assert keys_of(best)
    assert not keys_of(reference)
    ours, theirs = (study.standing(each).evidence.measure(apart.metric).mean() for each in (best, reference))  # type: ignore[union-attr]
    assert apart.value == pytest.approx(ours - theirs)
    line = answers_in_short(study)[0]
    names = f"trial {number_of(best)} less trial {number_of(reference)}"
    assert line.startswith(f"Best taught less labels alone ({names}), accuracy/macro: ")
    assert "95 % interval [" in line


def test_nothing_is_compared_where_nobody_learned_from_labels_alone() -> None:
    assert best_less_labels_alone(make_study(n_trials=12, labels_alone=False)) is None


def test_every_pair_of_kinds_has_a_line_below_the_headline_of_a_terminal_and_is_in_json() -> None:
    study = of_two_kinds(3)
    (line,) = answers_in_short(study)
    assert re.match(r"(a less b|b less a), accuracy/macro: [+-]", line)
    shown = render([Findings(study)], Format.table).splitlines()
    assert line in shown[:3]
    facts = Findings(study).facts()["question"]
    assert facts == question_facts(study)
    assert sorted(kind["kind"] for kind in facts["kinds"]) == ["a", "b"]
    (pair,) = facts["kind_differences"]["accuracy/macro"]
    assert line.startswith(f"{pair['pair']}, accuracy/macro: ")
    assert pair["margin"]["low"] < pair["margin"]["value"] < pair["margin"]["high"]


def test_terminal_shows_the_gravest_doubts_and_counts_the_others() -> None:
    study = make_study(n_trials=12, split="test")
    findings = Findings(study)
    answer = findings.answer
    assert answer is not None
    findings.__dict__["answer"] = replace(answer, caveats=tuple(f"Doubt {number}." for number in range(9)))
    shown = render([findings], Format.table)
    assert "- Doubt 5." in shown
    assert "- Doubt 6." not in shown
    assert " more: --format html" in shown
