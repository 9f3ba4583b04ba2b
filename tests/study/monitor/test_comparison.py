"""What a study compares: kinds of teachers as its report does, values of an attribute, or two trials."""

from typing import Any

import pytest

from asc_experiments.base.errors import AscError
from asc_experiments.statistics.planning import Scatter, Side, expected
from asc_experiments.study.definition.study_file import StudyFile
from asc_experiments.study.monitor.comparison import BEST, TEACHERS, Comparison, attribute_of, comparison_of
from asc_experiments.study.monitor.cost_estimate import cells_anew

SCATTER = Scatter(students=0.02**2, at_places=0.01**2, places=0.005**2, places_freedom=60, teachers=0.01**2)
ALONE = "labels alone"


def compared(ensemble: dict[str, Any], attribute: str | None = None, **keys: Any) -> Comparison:
    """What a grid compares; of its teachers each has the architecture that it says."""
    values = {"name": "s", "sampler": "grid", "ensemble": ensemble, **keys}
    file = StudyFile.parse(values, "s.yaml")
    return comparison_of(file, cells_anew(file), attribute, file.seeds, SCATTER)


METHODS = {"arch": "cp_resnet", "augment": ["none", "dirfms"]}


def test_kinds_of_several_teachers_are_compared_as_reports_do() -> None:
    found = compared({"size": [0, 1], "pool": [METHODS | {"seed": [0, 1, 2]}]})
    assert found.attribute == TEACHERS
    assert found.values == {ALONE: 1, "cp_resnet-32-none": 3, "cp_resnet-32-dirfms": 3}
    assert (found.comparisons, found.teachers_freedom, found.is_of_teachers) == (3, 4, True)
    of_kinds = expected(SCATTER, (Side(9, 3), Side(9, 3)), 3, 4)
    beside_labels = expected(SCATTER, (Side(3), Side(9, 3)), 3, 4)
    assert found.expected(SCATTER, 3) == max(of_kinds, beside_labels, key=lambda each: each.detects)


def test_one_teacher_of_a_kind_is_compared_as_it_is_among_all_trials() -> None:
    found = compared({"size": [0, 1], "pool": [METHODS]})
    assert set(found.values.values()) == {1}
    assert (found.comparisons, found.is_of_teachers) == (2, False)
    assert found.expected(SCATTER, 5) == expected(SCATTER, (Side(5), Side(5)), 2)


def test_attribute_of_several_kinds_counts_for_all_of_them() -> None:
    teams = {"cpm": {"cpm": 1}, "cpr": {"cpr": 1}}
    pool = [METHODS | {"name": "cpr"}, METHODS | {"name": "cpm", "arch": "cp_mobile"}]
    found = compared({"teams": teams, "pool": pool}, "augment")
    assert found.values == {"none": 2, "dirfms": 2}
    assert (found.comparisons, found.teachers_freedom) == (1, 2)
    assert found.expected(SCATTER, 4) == expected(SCATTER, (Side(8, 2), Side(8, 2)), 1, 2)


def test_what_all_values_have_the_same_teachers_of_is_not_blurred_by_their_luck() -> None:
    found = compared(
        {"size": 1, "pool": ["cp_resnet"]}, distillation={"temperature": [1.0, 2.0], "label_weight": [0.1, 0.5]}
    )
    assert found.attribute == "distillation.temperature", "there is one kind of teachers, and both are as hard to tell"
    assert found.values == {"1.0": 2, "2.0": 2}
    assert not found.is_of_teachers
    assert found.expected(SCATTER, 3) == expected(SCATTER, (Side(6), Side(6)))


def test_seed_is_no_attribute_and_an_unknown_one_is_named() -> None:
    ensemble = {"size": 1, "pool": [METHODS | {"seed": [0, 1]}]}
    with pytest.raises(AscError, match="--compare seed: is no attribute that the trials have several values of"):
        compared(ensemble, "seed")
    with pytest.raises(AscError, match=r"augmnt.*augment"):
        compared(ensemble, "augmnt")


def test_search_compares_two_trials_picked_from_all() -> None:
    ensemble = {"size": [0, 1], "pool": [METHODS]}
    found = compared(ensemble, sampler="tpe", trials=7)
    assert (found.attribute, found.comparisons, found.values) == (BEST, 6, {})
    assert found.expected(SCATTER, 3) == expected(SCATTER, (Side(3), Side(3)), 6)
    with pytest.raises(AscError, match=r"--compare augment: .*omit --compare"):
        compared(ensemble, "augment", sampler="tpe", trials=7)


@pytest.mark.parametrize(("split", "comparisons"), [("validation", 2), ("test", 6)])
def test_repeated_trials_are_picked_from_those_that_are_repeated_unless_test_clips_chose(
    split: str, comparisons: int
) -> None:
    keys = {"sampler": "tpe", "trials": 7, "replicate": {"best": 2, "seeds": 3}, "objective": {"split": split}}
    assert compared({"size": [0, 1], "pool": [METHODS]}, **keys).comparisons == comparisons


def test_one_trial_has_nothing_to_be_compared_with() -> None:
    with pytest.raises(AscError, match="study 's': has one trial, and nothing to compare it with"):
        compared({"size": 0, "pool": ["cp_resnet"]})


@pytest.mark.parametrize(
    ("parameter", "attribute"),
    [
        ("teacher_1.cp_resnet.augment", "augment"),
        ("teachers.cpr.base_channels", "base_channels"),
        ("teacher_1", "teacher_1"),
        ("student.augment", "student.augment"),
        ("corpus.train_split", "corpus.train_split"),
        ("count.cpr", "count.cpr"),
    ],
)
def test_settings_of_teachers_are_one_attribute_whatever_the_kind(parameter: str, attribute: str) -> None:
    assert attribute_of(parameter) == attribute
