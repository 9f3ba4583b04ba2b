"""Whether a kind of teacher can be told from the luck of its one network."""

from dataclasses import replace

from asc_experiments.report.analysis.best_trial import answer_of
from asc_experiments.report.analysis.teacher_kinds import kinds_of
from asc_experiments.report.data.study_runs import StudyRuns
from tests.report.made import make_study


def with_twins(study: StudyRuns, n: int) -> StudyRuns:
    """The same study, in which every teacher has ``n`` networks of its kind, used by the same trials."""
    bank, twins = {}, {}
    for key, run in study.bank.items():
        twins[key] = [key, *(f"{key}-{seed}" for seed in range(1, n))]
        for seed, each in enumerate(twins[key]):
            bank[each] = replace(run, name=run.name.replace("-s0", f"-s{seed}"), tags={**run.tags, "asc.teacher": each})
    runs = []
    for run in study.runs:
        keys = [twin for key in run.tags.get("asc.teachers", "").split(",") if key for twin in twins[key]]
        runs.append(replace(run, tags={**run.tags, "asc.teachers": ",".join(keys)} if keys else run.tags))
    return replace(study, bank=bank, runs=tuple(runs))


def caveats(study: StudyRuns) -> str:
    answer = answer_of(study)
    assert answer is not None
    return " ".join(answer.caveats)


def test_one_network_of_each_kind_cannot_be_told_from_luck_and_what_three_would_cost_is_said() -> None:
    study = make_study(n_trials=12)
    found = kinds_of(study)
    assert found.alone == found.kinds == len(study.teachers)
    taught = sum(trial.metrics["time/training_s"] for trial in study.trials if study.members(trial))
    assert found.seconds == 2 * (90.0 * found.kinds + taught)
    told = caveats(study)
    assert (
        "Every kind of teacher here is a single network: whether the kind is good or its one network was lucky" in told
    )
    assert f"3 networks a kind would take {2 * found.kinds} more teachers, about " in told


def test_several_networks_of_each_kind_need_no_such_caution() -> None:
    assert "single network" not in caveats(with_twins(make_study(n_trials=12), 3))


def test_one_kind_alone_compares_nothing() -> None:
    study = make_study(n_trials=12)
    first = next(iter(study.bank))
    runs = [replace(run, tags={**run.tags, "asc.teachers": first}) for run in study.runs]
    assert kinds_of(replace(study, runs=tuple(runs))).note == ""
