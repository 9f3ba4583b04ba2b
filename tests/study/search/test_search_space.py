"""From trials to Recipes."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.trial import FixedTrial

from asc_experiments.base.errors import AscError
from asc_experiments.models import ARCHITECTURES
from asc_experiments.study.definition.study_file import StudyFile, read_study
from asc_experiments.study.search.search_space import SearchSpace, TrialPlan
from asc_experiments.training import KL, Features, Recipe

Write = Callable[..., Path]
RULES = ["mean_logits", "mean_probabilities"]
POOL = [
    {"name": "cpm", "arch": "cp_mobile", "augment": ["none", "dirfms"]},
    {"name": "cpr", "arch": "cp_resnet", "base_channels": 16},
    {"name": "old", "keys": ["2e", "1f", "3d"]},
]
SEARCHED = {"temperature": [1.0, 2.0]}


def space(path: Path) -> SearchSpace:
    return SearchSpace(read_study(path))


def pooled(ensemble: dict[str, Any], **keys: Any) -> SearchSpace:
    """A space of the pool above, with rules and temperatures to search for."""
    values = {"name": "s", "ensemble": {"pool": POOL, "rule": RULES} | ensemble, "distillation": SEARCHED}
    return SearchSpace(StudyFile.parse(values | keys, "s.yaml"))


def names(plan: TrialPlan) -> list[str]:
    return [wanted.name if isinstance(wanted, Recipe) else wanted for wanted in plan.teachers]


def asked(search: SearchSpace, values: dict[str, Any]) -> tuple[TrialPlan, dict[str, Any]]:
    """The plan of some parameters, and the parameters that it asked for."""
    trial = FixedTrial(values)
    return search.plan(trial), trial.params


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
    assert plan.student.name == "cp_mobile-32-dirfms-s1000"
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


def test_counted_members_of_one_kind_differ_by_their_seed() -> None:
    search = pooled({"counts": {"cpm": {"low": 0, "high": 3}, "cpr": [0, 2]}})
    values = {"count.cpm": 3, "count.cpr": 2, "teachers.cpm.augment": "dirfms", "ensemble_rule": "mean_logits"}
    plan, params = asked(search, values | {"distillation.temperature": 2.0})
    assert names(plan) == [f"cp_mobile-32-dirfms-s{seed}" for seed in range(3)] + [
        f"cp_resnet-16-none-s{seed}" for seed in range(2)
    ]
    assert params.keys() == values.keys() | {"distillation.temperature"}


def test_parameters_of_a_counted_kind_exist_only_where_there_are_some() -> None:
    search = pooled({"counts": {"cpm": [0, 1, 2], "cpr": [0, 1, 2]}})
    values = {"count.cpm": 0, "count.cpr": 2, "ensemble_rule": "mean_probabilities", "distillation.temperature": 1.0}
    plan, params = asked(search, values)
    assert names(plan) == ["cp_resnet-16-none-s0", "cp_resnet-16-none-s1"]
    assert (plan.rule, params.keys()) == ("mean_probabilities", values.keys())


def test_rule_is_searched_for_only_among_several_teachers() -> None:
    search = pooled({"counts": {"cpr": [0, 1, 2]}})
    plan, params = asked(search, {"count.cpr": 1, "distillation.temperature": 1.0})
    assert (plan.rule, set(params)) == ("mean_logits", {"count.cpr", "distillation.temperature"})
    assert (
        "ensemble_rule"
        in asked(search, {"count.cpr": 2} | params | {"count.cpr": 2, "ensemble_rule": "mean_logits"})[1]
    )


def test_fixed_rule_is_no_parameter_and_stands() -> None:
    plan, params = asked(pooled({"counts": {"cpr": 2}, "rule": "mean_probabilities"}, distillation={}), {})
    assert (plan.rule, params) == ("mean_probabilities", {})


@pytest.mark.parametrize(
    ("ensemble", "values"),
    [
        ({"size": [0, 1]}, {"ensemble_size": 0}),
        ({"counts": {"cpm": [0, 1], "cpr": [0, 1]}}, {"count.cpm": 0, "count.cpr": 0}),
        ({"teams": {"none": {}, "one": {"cpm": 1}}}, {"team": "none"}),
        ({"teams": {"none": {"cpm": 0}, "one": {"cpm": 1}}}, {"team": "none"}),
        ({"counts": {"old": [0, 3]}}, {"count.old": 0}),
    ],
)
def test_student_on_labels_alone_has_no_distillation_and_no_rule(
    ensemble: dict[str, Any], values: dict[str, Any]
) -> None:
    plan, params = asked(pooled(ensemble), values)
    assert (plan.teachers, plan.teacher_names, params) == ((), "labels alone", values)


def test_team_is_a_named_ensemble() -> None:
    search = pooled({"teams": {"alone": {"cpr": 1}, "both": {"cpr": 1, "cpm": 2, "old": 2}}})
    values = {"team": "both", "teachers.cpm.augment": "none", "ensemble_rule": "mean_logits"}
    plan, params = asked(search, values | {"distillation.temperature": 1.0})
    assert sorted(names(plan)) == ["1f", "2e", "cp_mobile-32-none-s0", "cp_mobile-32-none-s1", "cp_resnet-16-none-s0"]
    assert params.keys() == values.keys() | {"distillation.temperature"}
    assert names(asked(search, {"team": "alone", "distillation.temperature": 1.0})[0]) == ["cp_resnet-16-none-s0"]


def test_only_team_is_no_parameter() -> None:
    assert asked(pooled({"teams": {"alone": {"cpr": 1}}}, distillation={}), {})[1] == {}


def test_keys_are_taken_in_their_order_as_many_as_are_counted() -> None:
    search = pooled({"counts": {"old": [1, 2]}, "rule": "mean_logits"}, distillation={})
    assert asked(search, {"count.old": 2})[0].teachers == ("1f", "2e"), "the first two of the file, in a fixed order"
    assert asked(search, {"count.old": 1})[0].teachers == ("2e",)


def test_drawn_key_is_a_parameter_and_counts_once() -> None:
    search = pooled({"size": 2, "rule": "mean_logits"}, distillation={})
    values = {"teacher_1": "old", "teacher_1.old.key": "3d", "teacher_2": "old", "teacher_2.old.key": "3d"}
    plan, params = asked(search, values)
    assert (plan.teachers, params) == (("3d",), values)


def test_grid_of_counts_has_each_ensemble_once() -> None:
    search = pooled({"counts": {"cpm": [0, 1], "cpr": {"low": 0, "high": 2}}, "rule": "mean_logits"}, sampler="grid")
    cells = search.cells
    # labels alone is one cell; the others are searched at two temperatures, those with a CP-Mobile in two variants
    assert len(cells) == 1 + 2 * 2 + 2 * 2 * 3
    assert len({plan for _, plan in cells}) == len(cells)
    assert all(search.plan_of(params, "x") == plan for params, plan in cells)


def test_grid_leaves_out_cells_that_are_the_same_ensemble() -> None:
    cells = pooled({"size": 2, "rule": "mean_logits", "pool": POOL[2:]}, sampler="grid", distillation={}).cells
    assert sorted(names(plan) for _, plan in cells) == [
        ["1f"],
        ["1f", "2e"],
        ["1f", "3d"],
        ["2e"],
        ["2e", "3d"],
        ["3d"],
    ]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"count.cpx": 1}, r"'count\.cpx' is no parameter of that trial; did you mean 'count\.cp[mr]'\?"),
        ({"count.cpm": 3}, r"count\.cpm is 3; valid: 0, 1, 2"),
        ({"count.cpr": 3}, r"count\.cpr is 3; give a whole number from 0 to 2"),
        ({"count.cpm": 0, "teachers.cpm.augment": "none"}, r"'teachers\.cpm\.augment' is no parameter of that trial"),
        ({"distillation.temperature": 1.0}, r"'distillation\.temperature' is no parameter of that trial"),
        ({"count.cpr": 1, "ensemble_rule": "mean_logits"}, r"'ensemble_rule' is no parameter of that trial"),
        ({"count.cpr": 2, "ensemble_rule": "median"}, r"ensemble_rule is 'median'; valid: mean_logits, mean_prob"),
        ({"count.cpr": 1, "distillation.temperature": 3.0}, r"distillation\.temperature is 3\.0; valid: 1\.0, 2\.0"),
    ],
)
def test_given_parameters_are_checked(values: dict[str, Any], message: str) -> None:
    search = pooled({"counts": {"cpm": [0, 1, 2], "cpr": {"low": 0, "high": 2}}})
    with pytest.raises(AscError, match=rf"^enqueue: {message}") as caught:
        search.plan_of(values, "enqueue")
    assert "\n" not in caught.value.line()


def test_settings_of_a_loss_exist_only_where_it_was_chosen() -> None:
    searched = {"loss": ["kl", "features"], "temperature": [1.0, 2.0], "feature_weight": {"low": 0.01, "high": 1.0}}
    search = pooled({"counts": {"cpr": 1}}, distillation=searched)
    search.check("s.yaml")
    chosen = {"distillation.loss": "kl", "distillation.temperature": 2.0}
    plan, params = asked(search, chosen)
    assert (plan.distillation, params) == (KL(temperature=2.0), chosen)
    chosen = {"distillation.loss": "features", "distillation.temperature": 1.0, "distillation.feature_weight": 0.1}
    plan, params = asked(search, chosen)
    assert (plan.distillation, params) == (Features(temperature=1.0, feature_weight=0.1), chosen)
    grid = pooled({"counts": {"cpr": 1}}, sampler="grid", distillation=searched | {"feature_weight": [0.1, 0.5, 1.0]})
    losses = [plan.distillation.name for _, plan in grid.cells]
    assert (losses.count("kl"), losses.count("features")) == (2, 6), "a weight that is not used makes no cells"


@pytest.mark.parametrize(
    ("distillation", "message"),
    [
        ({"loss": ["kl", "featurs"]}, "unknown loss 'featurs'; did you mean 'features'"),
        ({"feature_weight": 0.5}, "loss 'kl' has no 'feature_weight'; remove it, or set loss to features"),
        ({"loss": ["kl", "features"], "feature_wait": 0.5}, r"unknown key 'feature_wait'; .*'feature_weight'"),
        (
            {"loss": "features", "feature_weight": {"low": -1.0, "high": 1.0}},
            r"'feature_weight' is -1\.0; give at least 0",
        ),
    ],
)
def test_mistake_in_a_loss_is_told_before_anything_runs(distillation: dict[str, Any], message: str) -> None:
    with pytest.raises(AscError) as caught:
        pooled({"counts": {"cpr": 1}}, distillation=distillation).check("s.yaml")
    told = [error.line() for error in caught.value.each()]
    assert any(re.match(f"s.yaml: distillation: {message}", line) for line in told), told


def test_network_without_embeddings_is_told_where_a_loss_needs_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(type(ARCHITECTURES["cp_resnet"]), "head", "")
    pooled({"counts": {"cpr": 1}}).check("s.yaml")
    with pytest.raises(
        AscError, match=r"s\.yaml: distillation\.loss features: architecture 'cp_resnet' has no embedding"
    ):
        pooled({"counts": {"cpr": 1}}, distillation={"loss": ["kl", "features"]}).check("s.yaml")


def test_space_without_parameters_refuses_any() -> None:
    with pytest.raises(AscError, match=r"'team' is no parameter of that trial; remove it"):
        pooled({"teams": {"alone": {"cpr": 1}}}, distillation={}).plan_of({"team": "alone"}, "enqueue")


def test_published_figure_must_be_a_trial_of_the_study() -> None:
    figure = {"name": "ours", "params": {"count.cpr": 7}, "metrics": {"accuracy/overall": 0.6}}
    with pytest.raises(AscError, match=r"s\.yaml: published 'ours': count\.cpr is 7"):
        pooled({"counts": {"cpr": [0, 1]}}, published=[figure]).check("s.yaml")


def test_grid_that_has_no_end_is_refused_when_it_is_checked() -> None:
    search = pooled({"counts": {"cpr": [0, 1]}}, sampler="grid", student={"learning_rate": {"low": 1e-4, "high": 1e-2}})
    with pytest.raises(AscError, match=r"study 's': student\.learning_rate has no end of values for a grid"):
        search.check("s.yaml")
