"""What a study's runs say of themselves."""

from dataclasses import replace

from asc_experiments.report.analysis.findings import Findings
from asc_experiments.report.data.study_runs import StudyRuns, device_names, kind_of, spread
from asc_experiments.report.sections.scores import everybody
from tests.report.made import make_study, run


def test_devices_are_ordered_by_group_where_the_study_says_it(made: StudyRuns) -> None:
    assert made.devices == ("a", "b", "c", "s1", "s2", "s4", "s5")
    mixed = make_study(n_trials=3, group_of={"z": "real", "a": "unseen", "m": "seen"})
    assert mixed.devices == ("z", "m", "a")
    assert replace(mixed, tags={}).devices == ("a", "m", "z"), "by name where groups are not known"


def test_groups_that_cannot_be_read_are_not_known(made: StudyRuns) -> None:
    assert replace(made, tags={"asc.device_groups": "[1, 2"}).group_of == {}
    assert replace(made, tags={"asc.device_groups": "[1]"}).group_of == {}


def test_spread_is_none_where_there_is_one_student() -> None:
    assert spread({"std/accuracy/overall": 0.1}, "accuracy/overall") == 0.1
    assert spread({}, "accuracy/overall") is None


def test_spread_is_no_device() -> None:
    metrics = {"accuracy/device/a": 0.5, "std/accuracy/device/a": 0.1, "accuracy/device/b_std": 0.4}
    assert device_names([run("r", "r", "trial", metrics)]) == {"a", "b_std"}


def test_trials_are_told_apart_by_how_they_ended() -> None:
    study = make_study(n_trials=4, n_pruned=2)
    again = run("x", "trial 3", "trial", {}, {"asc.trial": "3"}, status="FAILED")
    failed = run("y", "trial 9", "trial", {}, {"asc.trial": "9"}, status="FAILED")
    stopped = run("z", "trial 9", "trial", {}, {"asc.trial": "9", "asc.error": "interrupted"}, status="KILLED")
    study = replace(study, runs=(*study.runs, again, failed, stopped))
    assert [each.name for each in study.trials] == ["trial 0", "trial 1", "trial 2", "trial 3"]
    assert [each.name for each in study.pruned] == ["trial 4", "trial 5"]
    assert [each.run_id for each in study.failed] == ["y"], "one that finished later has not failed"


def test_failed_trial_that_was_queued_again_and_finished_is_not_counted() -> None:
    study = make_study(n_trials=2, n_pruned=0)
    failed = run("y", "trial 9", "trial", {}, {"asc.trial": "9"}, status="FAILED")
    other = run("z", "trial 10", "trial", {}, {"asc.trial": "10"}, status="FAILED")
    runs = [
        replace(each, tags={**each.tags, "asc.again_of": "9"}) if each.run_id == "made-1" else each
        for each in study.runs
    ]
    study = replace(study, runs=(*runs, failed, other))
    assert [each.run_id for each in study.failed] == ["z"]


def test_trials_of_one_cell_are_one_candidate_and_how_many_were_pooled_is_told() -> None:
    study = make_study(n_trials=4, n_pruned=0)
    students = {"made-1": 2.0, "made-3": 4.0}
    runs = [
        replace(each, tags={**each.tags, "asc.cell": "c"}, metrics={**each.metrics, "students/count": n})
        if (n := students.get(each.run_id))
        else each
        for each in study.runs
    ]
    study = replace(study, runs=tuple(runs))
    assert [each.run_id for each in study.finished] == ["made-0", "made-1", "made-2", "made-3"]
    assert [each.run_id for each in study.trials] == ["made-0", "made-2", "made-3"]
    assert study.pooled == 1
    assert study.count(study.trials[2]) == 4
    counted = {"finished": 4, "distinct": 3, "pruned": 0, "failed": 0}
    assert counted.items() <= Findings(study).facts()["trials"].items()
    assert "1 more trials with the settings of another are pooled" in everybody(Findings(study)).caption


def test_held_out_device_is_a_group_of_its_own_with_a_column_where_there_is_one() -> None:
    groups = {"a": "real", "s1": "seen", "s3": "held_out", "s4": "unseen"}
    held_out = Findings(make_study(n_trials=2, n_pruned=0, group_of=groups))
    assert held_out.runs.devices == ("a", "s1", "s3", "s4")
    headings = [column.heading for column in everybody(held_out).columns]
    assert headings[4:8] == ["real", "seen", "held out", "unseen"]
    assert "held out" not in [column.heading for column in everybody(Findings(make_study(n_trials=2))).columns]


def test_teachers_of_one_kind_are_counted(made: StudyRuns) -> None:
    one, other = list(made.bank.values())[:2]
    twin = replace(one, name=one.name.replace("-s0", "-s1"), tags={**one.tags, "asc.teacher": "twin"})
    bank = {**made.bank, "twin": twin}
    keys = ",".join((one.tags["asc.teacher"], "twin", other.tags["asc.teacher"], "gone"))
    trial = run("r", "trial 1", "trial", {}, {"asc.teachers": keys})
    told = replace(made, bank=bank).taught_by(trial)
    assert told == f"2 × {kind_of(one)} + {kind_of(other)} + gone"


def test_imported_teacher_keeps_its_whole_name() -> None:
    imported = run("r", "passt_dirfms-s1", "teacher", {}, {"asc.imported": "0f passt_dirfms-s1.pt"})
    assert kind_of(imported) == "passt_dirfms-s1"


def test_best_comes_first_in_either_direction(made: StudyRuns) -> None:
    values = [trial.metrics["objective"] for trial in made.best_first]
    assert values == sorted(values, reverse=True)
    flipped = replace(
        made, runs=tuple(replace(each, tags={**each.tags, "asc.direction": "minimize"}) for each in made.runs)
    )
    assert [trial.metrics["objective"] for trial in flipped.best_first] == sorted(values)
