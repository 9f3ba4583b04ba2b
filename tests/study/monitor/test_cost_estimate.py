"""What a study will cost is known before it is begun, and nothing is begun to know it."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from asc_experiments.base.errors import AscError
from asc_experiments.distill import TeacherBank, TrainingContext
from asc_experiments.report.words import duration
from asc_experiments.study.definition.study_file import StudyFile
from asc_experiments.study.monitor.cost_estimate import Clock, PlannedTraining, StudyPlan, plan_study
from asc_experiments.study.monitor.plan_table import plan_table
from asc_experiments.study.runner.driver import Driver
from asc_experiments.study.storage.open_storage import open_storage, study_names
from asc_experiments.training import Recipe, make_recipe
from asc_experiments.training.timing import Pace

EPOCHS = {"epochs": 1, "batch_size": 64}
STUDY: dict[str, Any] = {
    "name": "tiny",
    "validation": {"fraction": 0.3},
    "ensemble": {
        "teams": {"none": {}, "two": {"cpm": 2}, "both": {"cpm": 1, "cpr": 1}},
        "common": EPOCHS,
        "pool": [
            {"name": "cpm", "arch": "cp_mobile", "base_channels": 8},
            {"name": "cpr", "arch": "cp_resnet", "base_channels": 10},
        ],
    },
    "student": {"base_channels": 8, "epochs": 2, "batch_size": 64},
}

SAME = {"base_channels": 8, "augment": "none"} | EPOCHS
"""A student like the teacher: one network to be timed."""


@pytest.fixture
def make(open_bench: Callable[..., TrainingContext], workspace: Path) -> Callable[..., "Planned"]:
    def made(**keys: Any) -> Planned:
        file = StudyFile.parse(STUDY | keys, "tiny.yaml")
        return Planned(file, open_bench(file.validation), workspace)

    return made


class Planned:
    """A study that can be planned and run."""

    def __init__(self, file: StudyFile, bench: TrainingContext, workspace: Path) -> None:
        self.file, self.bench, self.storage = file, bench, open_storage(workspace, None)

    def plan(self) -> StudyPlan:
        return plan_study(self.file, self.bench, self.storage)

    def driver(self) -> Driver:
        return Driver(self.file, self.bench, self.storage)


def rows(plan: StudyPlan) -> list[tuple[str, str, int, int]]:
    return [(row.role, row.name, row.distinct, row.in_bank) for row in plan.trainings]


def test_plan_says_how_students_are_augmented_themselves(make: Callable[..., "Planned"], quick_pace: list[str]) -> None:
    hides = "students are trained with augment dirfms themselves, which can hide what their teachers' augment gives"
    facts = make().plan().facts()
    assert facts["student_augments"] == ["dirfms"], "as by default"
    assert any(note.startswith(hides) for note in plan_table(facts).notes)
    facts = make(student=STUDY["student"] | {"augment": ["none", "fms"]}, sampler="grid").plan().facts()
    assert facts["student_augments"] == ["fms", "none"]
    assert "students are trained with augment fms or none themselves" in plan_table(facts).notes


def test_plan_says_by_which_losses_students_learn(make: Callable[..., "Planned"], quick_pace: list[str]) -> None:
    assert make(sampler="grid").plan().facts()["losses"] == [], "of the published one there is nothing to say"
    facts = make(sampler="grid", distillation={"loss": ["kl", "features"]}).plan().facts()
    assert facts["losses"] == ["features", "kl"]
    said = "students learn by loss features or kl; embeddings of each teacher are computed once, in a pass over the "
    assert f"{said}training clips" in plan_table(facts).notes


def test_grid_is_planned_exactly(make: Callable[..., Planned], quick_pace: list[str]) -> None:
    made = make(sampler="grid", seeds=3)
    plan = made.plan()
    assert (plan.trials, plan.finished, plan.is_exact) == (3, 0, True)
    assert rows(plan) == [
        ("teacher", "cp_mobile-8-none", 2, 0),
        ("teacher", "cp_resnet-10-none", 1, 0),
        ("student", "cp_mobile-8-dirfms", 9, 0),
    ]
    clips = len(made.bench.rows[0])
    assert [row.seconds for row in plan.trainings] == [clips, clips, 2 * clips]
    assert plan.hours == pytest.approx(clips * (2 + 1 + 9 * 2) / 3600)
    assert len(quick_pace) == 2, "one timing per network, whatever it is augmented with"


def test_dir_costs_what_it_takes_for_the_clips_of_the_reference_device_that_are_drawn(
    make: Callable[..., Planned], quick_pace: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("asc_experiments.study.monitor.cost_estimate.time_convolution", lambda *_: 10.0)
    made = make(sampler="grid", student=STUDY["student"] | {"dir_probability": 0.5})
    training = made.bench.rows[0]
    of_reference = int((made.bench.corpus.device_of[training] == "a").sum())
    (student,) = [row for row in made.plan().trainings if row.role == "student"]
    assert student.seconds == pytest.approx(2 * (len(training) + 0.5 * of_reference * 10))


def test_planning_trains_and_writes_nothing(make: Callable[..., Planned]) -> None:
    made = make(sampler="grid", ensemble=STUDY["ensemble"] | {"teams": {"one": {"cpm": 1}}}, student=SAME)
    checkpoints = sorted((made.bench.cache / "checkpoints").glob("*"))
    plan = made.plan()
    assert len(plan.trainings) == 2
    assert all(0 < row.seconds < 600 for row in plan.trainings)
    tracking = made.bench.tracking
    experiments = [experiment.experiment_id for experiment in tracking.client.search_experiments()]
    assert tracking.search(experiments) == []
    assert not tracking.has_experiment("tiny")
    assert study_names(made.storage) == []
    assert sorted((made.bench.cache / "checkpoints").glob("*")) == checkpoints


def test_teachers_in_the_bank_are_counted(make: Callable[..., Planned], quick_pace: list[str]) -> None:
    made = make(sampler="grid")
    teacher = next(plan for _, plan in made.driver().space.cells if plan.teachers).teachers[0]
    assert isinstance(teacher, Recipe)
    TeacherBank(made.bench.tracking).get(teacher, made.bench)
    plan = made.plan()
    assert rows(plan)[0] == ("teacher", "cp_mobile-8-none", 2, 1)
    clips = len(made.bench.rows[0])
    assert plan.hours == pytest.approx(clips * (1 + 1 + 3 * 2) / 3600)
    facts = plan.facts()
    assert (facts["teachers"], facts["teachers_in_bank"], facts["trainings"]) == (3, 1, 2 + 3)


GRID = {"sampler": "grid", "distillation": {"temperature": [1.0, 2.0, 4.0]}}
"""Seven cells: two ensembles at three temperatures, and labels alone."""


def test_cells_of_a_grid_that_have_no_trial_are_listed(make: Callable[..., Planned], quick_pace: list[str]) -> None:
    plan = make(trials=5, **GRID).plan()
    facts = plan.facts()
    assert facts["left_out"] == [
        {"team": "two", "distillation.temperature": 2.0},
        {"team": "both", "distillation.temperature": 4.0},
    ]
    assert facts["values"] == {
        "team": {"none": 1, "two": 2, "both": 2},
        "distillation.temperature": {"1.0": 2, "2.0": 1, "4.0": 1},
    }
    caption = "\n".join(plan_table(facts).notes)
    assert "left out 2 of 7 cells: team=two distillation.temperature=2.0; team=both distillation" in caption
    assert "trials with each value: team none: 1, two: 2, both: 2; distillation.temperature 1.0: 2" in caption
    assert make(**GRID).plan().facts()["left_out"] == []
    assert "left out" not in "".join(plan_table(make(**GRID).plan().facts()).notes)


def test_raised_total_of_a_grid_goes_on_with_the_next_cells(
    make: Callable[..., Planned], quick_pace: list[str], answers: object, capsys: pytest.CaptureFixture[str]
) -> None:
    ran: list[list[str]] = []
    for total in (2, 5, 7):
        driver = make(trials=total, **GRID).driver()
        driver.run()
        ran.append([repr(trial.params) for trial in driver.study.get_trials()])
    assert ran[0] == ran[1][:2]
    assert ran[1] == ran[2][:5]
    assert len(set(ran[2])) == 7
    assert "study tiny: 5 of 7 cells are left out; asc study plan lists them" in capsys.readouterr().err


def test_grid_that_an_earlier_version_began_in_another_order_runs_each_cell_once(
    make: Callable[..., Planned], quick_pace: list[str], answers: object
) -> None:
    driver = make(trials=2, **GRID).driver()
    in_file = dict(driver.queue)
    for number in (0, 6):
        driver.study.enqueue_trial(in_file[number], user_attrs={"asc.enqueued": number})
    driver.run()
    assert {trial.user_attrs["asc.enqueued"] for trial in driver.study.get_trials()} == {0, 6}
    plan = make(**GRID, trials=4).plan()
    assert (plan.finished, len(plan.left_out)) == (2, 3)
    driver = make(**GRID).driver()
    driver.run()
    assert len({repr(trial.params) for trial in driver.study.get_trials()}) == len(driver.study.get_trials()) == 7


def test_clips_of_held_out_devices_that_a_study_validates_on_are_told(
    make: Callable[..., Planned], quick_pace: list[str]
) -> None:
    held = {"fraction": 0.3, "hold_out_devices": ["s3"]}
    told = {}
    for choice in ("some", "most"):
        made = make(trials=1, validation=held | {"held_out_device_clips": choice})
        facts = made.plan().facts()
        told[choice] = facts["held_out_devices"]["s3"]
        used, every = told[choice]["validated"], told[choice]["of"]
        line = f"validates on {used} of the {every} training clips of held-out device s3"
        assert any(note.startswith(line) for note in plan_table(facts).notes)
    assert told["some"]["validated"] <= told["most"]["validated"] <= told["most"]["of"] == told["some"]["of"]


def test_kinds_of_one_network_are_told_with_what_three_would_cost(
    make: Callable[..., Planned], quick_pace: list[str]
) -> None:
    teams = STUDY["ensemble"] | {"teams": {"one": {"cpm": 1}, "other": {"cpr": 1}}}
    made = make(sampler="grid", seeds=3, ensemble=teams)
    facts = made.plan().facts()
    assert facts["luck"].startswith("one network each of cp_mobile-8-none, cp_resnet-10-none: a kind cannot be told")
    hours = len(made.bench.rows[0]) * (2 * 2 + 2 * 2 * 3 * 2) / 3600
    assert f"take {2 * 2 + 2 * 2 * 3} more trainings, {duration(3600 * hours)}" in facts["luck"]
    assert facts["luck"] in plan_table(facts).notes
    alone = make(sampler="grid", ensemble=STUDY["ensemble"] | {"teams": {"none": {}, "one": {"cpm": 1}}})
    assert alone.plan().luck == "", "one kind is compared with none other"
    several = make(sampler="grid", ensemble=STUDY["ensemble"] | {"teams": {"two": {"cpm": 2}, "both": {"cpr": 2}}})
    assert several.plan().luck == ""


def test_finished_trials_are_left_out(make: Callable[..., Planned], quick_pace: list[str], answers: object) -> None:
    made = make(sampler="grid", trials=1)
    assert made.driver().run().finished == 1
    plan = make(sampler="grid").plan()
    assert (plan.trials, plan.finished, plan.is_exact) == (3, 1, True)
    assert sum(row.distinct for row in plan.trainings if row.role == "student") == 2
    make(sampler="grid").driver().run()
    plan = make(sampler="grid").plan()
    assert (plan.finished, plan.trainings, plan.hours) == (3, (), 0)


def test_pruned_trial_is_left_out_too(make: Callable[..., Planned], quick_pace: list[str], answers: object) -> None:
    sizes = {"student": {"base_channels": [32, 8], "epochs": 2, "batch_size": 64}}
    keys = {"sampler": "grid", "constraints": {"complexity/parameters": 20_000}} | sizes
    first = make(trials=1, **keys).driver().run()
    assert first.pruned == 1
    plan = make(**keys).plan()
    assert (plan.trials, plan.finished) == (6, 1)
    students = {row.name: row.distinct for row in plan.trainings if row.role == "student"}
    assert students == {"cp_mobile-32-dirfms": 2, "cp_mobile-8-dirfms": 3}


def test_enqueued_trials_are_exact_where_they_say_everything(
    make: Callable[..., Planned], quick_pace: list[str]
) -> None:
    enqueue = [{"team": "two"}, {"team": "none"}]
    plan = make(trials=2, enqueue=enqueue).plan()
    assert plan.is_exact
    assert rows(plan) == [("teacher", "cp_mobile-8-none", 2, 0), ("student", "cp_mobile-8-dirfms", 2, 0)]
    assert not make(trials=3, enqueue=enqueue).plan().is_exact, "a sampler chooses the third"
    searched = {"distillation": {"temperature": [1.0, 2.0]}}
    assert not make(trials=1, enqueue=enqueue[:1], **searched).plan().is_exact, "or a part of the first"
    assert make(trials=1, enqueue=[{"team": "two", "distillation.temperature": 2.0}], **searched).plan().is_exact


def test_trials_that_a_sampler_will_choose_are_drawn(make: Callable[..., Planned], quick_pace: list[str]) -> None:
    plan = make(trials=20).plan()
    assert (plan.trials, plan.is_exact) == (20, False)
    assert rows(plan) == [
        ("teacher", "cp_mobile-8-none", 2, 0),
        ("teacher", "cp_resnet-10-none", 1, 0),
        ("student", "cp_mobile-8-dirfms", 20, 0),
    ]
    assert make(trials=20).plan() == plan, "the same the next time"


@pytest.mark.parametrize(("best", "replicates"), [(1, 4), (7, 6)])
def test_replicates_are_part_of_the_plan(
    make: Callable[..., Planned], quick_pace: list[str], best: int, replicates: int
) -> None:
    plan = make(sampler="grid", replicate={"best": best, "seeds": 2}).plan()
    assert rows(plan)[-1] == ("replicate", "cp_mobile-8-dirfms", replicates, 0)


def test_replicates_of_a_study_whose_trials_have_all_finished_are_planned(
    make: Callable[..., Planned], quick_pace: list[str], answers: object
) -> None:
    made = make(trials=2, **GRID)
    made.driver().run()
    assert "nothing is left to train" in plan_table(made.plan().facts()).notes[0]
    again = make(trials=2, **GRID, replicate={"best": 1, "seeds": 2})
    found = again.plan()
    assert rows(found) == [("replicate", "cp_mobile-8-dirfms", 4, 0)]
    assert found.hours > 0
    assert (
        "every trial has finished; 4 trainings of students with fresh seeds (replicate) are left"
        in (plan_table(found.facts()).notes[0])
    )


def test_facts_are_json_and_a_table_shows_them(make: Callable[..., Planned]) -> None:
    training = PlannedTraining("cp_mobile-8-none", "teacher", 3, 1, 20, 90.0)
    facts = StudyPlan("tiny", 5, 1, False, (training,)).facts()
    assert json.loads(json.dumps(facts)) == facts
    assert (facts["teachers"], facts["trainings"], facts["hours"]) == (3, 2, 0.05)
    assert facts["rows"][0]["hours"] == 0.05
    (cells,) = plan_table(facts).rows
    assert [cell.text for cell in cells] == ["teacher cp_mobile-8-none", "3", "1", "20", "2 min", "3 min"]


def test_plan_is_refused_as_the_study_would_be(make: Callable[..., Planned], quick_pace: list[str]) -> None:
    with pytest.raises(AscError, match="unknown metric 'accuracy/device/s9'"):
        make(objective={"metric": "accuracy/device/s9"}).plan()
    keys = STUDY["ensemble"] | {"teams": None, "pool": [{"keys": ["1f2e3d"]}]}
    with pytest.raises(AscError, match="teacher '1f2e3d': does not exist"):
        make(ensemble=keys).plan()


def test_plan_says_that_test_clips_are_from_places_that_are_trained_on(
    make: Callable[..., Planned], quick_pace: list[str]
) -> None:
    made = make(sampler="grid")
    assert made.plan().leak == ""
    corpus = made.bench.corpus
    tested = corpus.clips[corpus.n_train]
    moved = replace(corpus.clips[0], place=tested.place, scene=tested.scene)
    made.bench = replace(made.bench, corpus=replace(corpus, clips=(moved, *corpus.clips[1:])))
    (told,) = [note for note in plan_table(made.plan().facts()).notes if "trained on too" in note]
    assert "are from 1 place trained on too: scores on the test fold are flattered" in told


def test_more_trials_than_a_grid_has_cells_are_told(make: Callable[..., Planned], quick_pace: list[str]) -> None:
    plan = make(sampler="grid", trials=9).plan()
    assert plan.trials == 3
    told = plan_table(plan.facts()).notes[0]
    assert told.startswith("9 trials were asked for, and the grid has 3 cells, each of which is run once")
    assert make(sampler="grid", trials=3).plan().too_many == ""


def test_time_with_workers_and_a_busy_machine_are_told() -> None:
    training = PlannedTraining("cp_mobile-8-none", "teacher", 10, 0, 20, 360.0)
    plan = StudyPlan("tiny", 5, 1, False, (training,), processors=4, load=6.25)
    assert plan.hours_with_workers == pytest.approx(0.25)
    notes = plan_table(plan.facts()).notes
    assert "with --workers 4, one for each processor: about 15 min at best (one training may keep all busy)" in notes
    assert "this machine is busy (load 6.2 on 4 processors): on an idle one it takes less time" in notes
    few = replace(plan, trainings=(replace(training, distinct=2),), load=4.0)
    assert few.hours_with_workers == pytest.approx(0.1), "no less than one training"
    assert not any("is busy" in note for note in plan_table(few.facts()).notes)


@pytest.mark.parametrize("needs_a_layer", [False, True])
def test_network_of_equal_layers_is_reckoned_from_a_few_of_them(
    open_bench: Callable[..., TrainingContext], monkeypatch: pytest.MonkeyPatch, needs_a_layer: bool
) -> None:
    bench, timed = open_bench(StudyFile.parse(STUDY, "tiny.yaml").validation), list[int]()

    def pace(recipe: Recipe, *_: object, **__: object) -> Pace:
        layers = int(recipe.network.depth)  # type: ignore[attr-defined]
        if needs_a_layer and not layers:
            raise IndexError("list index out of range")
        timed.append(layers)
        return Pace(training=5.0 + 2.0 * layers, evaluation=1.0 + layers)

    monkeypatch.setattr("asc_experiments.study.monitor.cost_estimate.time_training", pace)
    passt = make_recipe("passt", "none", embed_dim=24, num_heads=3, depth=12, epochs=1)
    training, validation = bench.rows
    expected = Pace(29.0, 13.0).of(1, len(training), len(validation), len(bench.corpus.clips))
    assert Clock().seconds(passt, bench) == pytest.approx(expected)
    assert timed == ([1, 2] if needs_a_layer else [0, 1])
