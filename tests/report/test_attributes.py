"""What makes a good teacher: attributes and their effects."""

from dataclasses import replace

import pytest

from asc_experiments.report.attributes import Attribute, rank_attributes
from asc_experiments.report.runs import StudyRuns
from tests.report.made import make_study


def named(found: list[Attribute]) -> dict[str, Attribute]:
    return {attribute.name: attribute for attribute in found}


@pytest.fixture(scope="module")
def many() -> StudyRuns:
    return make_study(n_trials=60)


def test_accuracy_of_the_ensemble_is_found_where_it_decides(many: StudyRuns) -> None:
    found = named(rank_attributes(many))["ensemble: accuracy"]
    assert not found.is_category
    assert found.on_objective is not None
    assert found.on_objective.value > 0.2
    assert found.on_objective.is_clear
    assert found.on_unseen is not None


def test_any_teacher_is_compared_with_none(many: StudyRuns) -> None:
    found = named(rank_attributes(many))["any teacher at all"]
    assert found.on_objective is not None
    assert found.on_objective.sizes == (50, 10)
    taught = [trial.metrics["objective"] for trial in many.trials if trial.tags["asc.teachers"]]
    alone = [trial.metrics["objective"] for trial in many.trials if not trial.tags["asc.teachers"]]
    assert found.on_objective.value == pytest.approx(sum(taught) / len(taught) - sum(alone) / len(alone))


def test_strongest_comes_first(many: StudyRuns) -> None:
    strengths = [attribute.strength for attribute in rank_attributes(many)]
    assert strengths == sorted(strengths, reverse=True)


def test_what_says_the_same_of_every_trial_is_told_once(many: StudyRuns) -> None:
    names = named(rank_attributes(many))
    assert "DIR: every member has it" in names
    assert "FMS: every member has it" not in names, "here whoever has DIR has FMS"
    alone = replace(
        many,
        runs=tuple(
            replace(each, tags={**each.tags, "asc.teachers": each.tags.get("asc.teachers", "").split(",")[0]})
            for each in many.runs
        ),
    )
    single = named(rank_attributes(alone))
    assert "DIR: a member has it" in single
    assert "DIR: every member has it" not in single, "with one member each, any is every"


def test_attribute_of_a_teacher_that_is_gone_is_not_known(many: StudyRuns) -> None:
    found = named(rank_attributes(replace(many, bank={})))
    assert not [name for name in found if name.startswith(("members:", "architecture:", "DIR:"))]
    assert "ensemble: accuracy" in found, "that is in the trial's own run"


def test_one_trial_has_nothing_to_rank() -> None:
    assert rank_attributes(make_study(n_trials=1, n_pruned=0)) == []
