"""What teachers give over labels alone."""

import json
from dataclasses import replace

import pytest

from asc_experiments.report.analysis.distillation_gain import (
    Gain,
    gain_in_words,
    gains_of,
    mean_gain,
    probabilities_in_words,
)
from asc_experiments.report.analysis.findings import Findings
from asc_experiments.report.data.study_runs import StudyRuns
from asc_experiments.report.render.blocks import Chart
from asc_experiments.report.render.table import Table
from asc_experiments.report.sections.teachers import _gain_in_words, gain_section
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


def test_gain_has_an_interval_over_places_and_students_and_none_with_one_student() -> None:
    several, one = make_study(n_trials=6, n_pruned=0, seeds=3), make_study(n_trials=6, n_pruned=0, seeds=1)
    gain = next(gain for gain in gains_of(several) if gain.trial == 3)
    found = gain.margins[OVERALL]
    assert (found.students, found.places) == ((3, 3), 24)
    assert gain.interval_of(OVERALL) == (found.low, found.high)
    assert found.low < gain.gains[OVERALL] < found.high
    assert gain.interval_of("accuracy/device/s4") is not None
    alone = next(gain for gain in gains_of(one) if gain.trial == 3)
    assert alone.interval_of(OVERALL) is None
    assert "not known with one seed" in gain_in_words(alone, OVERALL)


def test_gains_told_side_by_side_have_wider_intervals() -> None:
    few, many = make_study(n_trials=4, n_pruned=0, seeds=3), make_study(n_trials=24, n_pruned=0, seeds=3)
    widths = [
        next(gain.margins[OVERALL].high - gain.margins[OVERALL].low for gain in gains_of(study) if gain.trial == 3)
        for study in (few, many)
    ]
    assert widths[0] < widths[1]


def test_page_counts_gains_that_are_more_than_noise() -> None:
    found = Findings(make_study(n_trials=24, n_pruned=0, seeds=3))
    known = [gain.margins[OVERALL] for gain in found.gains]
    better, worse = sum(each.is_better for each in known), sum(each.is_worse for each in known)
    said = str(gain_section(found).blocks[0].alternative)  # type: ignore[union-attr]
    told = f"Of {len(known)} taught recipes (trials), {better} did better than labels alone by more than noise, {worse}"
    assert told in said
    assert 0 < better < len(known)
    assert "mean" not in said.lower(), "of so many kinds of teachers"


def test_intervals_of_gains_are_said_to_be_widened_for_rows_and_not_for_columns() -> None:
    found = gain_section(Findings(make_study(n_trials=24, n_pruned=0, seeds=3)))
    chart, table = found.blocks
    assert isinstance(chart, Chart)
    assert isinstance(table, Table)
    rows = len(table.rows)
    expected = f"simultaneous 95 % intervals over places and students: widened for the {rows} rows; columns are not "
    expected += "corrected for one another"
    assert f"Whiskers: {expected}." in chart.alternative
    assert expected in table.caption
    single = gain_section(Findings(make_study(n_trials=6, n_pruned=0, seeds=1)))
    assert "Whiskers" not in str(single.blocks[0])


def test_mean_gains_are_told_for_each_kind_of_teachers_and_never_over_kinds() -> None:
    def gain(trial: int, kind: str, value: float) -> Gain:
        return Gain(trial, kind, "trial 0", {OVERALL: value, "accuracy/group/unseen": 2 * value})

    gains = [gain(1, "with DIR", 0.06), gain(2, "with DIR", 0.04), gain(3, "without", 0.0)]
    said = _gain_in_words(gains)
    assert "with DIR +5.0 points overall, +10.0 on unseen devices (2 trials); without +0.0 points" in said
    assert "+3.3" not in said
    assert "Mean" not in _gain_in_words(gains[1:]), "one trial a kind has no mean"
    assert _gain_in_words([Gain(1, "x", "trial 0", {}), Gain(2, "x", "trial 0", {})]).endswith("is not known.")


def test_what_teaching_does_to_probabilities_is_told_beside_what_it_gives(made: StudyRuns) -> None:
    gain = next(gain for gain in gains_of(made) if "loss/overall" in gain.margins)
    said = probabilities_in_words(gain)
    assert said.startswith(
        f"Trial {gain.trial}'s probabilities beside those of {gain.against}: log loss in nats changes by "
    )
    assert "95 % interval" in said
    ece = gain.gains["ece/overall"]
    found = "better" if ece < 0 else "worse"
    assert f"the calibration error by {100 * ece:+.1f} points ({found}; its interval is not known)" in said
    assert probabilities_in_words(replace(gain, gains={OVERALL: 0.1}, margins={})) == ""
