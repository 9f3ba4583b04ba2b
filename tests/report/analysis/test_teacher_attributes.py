"""What makes a good teacher: attributes and what goes with them beyond luck."""

import json
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from asc_experiments.metrics import OVERALL_ACCURACY
from asc_experiments.report.analysis.teacher_attributes import Attribute, rank_attributes, teaching_effect
from asc_experiments.report.analysis.teacher_design import Design
from asc_experiments.report.data.study_runs import StudyRuns
from asc_experiments.tracking import RunRecord
from asc_experiments.tracking.trials import RECIPE
from tests.report.made import make_study


def named(found: list[Attribute]) -> dict[str, Attribute]:
    return {name: attribute for attribute in found for name in attribute.names}


def of_singles(study: StudyRuns, keys: Callable[[int], str]) -> StudyRuns:
    """The same study, each trial with one teacher, the one that is told for its number; none where that is empty."""
    return replace(study, runs=tuple(replace(e, tags={**e.tags, "asc.teachers": keys(_number(e))}) for e in study.runs))


def _number(run: RunRecord) -> int:
    return int(run.tags.get("asc.trial", 0))


def scored(study: StudyRuns, objective: Callable[[int], float]) -> StudyRuns:
    """The same study with other objectives."""
    runs = (
        replace(each, metrics={**each.metrics, "objective": objective(_number(each))})
        if "asc.trial" in each.tags
        else each
        for each in study.runs
        if each.status == "FINISHED"
    )
    return replace(study, runs=tuple(runs))


@pytest.fixture(scope="module")
def many() -> StudyRuns:
    return make_study(n_trials=60)


def test_accuracy_of_the_members_is_found_where_it_decides(many: StudyRuns) -> None:
    found = named(rank_attributes(Design(many)))["members: mean accuracy"]
    assert not found.is_category
    assert found.on_objective is not None
    assert found.on_objective.value > 0.2
    assert found.on_objective.is_clear
    assert found.on_unseen is not None


def test_any_teacher_is_compared_with_none_at_the_same_settings(many: StudyRuns) -> None:
    """Trials on labels alone have the smallest student here, so the plain difference, 8 points, is mostly its size."""
    found = named(rank_attributes(Design(many)))["any teacher at all"]
    assert found.on_objective is not None
    assert found.on_objective.sizes == (50, 10)
    plain = [trial.metrics["objective"] * (1 if trial.tags["asc.teachers"] else -5) / 50 for trial in many.trials]
    assert sum(plain) == pytest.approx(0.0819, abs=1e-4)
    assert 0.03 < found.on_objective.value < 0.06


def test_strongest_comes_first_and_what_has_no_verdict_last(many: StudyRuns) -> None:
    for study in (many, make_study(n_trials=9)):
        found = rank_attributes(Design(study))
        strengths = [attribute.strength for attribute in found]
        assert strengths == sorted(strengths, reverse=True)
        told = [each.on_objective is not None and not each.on_objective.too_few for each in found]
        assert told == sorted(told, reverse=True)


def test_what_says_the_same_of_every_trial_is_one_row_with_all_names(many: StudyRuns) -> None:
    names = {attribute.names for attribute in rank_attributes(Design(many))}
    assert ("DIR: every member has it", "FMS: every member has it") in names, "here whoever has DIR has FMS"
    single = of_singles(many, lambda number: list(many.bank)[number % 12])
    found = named(rank_attributes(Design(single)))
    assert "DIR: a member has it" in found
    assert "DIR: every member has it" not in found, "with one member each, any is every"


def test_augmentation_of_a_package_is_an_attribute_whether_or_not_it_is_installed(many: StudyRuns) -> None:
    def with_hum(place: int, run: RunRecord) -> RunRecord:
        recipe = json.loads(run.tags[RECIPE]) | ({"sources": [{"name": "hum"}]} if place % 3 == 0 else {})
        return replace(run, tags={**run.tags, RECIPE: json.dumps(recipe)})

    bank = {key: with_hum(place, run) for place, (key, run) in enumerate(many.bank.items())}
    found = named(rank_attributes(Design(replace(many, bank=bank))))
    assert {"hum: a member has it", "hum: every member has it"} <= set(found)
    assert not any(name.startswith("hum") for name in named(rank_attributes(Design(many))))


def test_architecture_does_not_get_the_credit_of_dirfms_that_comes_with_it(many: StudyRuns) -> None:
    """Teachers are small CP-Mobiles without DIR and FMS, and CP-ResNets with both."""
    wanted = [key for key in many.bank if ("cp_resnet" in many.bank[key].name) == ("dirfms" in many.bank[key].name)]
    study = of_singles(many, lambda number: wanted[number % len(wanted)])
    found = named(rank_attributes(Design(study)))
    row = found["DIR: a member has it"]
    assert row.is_category
    assert {"FMS: a member has it", "architecture: has cp_mobile (the other way round)"} < set(row.names)
    assert row.name.startswith("DIR: a member has it = FMS: a member has it = ")


def test_numbers_that_order_trials_alike_or_the_other_way_round_are_one_row(many: StudyRuns) -> None:
    keys = list(many.bank)
    study = of_singles(many, lambda number: keys[number % 12])
    bank = {
        key: replace(run, metrics={**run.metrics, "accuracy/overall": at / 20, "device_generalization": 1 - at / 20})
        for at, (key, run) in enumerate(study.bank.items())
    }
    found = named(rank_attributes(Design(replace(study, bank=bank))))
    row = found["members: mean accuracy"]
    assert "members: mean DG (the other way round)" in row.names


