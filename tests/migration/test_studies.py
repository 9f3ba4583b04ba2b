"""Optuna's part of a move: trials keep their numbers, and two that have parted are not mixed."""

import math
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import optuna
import pytest
from optuna.storages import BaseStorage
from optuna.trial import TrialState

from asc_experiments.base.errors import AscError
from asc_experiments.base.ownership import this_process
from asc_experiments.migration.optuna_studies import StudyEntry, StudyImport, study_entry
from asc_experiments.study.storage.open_storage import open_storage

DEFINED = {"asc.definition": "d", "asc.corpus": "c", "asc.dirs": "none", "asc.asked": 5}


@pytest.fixture
def away(tmp_path: Path) -> BaseStorage:
    return open_storage(tmp_path / "away", None)


@pytest.fixture
def study(tmp_path: Path) -> optuna.Study:
    """Two finished trials, a pruned one, an interrupted one, and one that waits."""
    made = optuna.create_study(study_name="s", storage=open_storage(tmp_path / "here", None), direction="maximize")
    for key, value in DEFINED.items():
        made.set_user_attr(key, value)
    for number in range(2):
        finish(made, 0.5 + number)
    trial = ask(made)
    trial.report(0.1, 0)
    trial.report(math.inf, 7)
    made.tell(trial, state=TrialState.PRUNED)
    ask(made).set_user_attr("asc.owner", f"{socket.gethostname()}:999999999:1")
    made.enqueue_trial({"x": 0.25, "kind": "b"}, user_attrs={"asc.enqueued": 3})
    return made


def ask(study: optuna.Study) -> optuna.Trial:
    trial = study.ask()
    trial.suggest_float("x", 1e-3, 1, log=True)
    trial.suggest_categorical("kind", ["a", "b", None])
    trial.suggest_int("n", 1, 9, step=2)
    return trial


def finish(study: optuna.Study, value: float) -> None:
    trial = ask(study)
    trial.set_user_attr("note", {"a": [1, None]})
    study.tell(trial, value)


def moved(study: optuna.Study) -> StudyEntry:
    """The study's entry, as it comes out of an archive."""
    return StudyEntry.read(study_entry(study).text().encode(), "archive")


def facts(study: optuna.Study) -> list[tuple[object, ...]]:
    return [
        (t.number, t.state, t.values, t.params, t.distributions, t.system_attrs, t.intermediate_values,
         t.datetime_start, t.datetime_complete, {k: v for k, v in t.user_attrs.items() if k != "asc.owner"})
        for t in study.get_trials()
    ]  # fmt: skip


def test_a_study_arrives_as_it_was(study: optuna.Study, away: BaseStorage) -> None:
    assert StudyImport(moved(study), away, "archive").carry_out() == 5
    there = optuna.load_study(study_name="s", storage=away)
    assert facts(there) == facts(study)
    assert there.user_attrs == DEFINED
    assert there.directions == study.directions


def test_a_trial_that_was_interrupted_has_no_owner_there_so_that_everybody_knows(
    study: optuna.Study, away: BaseStorage
) -> None:
    StudyImport(moved(study), away, "archive").carry_out()
    there = optuna.load_study(study_name="s", storage=away).trials
    assert [trial.number for trial in there if trial.state == TrialState.RUNNING] == [3]
    assert "asc.owner" not in there[3].user_attrs


