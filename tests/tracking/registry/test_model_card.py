"""A card tells what stands in the tracking server, keeps to what a registry takes, and its links lead to runs."""

import re
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asc_experiments.tracking import RunRecord, Tracking
from asc_experiments.tracking.client.limits import DESCRIPTION
from asc_experiments.tracking.client.links import page_of_run
from asc_experiments.tracking.registry.candidate import Candidate
from asc_experiments.tracking.registry.model_card import CUT, About, description, model_card

LogTrial = Callable[..., RunRecord]
SCORES = {
    "accuracy/macro": 0.71, "accuracy/group/unseen": 0.512, "accuracy/device/s4": 0.433, "device_generalization": 0.1,
    "std/accuracy/device/s4": 0.021, "ece/overall": 0.081, "ece/group/unseen": 0.2,
}  # fmt: skip


def card_of(tracking: Tracking, study: str = "s") -> str:
    about = About("asc-student", 3, ["parameters 13,648 ≤ 128,000"], "Version 3 is the first champion.")
    return model_card(Candidate.best_of(tracking, study), about)


def test_a_card_tells_what_is_known_of_the_network(tracking: Tracking, log_trial: LogTrial) -> None:
    trial = log_trial(7, [0.6, 0.7], metrics=SCORES, split="validation", held_out={"fraction": 0.3})
    card = card_of(tracking)
    for part in (
        "# asc-student, version 3", "cp_mobile of size 8", "bus, park, tram", "Trial 7 of study `s`", "labels alone",
        "best of its 2 students", "which chose nothing", "Version 3 is the first champion.", "| overall | 70.0 | 6",
        "| 270 | 43.3 ± 2.1 |", "| group unseen | 51.2 |", "0.081 overall. A perfectly calibrated",
        "this accuracy would show about 0.0", "650 clips",
        "Accuracy/macro is 70.0 % (95 % interval from 6", "540 test clips of 27 places, where guessing gives 33.3 %.",
        "No winner yet: one trial has finished", "equally good on every device shows about ",
        "unseen ones of the test fold: 51.2 %", "13,648 at int8, 27,296 at float16, 54,592 at float32",
        "parameters 13,648 ≤ 128,000", "models:/asc-student/3", "curl", "field, digest `c0ffee`", "100 held out",
        '{"fraction": 0.3}', page_of_run(trial.experiment_id, trial.run_id), trial.tags["asc.model_id"],
    ):  # fmt: skip
        assert part in card, part


@pytest.mark.parametrize(
    ("samples", "heard", "by_rule"),
    [
        (16_000, "0.5 s", "do (whose limit is for one second); bytes"),
        (32_000, "one second", "do; bytes"),
        (128_000, "4 s", "do (whose limit is for one second); bytes"),
    ],
)
def test_a_card_says_how_long_the_clips_are_and_counts_for_these(
    tracking: Tracking, log_trial: LogTrial, samples: int, heard: str, by_rule: str
) -> None:
    log_trial(0, [0.6], samples=samples)
    card = card_of(tracking)
    assert f"It answers to {heard} of sound with one of" in card
    assert f"It hears windows of {heard} of sound, as long as the clips that it was trained on" in card
    macs = Candidate.best_of(tracking, "s").network.complexity().macs
    assert f"13,648 parameters; for {heard} of sound {macs / 1e6:.2f} million MACs as ptflops counts" in card
    assert by_rule in card


def test_a_card_links_every_teacher_and_says_which_are_gone(tracking: Tracking, log_trial: LogTrial) -> None:
    bank = tracking.experiment("teachers")
    with tracking.run(bank, "passt-s", "teacher", {"asc.teacher": "1f"}) as teacher:
        teacher.metrics({"accuracy/overall": 0.65, "accuracy/group/unseen": 0.5})
    log_trial(0, [0.6], teachers=["1f", "2a"])
    card = card_of(tracking)
    assert f"| [passt-s]({page_of_run(bank, teacher.run_id)}) | `1f` | 65.0 | 50.0 |" in card
    assert "| gone from the bank | `2a` |  |  |" in card


def test_a_card_says_where_the_test_fold_chose(tracking: Tracking, log_trial: LogTrial) -> None:
    log_trial(0, [0.6], split="test")
    card = card_of(tracking)
    assert "**Chosen on the test fold itself: the figures below flatter it.**" in card
    assert "| 95 % interval |" in card, "one network of one trial was not picked from any"