def test_luck_of_a_handful_of_teachers_is_not_called_clear(many: StudyRuns) -> None:
    """Four teachers, 60 trials: whatever they differ in, a lucky one has it."""
    rng = np.random.default_rng(0)
    keys, luck = list(many.bank)[:4], [0.012, -0.008, 0.004, -0.01]
    study = of_singles(many, lambda number: keys[number % 4])
    study = scored(study, lambda number: 0.5 + luck[number % 4] + float(rng.normal(scale=0.002)))
    found = rank_attributes(Design(study))
    assert found
    assert not [each.name for each in found if each.on_objective is not None and each.on_objective.is_clear]


def test_row_that_few_trials_support_has_no_verdict(many: StudyRuns) -> None:
    """Only three trials have the metric, and in them it goes down as the objective goes up."""
    runs = tuple(
        replace(each, metrics={**each.metrics, "ensemble/ece/overall": -each.metrics["objective"]})
        if "asc.trial" in each.tags and _number(each) in (1, 2, 3) and each.status == "FINISHED"
        else replace(each, metrics={k: v for k, v in each.metrics.items() if k != "ensemble/ece/overall"})
        for each in many.runs
    )
    found = named(rank_attributes(Design(replace(many, runs=runs))))["ensemble: calibration error (ECE)"].on_objective
    assert found is not None
    assert (found.n, found.value, found.p, found.too_few) == (3, pytest.approx(-1.0), None, "trials")


def test_attribute_of_a_teacher_that_is_gone_is_not_known(many: StudyRuns) -> None:
    found = named(rank_attributes(Design(replace(many, bank={}))))
    assert not [name for name in found if name.startswith(("members:", "architecture:", "DIR:"))]
    assert "ensemble: accuracy" in found, "that is in the trial's own run"


def test_one_trial_has_nothing_to_rank() -> None:
    assert rank_attributes(Design(make_study(n_trials=1, n_pruned=0))) == []


def test_better_teacher_is_judged_against_the_luck_of_teachers_too(many: StudyRuns) -> None:
    found = teaching_effect(Design(many), OVERALL_ACCURACY)
    assert found is not None
    assert found.units == 12
    assert found.is_clear
    keys = list(many.bank)[:3]
    study = of_singles(many, lambda number: keys[number // 3 % 3])
    runs = tuple(
        replace(
            each, metrics={"objective": 0.5, "ensemble/accuracy/overall": at / 9, "accuracy/overall": at / 9 + n / 900}
        )
        for each in study.trials
        for n in [_number(each)]
        for at in [n // 3 % 3]
    )
    few = teaching_effect(Design(replace(study, runs=runs)), OVERALL_ACCURACY)
    assert few is not None
    assert few.value > 0.9
    assert not few.is_clear, "60 trials, but three teachers"


def test_settings_of_the_student_are_held(many: StudyRuns) -> None:
    design = Design(many)
    assert set(design.held_names()) == {"student.base_channels", "distillation.temperature", "the order of trials"}
    assert design.held_names(taught=False) == ["student.base_channels", "the order of trials"], "labels have no other"
    held = design.held(without=["the order of trials"])
    assert held is not None
    assert held.shape == (60, 2)
    grid = Design(replace(many, tags={**many.tags, "asc.sampler": "grid"}))
    assert "the order of trials" not in grid.held_names(), "it was fixed beforehand"
    assert Design(make_study(n_trials=8)).held_names() == [], "too few trials for that"


def test_luck_comes_in_kinds_of_teachers_but_in_networks_within_a_grid(many: StudyRuns) -> None:
    key, run = next(iter(many.bank.items()))
    recipe = json.loads(run.tags["asc.recipe"])
    twin = replace(run, tags={**run.tags, "asc.recipe": json.dumps({**recipe, "seed": 1}), "asc.teacher": "twin"})
    study = of_singles(
        replace(many, bank={**many.bank, "twin": twin}), lambda number: (key, "twin", "gone")[number % 3]
    )
    searched, grid = Design(study), Design(replace(study, tags={**study.tags, "asc.sampler": "grid"}))
    assert searched.unit_of[key] == searched.unit_of["twin"] != searched.unit_of["gone"]
    assert len(set(grid.unit_of.values())) == 3
    assert searched.single_kinds == grid.single_kinds == 0
    assert Design(many).single_kinds == 12
    assert searched.facts()["luck_of"] == "kinds of teachers"


def test_number_of_training_clips_is_found_where_it_decides(many: StudyRuns) -> None:
    """Of the list that a trial's networks are trained on, which the study searches."""
    clips = {number: (100, 1_000, 10_000)[number // 6 % 3] for number in range(60)}

    def on_lists(run: RunRecord) -> RunRecord:
        if "asc.trial" not in run.tags or run.status != "FINISHED":
            return run
        count = clips[_number(run)]
        searched = json.loads(run.tags.get("asc.searched", "{}")) | {"corpus.train_split": f"split{count}"}
        tags = {**run.tags, "asc.searched": json.dumps(searched)}
        return replace(run, params={**run.params, "training_clips": str(count)}, tags=tags)

    study = scored(many, lambda number: np.log10(clips[number]) / 10 + number % 2 / 100)
    study = replace(study, runs=tuple(map(on_lists, study.runs)))
    found = rank_attributes(Design(study))
    effect = named(found)["training clips (corpus.train_split)"].on_objective
    assert effect is not None
    assert effect.is_clear
    assert effect.value > 0.8
    assert "corpus.train_split" in Design(study).held_names(), "it is no property of the teachers that have it"