def test_a_trial_active_is_refused(study: optuna.Study) -> None:
    ask(study).set_user_attr("asc.owner", this_process())
    with pytest.raises(AscError, match="trial 4 is active"):
        study_entry(study)


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A clock in another time zone, as on another machine."""
    monkeypatch.setenv("TZ", "Asia/Kolkata")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def test_times_are_the_same_moments_in_another_time_zone(
    study: optuna.Study, away: BaseStorage, request: pytest.FixtureRequest
) -> None:
    entry = moved(study)
    before = [t.datetime_start.timestamp() for t in study.trials if t.datetime_start]
    request.getfixturevalue("elsewhere")
    StudyImport(entry, away, "archive").carry_out()
    there = optuna.load_study(study_name="s", storage=away)
    assert [t.datetime_start.timestamp() for t in there.trials if t.datetime_start] == before


def test_importing_again_adds_nothing_also_after_it_went_on(study: optuna.Study, away: BaseStorage) -> None:
    entry = moved(study)
    StudyImport(entry, away, "archive").carry_out()
    assert StudyImport(entry, away, "archive").carry_out() == 0
    there = optuna.load_study(study_name="s", storage=away)
    there.set_user_attr("asc.asked", 9)
    finish(there, 0.9)  # takes the one that waits
    finish(there, 0.9)
    before = facts(there)
    assert StudyImport(entry, away, "archive").carry_out() == 0
    assert facts(there) == before
    assert there.user_attrs["asc.asked"] == 9


@pytest.mark.parametrize("trials", range(5))
def test_an_import_that_was_killed_after_any_trial_is_finished_by_the_next(
    study: optuna.Study, away: BaseStorage, trials: int
) -> None:
    entry = moved(study)
    StudyImport(entry.model_copy(update={"trials": entry.trials[:trials], "user_attrs": {}}), away, "a").carry_out()
    assert StudyImport(entry, away, "archive").carry_out() == 5 - trials
    there = optuna.load_study(study_name="s", storage=away)
    assert facts(there) == facts(study)
    assert there.user_attrs == DEFINED


def test_what_went_on_elsewhere_comes_home(study: optuna.Study, away: BaseStorage) -> None:
    StudyImport(moved(study), away, "archive").carry_out()
    there = optuna.load_study(study_name="s", storage=away)
    finish(there, 0.9)
    finish(there, 0.9)
    StudyImport(moved(there), study._storage, "archive").carry_out()
    home = optuna.load_study(study_name="s", storage=study._storage)
    assert facts(home) == facts(there)


def test_two_that_went_on_apart_are_not_mixed(study: optuna.Study, away: BaseStorage) -> None:
    entry = moved(study)
    StudyImport(entry, away, "archive").carry_out()
    there = optuna.load_study(study_name="s", storage=away)
    finish(there, 0.9)
    time.sleep(1.1)  # times are compared in seconds
    finish(study, 0.8)
    before = facts(there)
    with pytest.raises(AscError, match="went on both here and where it was exported"):
        StudyImport(moved(study), away, "archive")
    assert facts(there) == before


def test_another_study_of_that_name_is_refused(study: optuna.Study, away: BaseStorage) -> None:
    optuna.create_study(study_name="s", storage=away).set_user_attr("asc.definition", "other")
    with pytest.raises(AscError, match="is there already with other settings"):
        StudyImport(moved(study), away, "archive")


def test_a_record_that_optuna_refuses_is_one_line(study: optuna.Study, away: BaseStorage) -> None:
    entry = moved(study)
    broken = entry.trials[0].model_copy(update={"distributions": {"x": "{}"}})
    with pytest.raises(AscError, match="archive: is no study of Optuna"):
        StudyImport(entry.model_copy(update={"trials": [broken]}), away, "archive")


@pytest.mark.parametrize("name", ["../outside", ".hidden", "a/b", ""])
def test_a_name_that_no_study_file_may_give_is_refused(study: optuna.Study, name: str) -> None:
    text = moved(study).text().replace('"name":"s"', f'"name":"{name}"', 1)
    with pytest.raises(AscError, match="archive: 'name'"):
        StudyEntry.read(text.encode(), "archive")


def test_a_study_of_somebody_else_in_the_same_storage_is_not_moved(study: optuna.Study) -> None:
    other = optuna.create_study(study_name="their own/study", storage=study._storage)
    with pytest.raises(AscError, match="was not run by asc study run"):
        study_entry(other)