def test_interval_of_the_best_of_several_by_these_clips_is_none_of_what_it_will_reach(
    tracking: Tracking, log_trial: LogTrial
) -> None:
    log_trial(0, [0.6, 0.7], split="test")
    log_trial(1, [0.5, 0.6, 0.55], split="test", metrics={"students/count": 3.0})
    card = card_of(tracking)
    assert "| interval (see below) |" in card
    said = "Each interval is a 95 % interval for this network on other places, had it not been picked from 5 by these"
    assert said in card
    assert "**It was picked from 5 networks by these very clips, which flatters it.**" in card
    log_trial(0, [0.6, 0.7], split="validation", study="held-out")
    card = card_of(tracking, "held-out")
    assert "| 95 % interval |" in card
    assert "Each interval is a 95 % interval for this network on other places; these clips" in card
    assert "which flatters it" not in card


def test_card_tells_the_calibration_error_of_groups_with_clips_enough_alone(
    tracking: Tracking, log_trial: LogTrial
) -> None:
    ece = {"ece/overall": 0.081, "ece/group/unseen": 0.2, "ece/group/real": 0.1}
    log_trial(0, [0.6], metrics=ece)
    assert "0.081 overall. A perfectly calibrated" in card_of(tracking), "270 clips of each group"
    assert "(unseen 0.200" not in card_of(tracking)


def test_card_of_a_run_without_calibration_and_spread_says_what_was_not_measured(
    tracking: Tracking, log_trial: LogTrial
) -> None:
    log_trial(0, [0.6, 0.7], metrics={"accuracy/group/unseen": 0.5})
    card = card_of(tracking)
    assert "calibrated was not measured" in card
    assert "| group unseen | 50.0 | " in card


def test_card_of_an_older_run_has_no_intervals(tracking: Tracking, log_trial: LogTrial) -> None:
    log_trial(0, [0.6, 0.7], metrics={"accuracy/group/unseen": 0.5}, keeps_answers=False)
    card = card_of(tracking)
    assert "| group unseen | 50.0 |  |  | 50.0 |" in card
    assert "**Whether anything was learned is not known" in card


def test_card_says_whether_teachers_gave_anything_over_labels_alone(tracking: Tracking, log_trial: LogTrial) -> None:
    log_trial(0, [0.80, 0.81], teachers=["1f"])
    assert "whether its teachers help is not known" in card_of(tracking)
    log_trial(1, [0.60, 0.61])
    said = (
        "It is better by more than noise than the same student on labels alone (trial 1): accuracy/overall +20.0 points"
    )
    assert said in card_of(tracking)
    log_trial(2, [0.79, 0.80])
    assert "It is not better by more than noise than the same student on labels alone (trial 2)" in card_of(tracking)


def test_card_of_a_student_that_learned_nothing_praises_nothing(tracking: Tracking, log_trial: LogTrial) -> None:
    log_trial(0, [0.34, 0.33], teachers=["1f"])
    card = card_of(tracking)
    assert "**Nothing was learned" in card
    assert "Its DG and the accuracies of its devices then say nothing" in card
    assert "No winner: nothing was learned." in card
    assert "on labels alone" not in card


def test_an_ensemble_of_twenty_fits_what_a_registry_takes(tracking: Tracking, log_trial: LogTrial) -> None:
    keys = [f"{number:016x}" for number in range(20)]
    for key in keys:
        with tracking.run(
            tracking.experiment("teachers"), f"passt-384x6-dirfms-{key}", "teacher", {"asc.teacher": key}
        ):
            pass
    metrics = {f"accuracy/device/{device}": 0.5 for device in ("a", "b", "c", *(f"s{n}" for n in range(1, 12)))}
    log_trial(0, [0.6, 0.7], teachers=keys, metrics=metrics)
    text = description(card_of(tracking))
    assert len(text) <= DESCRIPTION
    assert text.endswith(CUT)
    assert "## Limits" in text


@given(st.lists(st.integers(0, 4_000), min_size=1, max_size=6))
def test_a_card_is_cut_between_sections(lengths: list[int]) -> None:
    card = "# name" + "".join(f"\n\n## {number}\n\n{'x' * length}" for number, length in enumerate(lengths)) + "\n"
    text = description(card)
    assert len(text) <= DESCRIPTION
    assert (text == card) == (len(card) <= DESCRIPTION)
    if text != card:
        kept = text.removesuffix(CUT)
        assert card.startswith(kept)
        assert re.match(r"\n\n## \d", card[len(kept) :])


@pytest.mark.parametrize("length", [4_999, 5_000, 5_001, 20_000])
def test_a_card_without_sections_is_cut_all_the_same(length: int) -> None:
    assert len(description("x" * length)) == min(length, DESCRIPTION)
