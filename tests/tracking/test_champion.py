"""A challenger is better only by more than noise, and only where the two compare."""

import math
from collections.abc import Callable

import pytest

from asc_experiments.tracking import RunRecord, Tracking
from asc_experiments.tracking.candidate import Candidate
from asc_experiments.tracking.champion import STANDARD_ERRORS, Verdict, compare

LogTrial = Callable[..., RunRecord]


@pytest.fixture
def verdict(tracking: Tracking, log_trial: LogTrial) -> Callable[..., Verdict]:
    """The verdict on a trial, as the challenger of another."""

    def judge(challenger: dict[str, object], champion: dict[str, object]) -> Verdict:
        ours, theirs = (log_trial(number, **trial) for number, trial in enumerate((challenger, champion)))
        return compare(Candidate.of(tracking, ours), Candidate.of(tracking, theirs))

    return judge


def test_noise_is_the_standard_error_by_the_spread_over_seeds(verdict: Callable[..., Verdict]) -> None:
    found = verdict({"reached": [0.70, 0.72, 0.74]}, {"reached": [0.60, 0.64]})
    assert found.is_better
    assert found.difference == pytest.approx(0.10)
    assert found.noise == pytest.approx(STANDARD_ERRORS * math.sqrt(0.02**2 / 3 + (0.04 / math.sqrt(2)) ** 2 / 2))
    assert "spread over 3 seeds and spread over 2 seeds" in found.why


def test_a_lead_within_noise_is_not_better(verdict: Callable[..., Verdict]) -> None:
    found = verdict({"reached": [0.70, 0.76]}, {"reached": [0.68, 0.75]})
    assert not found.is_better
    assert found.difference is not None
    assert 0 < found.difference < found.noise
    assert "no more than the noise" in found.why


@pytest.mark.parametrize(("ours", "is_better"), [([0.70], True), ([0.65], False), ([0.65, 0.65], False)])
def test_with_one_seed_or_no_spread_noise_is_that_of_drawing_clips(
    verdict: Callable[..., Verdict], ours: list[float], is_better: bool
) -> None:
    found = verdict({"reached": ours}, {"reached": [0.60]})
    assert found.is_better == is_better
    shares = [(value * 540 + 1) / 542 for value in (ours[0], 0.60)]
    variances = [share * (1 - share) / 540 for share in shares]
    assert found.noise == pytest.approx(STANDARD_ERRORS * math.sqrt(sum(variances)))
    assert "drawing of 540 clips" in found.why


def test_on_the_validation_split_its_clips_count(verdict: Callable[..., Verdict]) -> None:
    trial = {"split": "validation", "objective": "accuracy/macro"}
    found = verdict(trial | {"reached": [0.70]}, trial | {"reached": [0.60]})
    assert not found.is_better
    assert "drawing of 100 clips" in found.why


def test_where_lower_is_better_a_lower_challenger_is(verdict: Callable[..., Verdict]) -> None:
    trial = {"direction": "minimize", "objective": "loss/overall"}
    found = verdict(trial | {"reached": [0.50, 0.52]}, trial | {"reached": [0.90, 0.92]})
    assert found.is_better
    assert found.difference == pytest.approx(0.40)


def test_fresh_seeds_count_where_both_have_them(verdict: Callable[..., Verdict]) -> None:
    flattered = {"reached": [0.90, 0.90], "again": [0.60, 0.62, 0.64]}
    found = verdict(flattered, {"reached": [0.80, 0.80], "again": [0.70, 0.72, 0.74]})
    assert not found.is_better
    assert found.difference == pytest.approx(-0.10)
    assert "with fresh seeds" in found.why


def test_where_one_lacks_fresh_seeds_both_go_by_their_trials(verdict: Callable[..., Verdict]) -> None:
    found = verdict({"reached": [0.90, 0.91], "again": [0.60, 0.61]}, {"reached": [0.80, 0.81]})
    assert found.is_better
    assert found.difference == pytest.approx(0.10)


def test_a_loss_of_one_seed_has_no_known_noise(verdict: Callable[..., Verdict]) -> None:
    trial = {"direction": "minimize", "objective": "loss/overall"}
    found = verdict(trial | {"reached": [0.1]}, trial | {"reached": [0.9]})
    assert not found.is_better
    assert "not known with one seed" in found.why


def test_what_is_counted_has_no_noise(verdict: Callable[..., Verdict]) -> None:
    trial = {"direction": "minimize", "objective": "complexity/macs"}
    found = verdict(trial | {"reached": [99.0]}, trial | {"reached": [100.0]})
    assert found.is_better
    assert found.noise == 0


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"objective": "accuracy/macro"}, "their objectives are accuracy/overall and accuracy/macro"),
        ({"split": "validation"}, "their splits are test and validation"),
        ({"corpus": "decaf"}, "their corpora are c0ffee and decaf"),
    ],
)
def test_trials_of_another_objective_split_or_corpus_do_not_compare(
    verdict: Callable[..., Verdict], changed: dict[str, object], words: str
) -> None:
    found = verdict({"reached": [0.9, 0.9]}, {"reached": [0.1, 0.1]} | changed)
    assert not found.is_better
    assert found.difference is None
    assert words in found.why


@pytest.mark.parametrize("differ", ["held_out", "clips"])
def test_validation_scores_on_other_clips_do_not_compare(verdict: Callable[..., Verdict], differ: str) -> None:
    values = {"held_out": [{"fraction": 0.3}, {"fraction": 0.2}], "clips": [{"validation_clips": n} for n in (90, 80)]}
    trials = [{"split": "validation", "reached": [value, value], "study": study, differ: other}
              for value, study, other in zip((0.9, 0.1), "ab", values[differ], strict=True)]  # fmt: skip
    assert "other clips were held out" in verdict(*trials).why
