"""Every sampler and pruner works with the spaces that studies have."""

import warnings
from typing import Any

import optuna
import pytest
from optuna.trial import Trial, TrialState

from asc_experiments.models.complexity import Complexity
from asc_experiments.study.definition.study_file import StudyFile
from asc_experiments.study.search.samplers import pruner, sampler, set_constraints
from asc_experiments.study.search.search_space import SearchSpace, TrialPlan

SPACE = {
    "name": "s",
    "ensemble": {
        "counts": {"cpm": [0, 1, 2], "cpr": {"low": 0, "high": 2}},
        "rule": ["mean_logits", "mean_probabilities"],
        "pool": [
            {"name": "cpm", "arch": "cp_mobile", "augment": ["none", "fms"]},
            {"name": "cpr", "arch": "cp_resnet", "base_channels": {"low": 16, "high": 32, "step": 8}},
        ],
    },
    "student": {"learning_rate": {"low": 1e-4, "high": 1e-2, "log": True}, "base_channels": [8, 16, 32]},
    "distillation": {"temperature": {"low": 1.0, "high": 4.0, "step": 0.5}},
}
LIMIT = {"constraints": {"complexity/macs": 1_000}}
TWO = LIMIT | {"against": {"metric": "complexity/macs"}}
SAMPLED = [(name, keys) for name in ("tpe", "gp", "random", "nsga2") for keys in ({}, LIMIT, TWO)]
SAMPLED.remove(("gp", TWO))


def study_file(**keys: Any) -> StudyFile:
    return StudyFile.parse(SPACE | keys, "s.yaml")


def open_study(file: StudyFile) -> optuna.Study:
    return optuna.create_study(directions=[each.direction for each in file.objectives], pruner=pruner(file))


def ask(study: optuna.Study, file: StudyFile) -> tuple[Trial, TrialPlan]:
    """As the driver asks."""
    study.sampler = sampler(file, len(study.get_trials(deepcopy=False)))
    trial = study.ask()
    return trial, SearchSpace(file).plan(trial)


def macs_of(plan: TrialPlan) -> int:
    return 50 * plan.student.network.model_dump()["base_channels"]


def search(file: StudyFile, trials: int = 15) -> list[dict[str, Any]]:
    """The parameters of so many trials, told a value each; those above a limit are pruned."""
    study = open_study(file)
    for _ in range(trials):
        trial, plan = ask(study, file)
        complexity = Complexity(parameters=1, macs=macs_of(plan), macs_torchinfo=1, bytes=4)
        set_constraints(file, trial, complexity)
        if any(complexity.macs > limit for limit in file.constraints.values()):
            study.tell(trial, state=TrialState.PRUNED)
        else:
            values = (len(plan.teachers) + plan.student.optimisation.learning_rate, float(complexity.macs))
            study.tell(trial, values[: len(file.objectives)])
    assert all(trial.state != TrialState.FAIL for trial in study.trials)
    return [trial.params for trial in study.trials]


@pytest.mark.parametrize(("name", "keys"), SAMPLED, ids=[f"{name}-{len(keys)}" for name, keys in SAMPLED])
def test_every_sampler_searches_a_conditional_space(name: str, keys: dict[str, Any]) -> None:
    file = study_file(sampler=name, **keys)
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        found = search(file)
    assert len({str(params) for params in found}) > 10, "it does not repeat itself"
    again = [SearchSpace(file).plan_of(params, "x") for params in found]
    assert {len(plan.teachers) for plan in again} >= {0, 1, 2}
    assert search(file) == found, "the same study is searched in the same way"


def test_seed_of_a_trial_depends_on_the_study_and_on_its_number_alone() -> None:
    def first(number: int, **keys: Any) -> dict[str, Any]:
        file, study = study_file(sampler="random", **keys), optuna.create_study()
        study.sampler = sampler(file, number)
        trial = study.ask()
        SearchSpace(file).plan(trial)
        return trial.params

    assert first(3) == first(3)
    assert first(3) != first(4)
    assert first(3) != first(3, sampler_seed=1)


def test_student_above_a_limit_is_infeasible_to_optuna() -> None:
    file = study_file(sampler="nsga2", constraints={"complexity/macs": 30, "complexity/parameters": 10})
    study = open_study(file)
    for macs in (30, 31, 15):
        trial, _ = ask(study, file)
        set_constraints(file, trial, Complexity(parameters=10, macs=macs, macs_torchinfo=1, bytes=40))
        study.tell(trial, 1.0)
    constraints = [trial.constraints for trial in study.trials]
    assert [max(each.values()) <= 0 for each in constraints] == [True, False, True]
    assert constraints[2] == {"complexity/macs": -0.5, "complexity/parameters": 0.0}
    feasible = {trial.number for trial in study.best_trials}
    assert feasible == {0, 2}


@pytest.mark.parametrize("name", ["median", "hyperband"])
@pytest.mark.parametrize("epochs", [1, 2, 9, 20, 150])
def test_pruner_is_made_for_any_number_of_epochs(name: str, epochs: int) -> None:
    file = study_file(pruner=name, student={"epochs": [1, epochs]})
    study = open_study(file)
    answers = []
    for _ in range(6):
        trial, _ = ask(study, file)
        for epoch in range(epochs):
            trial.report(0.5, epoch)
            answers.append(bool(trial.should_prune()))
        study.tell(trial, 0.5)
    assert len(answers) == 6 * epochs
    assert not any(answers[:epochs]), "the first trial has nobody to be worse than"


@pytest.mark.parametrize("name", ["median", "hyperband"])
def test_slow_starter_is_kept_during_the_warm_up_and_a_hopeless_trial_is_not(name: str) -> None:
    epochs = 36
    file = study_file(sampler="random", pruner=name, student={"epochs": epochs})
    study = open_study(file)

    def run(curve: list[float]) -> int | None:
        """The epoch in which it was pruned."""
        trial, _ = ask(study, file)
        for epoch, value in enumerate(curve):
            trial.report(value, epoch)
            if trial.should_prune():
                study.tell(trial, state=TrialState.PRUNED)
                return epoch
        study.tell(trial, curve[-1])
        return None

    for number in range(12):
        run([0.5 + 0.01 * number] * epochs)
    slow = [0.1] * 3 + [0.9] * (epochs - 3)
    assert [run(slow) for _ in range(4)] == [None] * 4
    hopeless = [run([0.01] * epochs) for _ in range(8)]
    assert any(epoch is not None and epoch >= 3 for epoch in hopeless)


def test_study_without_a_pruner_prunes_nothing() -> None:
    assert isinstance(pruner(study_file()), optuna.pruners.NopPruner)
