"""From trials to Recipes."""

from collections.abc import Callable
from pathlib import Path

import optuna
from optuna.trial import FixedTrial

from asc_experiments.study.file import StudyFile, read_study
from asc_experiments.study.space import SearchSpace

Write = Callable[..., Path]


def space(path: Path) -> SearchSpace:
    return SearchSpace(read_study(path))


def test_parameters_of_a_kind_exist_only_where_it_was_chosen(study_file: Write) -> None:
    trial = FixedTrial({"ensemble_size": 1, "teacher_1": "cp_resnet"})
    plan = space(study_file()).plan(trial)
    assert [recipe.arch for recipe in plan.teachers] == ["cp_resnet"]
    assert set(trial.params) == {"ensemble_size", "teacher_1"}


def test_members_of_one_cell_get_different_seeds(study_file: Write) -> None:
    values = {"ensemble_size": 2, "teacher_1": "cp_mobile", "teacher_2": "cp_mobile"}
    values |= {"teacher_1.cp_mobile.augment": "none", "teacher_2.cp_mobile.augment": "none"}
    plan = space(study_file()).plan(FixedTrial(values))
    assert [recipe.seed for recipe in plan.teachers] == [0, 1]


def test_members_never_share_a_seed_even_where_seeds_are_searched_for(study_file: Write) -> None:
    values = read_study(study_file()).model_dump(mode="json")
    values["ensemble"] = {"size": 3, "pool": [{"arch": "cp_mobile", "seed": [0, 1]}]}
    asked = {"teacher_1.cp_mobile.seed": 0, "teacher_2.cp_mobile.seed": 0, "teacher_3.cp_mobile.seed": 1}
    plan = SearchSpace(StudyFile.parse(values, "x")).plan(FixedTrial(asked))
    assert sorted(recipe.seed for recipe in plan.teachers) == [0, 1, 2]


def test_order_of_the_members_does_not_matter(study_file: Write) -> None:
    one = {
        "ensemble_size": 2,
        "teacher_1": "cp_resnet",
        "teacher_2": "cp_mobile",
        "teacher_2.cp_mobile.augment": "none",
    }
    two = {
        "ensemble_size": 2,
        "teacher_2": "cp_resnet",
        "teacher_1": "cp_mobile",
        "teacher_1.cp_mobile.augment": "none",
    }
    plans = [space(study_file()).plan(FixedTrial(values)) for values in (one, two)]
    assert plans[0] == plans[1]


def test_student_is_the_published_one_by_default(study_file: Write) -> None:
    plan = space(study_file(student="{}")).plan(FixedTrial({"ensemble_size": 1, "teacher_1": "cp_resnet"}))
    assert plan.student.name == "cp_mobile-32-dirfms-s0"
    assert plan.student.optimisation.epochs == 150
    assert (plan.distillation.temperature, plan.distillation.label_weight) == (2.0, 0.02)


def test_every_trial_of_any_sampler_makes_valid_recipes(study_file: Write) -> None:
    path = study_file(
        student="{base_channels: {low: 8, high: 32, step: 8}, learning_rate: {low: 1e-4, high: 1e-2, log: true}}"
    )
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    search = space(path)
    sizes = set()
    for _ in range(50):
        plan = search.plan(study.ask())
        sizes.add(len(plan.teachers))
        assert plan.student.network.model_dump()["base_channels"] in (8, 16, 24, 32)
        assert 1e-4 <= plan.student.optimisation.learning_rate <= 1e-2
    assert sizes == {1, 2}


def test_single_choices_are_no_parameters(study_file: Write) -> None:
    values = read_study(study_file()).model_dump(mode="json")
    values["ensemble"] = {"size": 1, "pool": [{"arch": "cp_mobile", "augment": ["fms"]}]}
    trial = FixedTrial({})
    plan = SearchSpace(StudyFile.parse(values, "x")).plan(trial)
    assert plan.teachers[0].augment == "fms"
    assert trial.params == {}
