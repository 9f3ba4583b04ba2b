"""`asc bench many-runs` fills an experiment that `report`, `status` and `register` then read; a small one here."""

import json
from collections.abc import Callable
from pathlib import Path

from asc_experiments.bench.many_runs import fill
from asc_experiments.bench.place import Place
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
