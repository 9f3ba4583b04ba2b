"""Fewer epochs, or more teachers, by settings that ``--set`` takes: for every network of a study."""

from pathlib import Path
from typing import Any

import pytest

from asc_experiments.study.definition.bundled_studies import shipped_studies
from asc_experiments.study.definition.study_file import StudyFile, read_study
from asc_experiments.study.monitor.cost_estimate import cells_anew
from asc_experiments.study.monitor.design_settings import (
    student_epochs,
    teachers_of_each_kind,
    with_part_of_epochs,
    with_teachers_of_each_kind,
)
from asc_experiments.study.search.search_space import SearchSpace
from asc_experiments.training import Recipe


def study(**keys: Any) -> StudyFile:
    ensemble = {"size": 1, "common": {"epochs": 20}, "pool": ["cp_mobile", "cp_resnet"]}
    values = {"name": "s", "sampler": "grid", "ensemble": ensemble, "student": {"epochs": 12}}
    return StudyFile.parse(values | keys, "s.yaml")


def epochs_of(file: StudyFile) -> dict[str, int]:
    return {f"{each.arch} {each.augment}": each.optimisation.epochs for each in SearchSpace(file).recipes}


def test_what_kinds_have_in_common_is_changed_there() -> None:
    file = study()
    changes = with_part_of_epochs(file, 0.5)
    assert changes == {"student.epochs": 6, "ensemble.common.epochs": 10}
    assert epochs_of(file.with_changes(changes)) == {"cp_mobile none": 10, "cp_resnet none": 10, "cp_mobile dirfms": 6}
    assert with_part_of_epochs(file, 1) == {}


def test_kinds_with_epochs_of_their_own_are_changed_one_by_one() -> None:
    pool: list[Any] = ["cp_mobile", {"arch": "cp_resnet", "epochs": 30, "augment": ["none", "fms"]}]
    changes = with_part_of_epochs(study(ensemble={"size": 1, "common": {"epochs": 20}, "pool": pool}), 0.5)
    assert changes == {
        "student.epochs": 6,
        "ensemble.pool": [
            {"arch": "cp_mobile", "epochs": 10},
            {"arch": "cp_resnet", "epochs": 15, "augment": ["none", "fms"]},
        ],
    }


def test_published_epochs_are_shortened_to_a_part_of_theirs() -> None:
    file = study(ensemble={"size": 1, "pool": ["cp_resnet", "passt"]}, student={})
    assert student_epochs(file) == 150
    changed = file.with_changes(with_part_of_epochs(file, 1 / 3) or {})
    assert epochs_of(changed) == {"cp_resnet none": 50, "passt none": 8, "cp_mobile dirfms": 50}


def test_schedule_goes_with_the_epochs_whether_the_file_says_it_or_not() -> None:
    schedule = {"epochs": 12, "warmup_epochs": 2, "rampdown_start": 5, "rampdown_epochs": 7}
    said = study(student=schedule)
    assert with_part_of_epochs(said, 0.5) == {
        "student.epochs": 6, "student.warmup_epochs": 1, "student.rampdown_start": 2, "student.rampdown_epochs": 4,
        "ensemble.common.epochs": 10,
    }  # fmt: skip
    student = SearchSpace(_half(study())).recipes[-1]
    assert student.optimisation.rampdown_start + student.optimisation.rampdown_epochs <= 6, "stretched by itself"


def _half(file: StudyFile) -> StudyFile:
    return file.with_changes(with_part_of_epochs(file, 0.5) or {})


@pytest.mark.parametrize(
    "keys",
    [
        {"student": {"epochs": [10, 20]}},
        {"student": {"epochs": {"low": 10, "high": 20}}},
        {"student": {"epochs": 12, "rampdown_start": [3, 5]}},
        {"ensemble": {"size": 1, "pool": [{"arch": "cp_resnet", "epochs": [10, 20]}]}},
    ],
)
def test_epochs_that_are_searched_for_stay(keys: dict[str, Any]) -> None:
    assert with_part_of_epochs(study(**keys), 0.5) is None


def test_teachers_that_are_in_the_bank_stay_as_they_are() -> None:
    pool = [{"name": "old", "keys": ["1f3a"]}, {"arch": "cp_resnet", "epochs": 8}]
    changes = with_part_of_epochs(study(ensemble={"size": 1, "pool": pool}), 0.5)
    assert changes is not None
    assert changes["ensemble.pool"] == [{"name": "old", "keys": ["1f3a"]}, {"arch": "cp_resnet", "epochs": 4}]
    only = study(ensemble={"size": 1, "pool": pool[:1]})
    assert with_part_of_epochs(only, 0.5) == {"student.epochs": 6}


@pytest.mark.parametrize("name", list(shipped_studies()))
def test_every_shipped_study_can_have_half_its_epochs(name: str) -> None:
    file = read_study(Path(name))
    halved = SearchSpace(_half(file)).recipes
    for before, after in zip(SearchSpace(file).recipes, halved, strict=True):
        assert after.optimisation.epochs == max(1, round(before.optimisation.epochs / 2))


def test_more_teachers_of_each_kind_are_those_there_are_and_the_next_seeds() -> None:
    pool = [{"arch": "cp_mobile", "seed": [0, 1]}, {"arch": "cp_resnet", "seed": [5, 1]}]
    file = study(ensemble={"size": [0, 1], "common": {"epochs": 20}, "pool": pool})
    assert teachers_of_each_kind(file, cells_anew(file)) == 2
    more = file.with_changes(with_teachers_of_each_kind(file, 4))
    seeds: dict[str, set[int]] = {}
    for _, plan in cells_anew(more):
        for each in plan.teachers:
            assert isinstance(each, Recipe)
            seeds.setdefault(each.arch, set()).add(each.seed)
    assert seeds == {"cp_mobile": {0, 1, 2, 3}, "cp_resnet": {5, 1, 0, 2}}
    shared = study(ensemble={"size": 1, "common": {"seed": [0, 1]}, "pool": ["cp_mobile", "cp_resnet"]})
    assert with_teachers_of_each_kind(shared, 3) == {"ensemble.common.seed": [0, 1, 2]}


@pytest.mark.parametrize(
    "keys",
    [
        {"ensemble": {"size": 1, "pool": ["cp_mobile", {"arch": "cp_resnet", "seed": [0, 1]}]}},
        {"ensemble": {"size": 2, "common": {"seed": [0, 1]}, "pool": ["cp_mobile"]}},
        {"ensemble": {"size": 1, "common": {"seed": [0, 1]}, "pool": ["cp_mobile"]}, "trials": 2},
        {"ensemble": {"size": 1, "common": {"seed": [0, 1]}, "pool": ["cp_mobile"]}, "sampler": "random"},
    ],
    ids=["of one kind alone", "ensembles share teachers", "trials are counted", "no grid"],
)
def test_teachers_of_each_kind_are_no_one_number(keys: dict[str, Any]) -> None:
    file = study(**keys)
    assert teachers_of_each_kind(file, cells_anew(file)) == 0
