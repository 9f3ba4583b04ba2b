"""Trials that share a cell: how many students each is of, which they are, what they cost."""

from dataclasses import replace

from asc_experiments.report.analysis.compute_cost import costs_of
from asc_experiments.report.analysis.distillation_gain import gains_of
from asc_experiments.report.data.exports import shipped_student
from asc_experiments.report.data.study_runs import StudyRuns
from asc_experiments.tracking.trials import CELL, ORIGINAL, SEED_KIND, STUDENTS, STUDENTS_TRAINED
from tests.report.made import make_study


def shared_cell() -> StudyRuns:
    """Trials 1 and 7, of two students each, are one cell: the later one is of all four."""
    made = make_study(n_trials=12, replicated=False)
    runs = []
    for run in made.runs:
        number = int(run.tags.get("asc.trial", run.run_id.split("-")[1]))
        if number in (1, 7):
            run = replace(run, tags={**run.tags, CELL: "c"})
            if run.tags["asc.kind"] == "trial":
                counts = {STUDENTS: 2.0 if number == 1 else 4.0, STUDENTS_TRAINED: 2.0}
                run = replace(run, metrics={**run.metrics, **counts})
            elif number == 7:
                run = replace(run, tags={**run.tags, "asc.seed": str(int(run.tags["asc.seed"]) + 2)})
        runs.append(run)
    return replace(made, runs=tuple(runs))


def test_later_trial_of_a_cell_is_of_the_students_of_both() -> None:
    study = shared_cell()
    first, later, other = study.finished[1], study.finished[7], study.finished[2]
    assert [study.count(trial) for trial in (first, later, other)] == [2, 4, 2]
    assert [run.tags["asc.seed"] for run in study.students_of(later)] == ["1000", "1001", "1002", "1003"]
    assert len(study.of_kind(later, SEED_KIND)) == 2
    assert study.seeds == 2, "students are trained for each trial"
    assert first not in study.trials


def test_student_of_an_earlier_trial_may_be_the_one_that_is_shipped() -> None:
    study = shared_cell()
    first, later = study.finished[1], study.finished[7]
    shipped = shipped_student(study, later)
    assert shipped is not None
    assert shipped.run_id in {run.run_id for run in study.of_kind(first, SEED_KIND)}


def test_winner_costs_the_students_of_all_trials_of_its_cell() -> None:
    study = shared_cell()
    later = study.finished[7]
    teachers = 90.0 * len(study.members(later))
    assert costs_of([study], later).winner == teachers + 4 * 30.0


def test_student_that_was_found_is_no_training() -> None:
    study = shared_cell()
    before = {part.what: part.trainings for part in costs_of([study]).parts}["students of finished trials"]
    trials = [
        replace(run, metrics={**run.metrics, STUDENTS_TRAINED: 0.0}) if run == study.finished[7] else run
        for run in study.runs
    ]
    found = replace(study, runs=tuple(trials))
    after = {part.what: part.trainings for part in costs_of([found]).parts}["students of finished trials"]
    assert after == before - 2
    pruned = replace(study.pruned[0], run_id="light", tags={**study.pruned[0].tags, ORIGINAL: "elsewhere"})
    child = replace(pruned, tags={**pruned.tags, "asc.kind": "seed", "mlflow.parentRunId": study.pruned[0].run_id})
    assert costs_of([replace(study, runs=(*study.runs, child))]).parts == costs_of([study]).parts


def test_gain_is_against_the_latest_trial_of_a_cell_on_labels_alone() -> None:
    made = make_study(n_trials=12)
    runs = []
    for run in made.runs:
        if run.tags["asc.kind"] == "trial" and run.run_id in ("made-0", "made-6"):
            counts = {STUDENTS: 2.0 if run.run_id == "made-0" else 4.0}
            run = replace(run, tags={**run.tags, CELL: "c"}, metrics={**run.metrics, **counts})
        runs.append(run)
    against = {gain.against for gain in gains_of(replace(made, runs=tuple(runs)))}
    assert "trial 6" in against
    assert "trial 0" not in against
