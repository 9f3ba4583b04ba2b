"""Whether a kind of teacher can be told from the luck of its one network."""

import json
from dataclasses import replace

import numpy as np
import pytest

from asc_experiments.report.analysis.best_trial import answer_of
from asc_experiments.report.analysis.teacher_kinds import (
    KindResult,
    kind_differences,
    kind_level,
    kinds_of,
    results_of_kinds,
)
from asc_experiments.report.data.study_runs import StudyRuns
from asc_experiments.statistics import Evidence, as_one, margin, pooled
from tests.report.made import STUDENTS, made_answers, make_study, with_answers


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


def of_two_kinds(teachers: int) -> StudyRuns:
    """Six trials of three students: two kinds of teachers, as many teachers of each, and the same ones again."""
    study = make_study(n_trials=6, n_pruned=0, labels_alone=False)
    first = next(iter(study.bank.values()))
    bank = {
        f"{kind}-{seed}": replace(first, name=f"{kind}-s{seed}", tags={**first.tags, "asc.teacher": f"{kind}-{seed}"})
        for kind in ("a", "b")
        for seed in range(teachers)
    }
    keys = [f"{'ab'[number % 2]}-{number // 2 % teachers}" for number in range(6)]
    student = json.dumps({"network": {}, "augmentation": {}, "optimisation": {}})
    like = {"temperature": "2.0", "label_weight": "0.02"}
    trials = [
        replace(run, tags={**run.tags, "asc.teachers": key, "asc.recipe": student}, params={**run.params, **like})
        for run, key in zip(study.trials, keys, strict=True)
    ]
    study = replace(study, bank=bank, runs=tuple(trials))
    return with_answers(study, {(run.run_id, STUDENTS): made_answers(run, 3) for run in study.trials})


def test_a_teacher_and_its_students_are_one_piece_of_evidence() -> None:
    study = of_two_kinds(3)
    results = {each.kind: each for each in results_of_kinds(study)}
    assert {kind: each.pieces for kind, each in results.items()} == {"a": 3, "b": 3}
    ((pair, found),) = kind_differences([results["a"], results["b"]], "accuracy/overall")
    assert pair == "a less b"
    assert found.students == (3, 3)
    means = [np.mean([run.metrics["accuracy/overall"] for run in study.trials[kind::2]]) for kind in (0, 1)]
    assert found.value == pytest.approx(means[0] - means[1], abs=0.03)


def test_kinds_with_one_teacher_are_not_compared_however_many_students_they_have() -> None:
    assert results_of_kinds(of_two_kinds(1)) == []


def test_kinds_are_not_compared_where_trials_differ_in_more_than_their_teachers() -> None:
    study = of_two_kinds(3)
    trials = [replace(run, params={**run.params, "temperature": str(run.tags["asc.trial"])}) for run in study.runs]
    assert results_of_kinds(replace(study, runs=tuple(trials))) == []


def kind_of_students(kind: str, of_teachers: list[list[float]], sizes: list[int], nudge: float = 0.0) -> KindResult:
    """A kind by its students' accuracies, which are the same at every place of so many clips."""
    clips = np.array(sizes)[:, None]
    scenes = np.arange(len(sizes)) % 2

    def table(accuracies: list[float]) -> Evidence:
        correct = np.array([each * clips * (1 + nudge) for each in accuracies])
        answers = np.zeros((len(accuracies), 2))
        return Evidence(
            places=tuple(map(str, range(len(sizes)))),
            scenes=("bus", "park"),
            devices=("a",),
            groups={"a": "real"},
            scene_of=scenes,
            clips=clips,
            correct=correct,
            loss=correct,
            answers=answers,
            sums={},
        )

    tables = tuple(table(accuracies) for accuracies in of_teachers)
    return KindResult(kind, len(tables), pooled([as_one(each) for each in tables]), tables)


LUCKY = [[0.55, 0.57], [0.54, 0.58]]
UNSTEADY = [[0.52, 0.60], [0.50, 0.62]]
SPREAD = [[0.60, 0.64], [0.70, 0.66]]


def test_two_teachers_that_happen_to_teach_equally_well_share_the_spread_of_all_kinds() -> None:
    sizes = [9, 9, 9, 9]
    spread, lucky = kind_of_students("spread", SPREAD, sizes), kind_of_students("lucky", LUCKY, sizes)
    ((_, found),) = kind_differences([spread, lucky], "accuracy/macro")
    alone = margin(spread.evidence, lucky.evidence, "accuracy/macro")
    pooled_variance = np.var([0.62, 0.68], ddof=1) / 2  # over two kinds, of which one has none
    assert found.error == pytest.approx(np.sqrt(pooled_variance))
    assert found.high - found.low == pytest.approx(2 * 4.303 * np.sqrt(pooled_variance), rel=1e-3)  # t of two kinds
    assert alone.high - alone.low > 2 * (found.high - found.low)  # t of one kind: 12.7
    own = kind_level(lucky, [spread, lucky], "accuracy/macro")
    assert own.high - own.low == pytest.approx((found.high - found.low) / np.sqrt(2))


def test_equal_teachers_of_every_kind_are_no_surer_than_their_students_seeds_allow() -> None:
    kinds = [kind_of_students(name, UNSTEADY, [9, 9, 9, 9]) for name in ("one", "two")]
    ((_, found),) = kind_differences(kinds, "accuracy/macro")
    of_seeds = np.mean([np.var(each, ddof=1) / 2 for each in UNSTEADY])
    assert found.error == pytest.approx(np.sqrt(of_seeds))
    assert found.is_open


@pytest.mark.parametrize("sizes", [[9, 9, 9, 9, 9, 9], [5, 12, 9, 3, 13, 12]])
def test_macro_and_overall_agree_where_every_scene_has_as_many_clips(sizes: list[int]) -> None:
    kinds = [kind_of_students("spread", SPREAD, sizes), kind_of_students("lucky", LUCKY, sizes)]
    found = [kind_differences(kinds, name)[0][1] for name in ("accuracy/macro", "accuracy/overall")]
    assert found[0].value == pytest.approx(found[1].value)
    assert (found[0].low, found[0].high) == pytest.approx((found[1].low, found[1].high), abs=1e-9)


def test_rounding_changes_no_interval_between_kinds() -> None:
    exact, rounded = (
        [kind_of_students("spread", SPREAD, [9] * 4), kind_of_students("lucky", LUCKY, [9] * 4, nudge)]
        for nudge in (0.0, 3e-16)
    )
    for name in ("accuracy/macro", "accuracy/overall"):
        (_, before), (_, after) = kind_differences(exact, name)[0], kind_differences(rounded, name)[0]
        assert (after.low, after.high) == pytest.approx((before.low, before.high), abs=1e-12)
