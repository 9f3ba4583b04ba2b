"""What teachers give over labels alone."""

import json
from dataclasses import replace

import pytest

from asc_experiments.report.gains import gains_of, mean_gain
from asc_experiments.report.runs import StudyRuns
from asc_experiments.tracking import RunRecord
from tests.report.made import CORPUS, SPLIT, make_study, run

OVERALL = "accuracy/overall"


def single(study: StudyRuns, accuracy: float, seed: int, **tags: str) -> RunRecord:
    """A student of ``asc student train`` like that of the study's trial 1, but for the seed."""
    recipe = json.loads(study.trials[1].tags["asc.recipe"]) | {"seed": seed}
    told = {"asc.recipe": json.dumps(recipe), "asc.corpus": CORPUS, "asc.split": SPLIT} | tags
    return run(f"single-{seed}", "single", "student", {OVERALL: accuracy, "accuracy/group/unseen": 0.3}, told)


def test_gain_is_the_difference_to_the_same_student_of_the_study(made: StudyRuns) -> None:
    by_trial = {gain.trial: gain for gain in gains_of(made)}
    alone, taught = made.trials[0], made.trials[3]  # both of 8 channels
    gain = by_trial[3]
    assert gain.against == "trial 0"
    fresh = alone.metrics[f"replicated/{OVERALL}"]
    assert gain.gains[OVERALL] == pytest.approx(taught.metrics[OVERALL] - fresh, abs=1e-3), (
        "fresh seeds where there are"
    )
    assert 1 not in by_trial, "no student of 16 channels learned from labels alone"


def test_students_outside_of_the_study_stand_in_each_seed_once() -> None:
    study = make_study(n_trials=6, labels_alone=False)
    study = replace(study, singles=(single(study, 0.40, 1), single(study, 0.50, 2), single(study, 0.52, 2)))
    gain = next(gain for gain in gains_of(study) if gain.trial == 1)
    assert gain.against == "2 students of asc student train"
    assert gain.gains[OVERALL] == pytest.approx(study.trials[1].metrics[OVERALL] - 0.46)


@pytest.mark.parametrize(
    "tags",
    [
        {"asc.corpus": "another"},
        {"asc.teachers": "1f"},
        {"asc.split": '{"fraction":0.3,"hold_out_devices":[],"seed":0}'},
        {"asc.split": '{"fraction":0.2,"hold_out_devices":["s3"],"seed":0}'},
    ],
    ids=["corpus", "taught", "fraction", "device held out"],
)
def test_student_of_another_corpus_or_split_does_not_compare(tags: dict[str, str]) -> None:
    study = make_study(n_trials=6, labels_alone=False)
    assert gains_of(replace(study, singles=(single(study, 0.4, 1, **tags),))) == []


def test_student_that_does_not_say_what_it_held_out_compares_only_where_nothing_was() -> None:
    study = make_study(n_trials=6, labels_alone=False)
    untold = single(study, 0.4, 1)
    untold = replace(untold, tags={name: value for name, value in untold.tags.items() if name != "asc.split"})
    assert gains_of(replace(study, singles=(untold,))) == []
    whole = {key: replace(t, tags={**t.tags, "asc.split": '{"fraction":0.0}'}) for key, t in study.bank.items()}
    assert len(gains_of(replace(study, bank=whole, singles=(untold,)))) == 2


def test_mean_gain_is_over_the_trials_that_have_it(made: StudyRuns) -> None:
    gains = gains_of(made)
    assert mean_gain(gains, OVERALL) == pytest.approx(sum(gain.gains[OVERALL] for gain in gains) / len(gains))
    assert mean_gain([], OVERALL) is None
