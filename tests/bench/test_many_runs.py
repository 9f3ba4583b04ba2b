"""`asc bench many-runs` fills an experiment that `report`, `status` and `register` then read; a small one here."""

import json
from collections.abc import Callable
from pathlib import Path

from asc_experiments.bench.many_runs import fill
from asc_experiments.bench.place import Place
from asc_experiments.tracking.evidence import evidence_of
from asc_experiments.tracking.trials import finished_trials


def test_filled_experiment_is_a_study_whose_best_network_can_be_shipped(asc: Callable, workspace: Path) -> None:
    place = Place(workspace, None, None, "many")
    fill(place, 6)
    assert [trial.name for trial in finished_trials(place.tracking(), "many")] == [f"trial {n}" for n in range(6)]
    status = json.loads(asc("study", "status", "many", "--json", *place.options()).out)
    assert (status["asked"], status["finished"]) == (6, 6)
    registered = asc("register", "many", "--allow-chance", "--json", *place.options())
    assert registered.code == 0, registered.err
    assert json.loads(registered.out)["trial"] < 2
    rows = json.loads(asc("report", "many", "--json", *place.options()).out)["rows"]
    assert [row["kind"] for row in rows].count("student") == 6


def test_trials_keep_answers_to_the_clips_of_a_corpus_that_is_given(
    asc: Callable, workspace: Path, synth_corpus: Path
) -> None:
    place = Place(workspace, None, None, "answered")
    fill(place, 3, seeds=2, corpus=synth_corpus)
    tracking, test_clips = place.tracking(), 70
    for trial in finished_trials(tracking, "answered"):
        tables = evidence_of(tracking, trial.run_id)
        assert sorted(tables) == ["test", "validation"]
        assert (tables["test"].students, int(tables["test"].clips.sum())) == (2, test_clips)
    students = json.loads(asc("report", "answered", "--json", *place.options()).out)["rows"]
    assert [row["kind"] for row in students].count("student") == 3
