"""The best student is registered, once, described, and champion only if it is better than the champion."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from asc_experiments.base.errors import AscError
from asc_experiments.tracking import RunRecord, Tracking
from asc_experiments.tracking.evidence import log_evidence
from asc_experiments.tracking.registry.candidate import Candidate
from asc_experiments.tracking.registry.gates import Gates, GatesFailedError
from asc_experiments.tracking.registry.network_store import fetch_network
from asc_experiments.tracking.registry.registration import register_best, stored_card
from asc_experiments.tracking.study_progress import tell_asked
from tests.tracking.conftest import answers_of

LogTrial = Callable[..., RunRecord]
ALONE = (
    "Version 1 is champion for want of another: that trial 0 is better than others (no other trial has finished) is "
    "not shown."
)
UNPROVEN = (
    "Version 1 is champion for want of another: that trial 1 is better than the other trials of its study or the same "
    "student on labels alone is not shown."
)


def aliases(tracking: Tracking) -> dict[str, int]:
    found = tracking.client.get_registered_model("asc-student").aliases
    return {alias: int(version) for alias, version in found.items()}


def versions(tracking: Tracking) -> int:
    return len(tracking.client.search_model_versions("name = 'asc-student'"))


def test_best_trial_is_registered_with_alias_tags_and_card(tracking: Tracking, log_trial: LogTrial) -> None:
    log_trial(0, [0.5])
    scores = {"accuracy/device/s4": 0.5, "ece/overall": 0.1}
    best = log_trial(1, [0.7, 0.6], teachers=["1f", "2a"], metrics=scores)
    registered = register_best(tracking, "s", gates=Gates(max_parameters=128_000))
    assert (registered.version, registered.trial, registered.is_new) == (1, 1, True)
    version = tracking.client.get_model_version_by_alias("asc-student", "champion")
    assert version.source.endswith(best.tags["asc.model_id"])
    expected = {
        "study": "s", "trial": "1", "teacher_keys": "1f,2a", "objective": "accuracy/overall", "corpus": "c0ffee",
        "complexity/parameters": "13648", "accuracy/overall": "0.7000", "ece/overall": "0.1000",
        "gate/max_parameters": "parameters 13,648 ≤ 128,000", "decision": UNPROVEN,
    }  # fmt: skip
    assert {key: version.tags.get(key) for key in expected} == expected
    assert registered.tags == version.tags
    assert "accuracy/device/s4" not in version.tags, "a page shows all tags in one cell; the card has every device"
    assert version.description.startswith("# asc-student, version 1")
    with tracking.artifacts(best.run_id, "model_card.md") as path:
        assert path.read_text() == version.description
    assert fetch_network(tracking, registered.uri).scenes == ("bus", "park", "tram")


def test_lowest_is_best_where_lower_is_better(tracking: Tracking, log_trial: LogTrial) -> None:
    log_trial(0, [0.5], direction="minimize")
    log_trial(1, [0.7], direction="minimize")
    assert register_best(tracking, "s").trial == 0


def test_a_network_that_fails_a_gate_leaves_nothing_behind(tracking: Tracking, log_trial: LogTrial) -> None:
    log_trial(0, [0.5])
    gates = Gates(max_bytes=20_000, precision="float32", metrics={"accuracy/overall": 0.55}, max_parameters=128_000)
    with pytest.raises(GatesFailedError) as failed:
        register_best(tracking, "s", gates=gates)
    assert "bytes at float32 54,592 > 20,000, accuracy 0.5000 < 0.5500" in failed.value.line()
    assert [each.option for each in failed.value.measured if not each.passed] == ["max_bytes", "min_accuracy"]
    assert tracking.client.search_registered_models() == []


def test_registering_twice_makes_no_second_version(tracking: Tracking, log_trial: LogTrial) -> None:
    log_trial(0, [0.5])
    first = register_best(tracking, "s")
    again = register_best(tracking, "s", alias="production")
    assert (again.version, again.is_new) == (first.version, False)
    third = register_best(tracking, "s")
    assert (third.version, third.is_new, third.decision) == (1, False, "Version 1 is champion already.")
    assert third.tags["decision"] == ALONE, "why it is champion is not forgotten"
    assert versions(tracking) == 1
    assert aliases(tracking) == {"champion": 1, "production": 1}


def test_a_better_student_becomes_champion(tracking: Tracking, log_trial: LogTrial) -> None:
    log_trial(0, [0.5, 0.51])
    register_best(tracking, "s")
    log_trial(1, [0.9, 0.91])
    registered = register_best(tracking, "s")
    assert (registered.version, registered.alias) == (2, "champion")
    assert aliases(tracking) == {"champion": 2}
    assert registered.tags["decision/against"] == "1"
    expected = {
        "metric": "accuracy/overall, test fold",
        "difference": "0.4000",
        "students": "2 against 2",
        "places": "27",
    }
    assert {name: registered.tags[f"decision/{name}"] for name in expected} == expected
    assert 0 < float(registered.tags["decision/low"]) < 0.4 < float(registered.tags["decision/high"])
    said = "Version 2 replaces champion 1: it is better by more than noise in accuracy/overall on 540 test clips of 27 "
    assert registered.decision.startswith(said)


def test_a_student_within_noise_becomes_challenger_and_is_promoted_on_demand(
    tracking: Tracking, log_trial: LogTrial
) -> None:
    log_trial(0, [0.70, 0.75])
    register_best(tracking, "s")
    log_trial(1, [0.71, 0.76])
    for is_new in (True, False):
        registered = register_best(tracking, "s")
        assert (registered.version, registered.alias, registered.is_new) == (2, "challenger", is_new)
        assert registered.uri == "models:/asc-student@challenger"
        assert "Version 1 stays champion and version 2 is challenger" in registered.decision
        assert aliases(tracking) == {"champion": 1, "challenger": 2}
    replaced = register_best(tracking, "s", replace=True)
    assert (replaced.version, replaced.alias, replaced.is_new) == (2, "champion", False)
    assert "as asked (--replace)" in replaced.tags["decision"]
    assert aliases(tracking) == {"champion": 2}
    assert versions(tracking) == 2


def test_one_student_on_a_side_never_becomes_champion_unless_asked(tracking: Tracking, log_trial: LogTrial) -> None:
    log_trial(0, [0.4])
    register_best(tracking, "s")
    log_trial(1, [0.9])
    kept = register_best(tracking, "s")
    assert kept.alias == "challenger"
    assert "not known with one seed" in kept.decision
    assert register_best(tracking, "s", replace=True).alias == "champion"


def test_a_student_at_chance_is_refused_and_leaves_nothing_behind(tracking: Tracking, log_trial: LogTrial) -> None:
    log_trial(0, [0.34])
    with pytest.raises(AscError) as refused:
        register_best(tracking, "s")
    line = refused.value.line()
    assert line.startswith(
        "trial 0 of study 's': nothing was learned that can be told from guessing: accuracy/macro is 3"
    )
    assert "on 540 test clips of 27 places, where guessing gives 33.3 %; nothing was registered" in line
    assert line.endswith("or give --allow-chance")
    assert tracking.client.search_registered_models() == []


def test_a_shipped_network_at_chance_is_refused_though_its_trial_is_not(
    tracking: Tracking, log_trial: LogTrial
) -> None:
    trial = log_trial(0, [0.9, 0.8])
    own = Candidate.of(tracking, trial).own
    log_evidence(tracking.writer(own.run_id, own.experiment_id), {"test": answers_of([0.33])})
    with pytest.raises(AscError, match=r"nothing was learned.*guessing gives 33\.3 %"):
        register_best(tracking, "s")


def test_a_student_at_chance_that_is_registered_all_the_same_says_so(tracking: Tracking, log_trial: LogTrial) -> None:
    log_trial(0, [0.34])
    registered = register_best(tracking, "s", allow_chance=True)
    assert registered.tags["learned"].startswith("Nothing was learned that can be told from guessing")
    assert registered.tags["winner"] == "No winner: nothing was learned."
    assert registered.doubts[0].startswith("Nothing was learned")
    assert "**Nothing was learned that can be told from guessing" in stored_card(tracking, "models:/asc-student/1")


def test_an_older_student_is_judged_by_its_accuracy_and_its_number_of_clips(
    tracking: Tracking, log_trial: LogTrial
) -> None:
    scenes = {f"accuracy/scene/{scene}": 0.36 for scene in ("bus", "park", "tram")}
    log_trial(0, [0.36], metrics={"accuracy/macro": 0.36} | scenes, keeps_answers=False)
    with pytest.raises(AscError, match=r"accuracy/macro is 36\.0 % .* on 540 test clips, where guessing gives 33\.3 %"):
        register_best(tracking, "s")


def test_a_version_says_whether_its_trial_is_the_winner_of_its_study(tracking: Tracking, log_trial: LogTrial) -> None:
    log_trial(0, [0.70, 0.71])
    assert "nothing to compare it with" in register_best(tracking, "s").winner
    log_trial(1, [0.72, 0.73])
    registered = register_best(tracking, "s")
    assert registered.winner.startswith("No winner yet: trial 1 cannot be told apart from 1 of 1 other trial")
    assert registered.tags["winner"].endswith("if the true difference is as large as it looks, which flatters it.")
    log_trial(2, [0.95, 0.96])
    assert register_best(tracking, "s").winner.startswith("Trial 2 is better by more than noise than 2 other trials")


def test_a_student_of_another_corpus_does_not_take_the_champions_place(tracking: Tracking, log_trial: LogTrial) -> None:
    log_trial(0, [0.5, 0.51])
    register_best(tracking, "s")
    log_trial(0, [0.9, 0.91], study="t", corpus="decaf")
    registered = register_best(tracking, "t")
    assert registered.alias == "challenger"
    assert "the two do not compare: their corpora" in registered.decision
    assert not [tag for tag in registered.tags if tag.startswith("decision/") and tag != "decision/against"]


def test_a_champion_whose_trial_is_gone_is_kept(tracking: Tracking, log_trial: LogTrial) -> None:
    first = log_trial(0, [0.5, 0.51])
    register_best(tracking, "s")
    tracking.client.delete_logged_model(first.tags["asc.model_id"])
    log_trial(1, [0.9, 0.91])
    registered = register_best(tracking, "s")
    assert registered.alias == "challenger"
    assert "the trial of version 1 is gone" in registered.decision


def test_another_alias_moves_freely(tracking: Tracking, log_trial: LogTrial) -> None:
    log_trial(0, [0.5, 0.51])
    register_best(tracking, "s", alias="challenger")
    log_trial(1, [0.52, 0.53])
    register_best(tracking, "s", alias="challenger")
    assert aliases(tracking) == {"challenger": 2}


def test_a_description_that_a_person_changed_is_kept(tracking: Tracking, log_trial: LogTrial) -> None:
    log_trial(0, [0.5])
    register_best(tracking, "s")
    tracking.client.update_model_version("asc-student", "1", "our own words")
    register_best(tracking, "s", gates=Gates(metrics={"accuracy/overall": 0.4}))
    assert tracking.client.get_model_version("asc-student", "1").description == "our own words"


def test_a_card_is_renewed_with_gates_that_were_passed_later(tracking: Tracking, log_trial: LogTrial) -> None:
    log_trial(0, [0.5])
    register_best(tracking, "s")
    register_best(tracking, "s", gates=Gates(metrics={"accuracy/overall": 0.4}))
    register_best(tracking, "s")
    assert "accuracy 0.5000 ≥ 0.4000" in stored_card(tracking, "models:/asc-student@champion")


def test_a_card_that_was_cut_is_read_whole(tracking: Tracking, log_trial: LogTrial) -> None:
    log_trial(0, [0.5], teachers=[f"{number:016x}" for number in range(80)])
    register_best(tracking, "s")
    assert len(tracking.client.get_model_version("asc-student", "1").description) <= 5_000
    assert "written by: asc_experiments" in stored_card(tracking, "models:/asc-student/1")


@pytest.mark.parametrize("uri", ["models:/nobody@champion", "models:/nobody/1", "models:/m-1", "nonsense"])
def test_a_card_of_nothing_is_one_clear_error(tracking: Tracking, uri: str) -> None:
    with pytest.raises(AscError, match="model"):
        stored_card(tracking, uri)


def test_processes_that_register_the_same_student_at_once_leave_one_version(
    tracking: Tracking, log_trial: LogTrial, workspace: Path
) -> None:
    log_trial(0, [0.5])
    # As on one machine, where they wait for each other, and as on two, where they cannot.
    models = {"one-machine": f"Path({str(workspace / 'cache')!r})", "two": "None", "two-again": "None"}
    calls = "".join(
        f"print('ready', flush=True); sys.stdin.readline()\n"
        f"print(register_best(tracking, 's', {model!r}, cache={cache}).version, flush=True)\n"
        for model, cache in models.items()
    )
    program = (
        "import sys; from pathlib import Path\n"
        "from asc_experiments.tracking import Tracking\n"
        "from asc_experiments.tracking.registry.registration import register_best\n"
        f"tracking = Tracking.open(Path({str(workspace)!r}))\n{calls}"
    )
    command = [sys.executable, "-c", program]
    started = [subprocess.Popen(command, stdin=-1, stdout=-1, text=True) for _ in range(2)]
    for model in models:
        for process in started:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        for process in started:
            assert process.stdin is not None
            process.stdin.write("go\n")
            process.stdin.flush()
        assert [process.stdout.readline() for process in started if process.stdout] == ["1\n", "1\n"]
        assert len(tracking.client.search_model_versions(f"name = '{model}'")) == 1
    for process in started:
        process.communicate()


def test_unfinished_trials_are_never_registered(tracking: Tracking) -> None:
    with pytest.raises(AscError, match="is not in the tracking server"):
        register_best(tracking, "s")
    tracking.experiment("s")
    with pytest.raises(AscError, match="no finished trial"):
        register_best(tracking, "s")


def test_a_student_whose_network_is_gone_is_a_clear_error(tracking: Tracking, log_trial: LogTrial) -> None:
    tracking.client.delete_logged_model(log_trial(0, [0.5]).tags["asc.model_id"])
    with pytest.raises(AscError, match="its network is gone"):
        register_best(tracking, "s")


@pytest.mark.parametrize("alias", ["latest", "Latest", "v3", "V1", "", "a b", "x/y", "a.b", "a\n"])
def test_names_that_mlflow_refuses_are_refused_kindly(tracking: Tracking, log_trial: LogTrial, alias: str) -> None:
    log_trial(0, [0.5])
    with pytest.raises(AscError, match="no valid name"):
        register_best(tracking, "s", alias=alias)


def test_first_champion_that_is_shown_to_be_better_needs_no_excuse(tracking: Tracking, log_trial: LogTrial) -> None:
    log_trial(0, [0.5, 0.51])
    log_trial(1, [0.9, 0.91])
    registered = register_best(tracking, "s")
    assert (registered.alias, registered.decision) == ("champion", "Version 1 is the first champion.")


def test_first_champion_that_is_not_shown_to_be_better_than_labels_alone_says_so(
    tracking: Tracking, log_trial: LogTrial
) -> None:
    log_trial(0, [0.70, 0.71])
    log_trial(1, [0.71, 0.72], teachers=["1f"])
    registered = register_best(tracking, "s")
    assert (registered.alias, registered.decision) == ("champion", UNPROVEN)


def test_registering_from_a_study_that_is_not_over_says_so(tracking: Tracking, log_trial: LogTrial) -> None:
    trial = log_trial(0, [0.5, 0.51])
    tell_asked(tracking, trial.experiment_id, 5)
    registered = register_best(tracking, "s")
    said = "Its study is not over: 1 of 5 trials finished, and none is running: `asc study run` with the study's file"
    assert registered.doubts[0] == f"{said} resumes."
    assert f"**{said} resumes.**" in stored_card(tracking, "models:/asc-student/1")
    tell_asked(tracking, trial.experiment_id, 1)
    assert not any(doubt.startswith(said) for doubt in register_best(tracking, "s").doubts)
