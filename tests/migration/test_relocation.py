"""A workspace that was moved: no path of the old place is left in its database but those that are history."""

import os
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import mlflow
import pytest
import torch

from asc_experiments.base.errors import AscError
from asc_experiments.base.ownership import this_process
from asc_experiments.migration.relocation import relocate
from asc_experiments.tracking import Tracking
from asc_experiments.tracking.registry.network_store import fetch_network, log_network
from asc_experiments.training import SceneNetwork, make_recipe

HISTORY = ("datasets", "dataset_source")


@pytest.fixture
def lived_in(tracking: Tracking, workspace: Path) -> Path:
    """A workspace with a run, its files, its corpus, its logged model, a registered version and a trace."""
    torch.manual_seed(0)
    network = SceneNetwork(make_recipe("cp_mobile", base_channels=8), ("bus", "park"))
    experiment = tracking.experiment("teachers")
    with tracking.run(experiment, "first", "teacher") as run:
        run.content(b"content", "folder/file.bin")
        run.dataset("corpus", "c0ffee", str(workspace / "corpus"), "{}")
        model_id = log_network(run, network)
    with tracking.current():
        tracking.client.create_registered_model("asc-student")
        tracking.client.create_model_version("asc-student", f"models:/{model_id}", run.run_id, await_creation_for=0)
        where = tracking.client.get_run(run.run_id).info.artifact_uri
        tracking.client.create_model_version("asc-student", f"{where}/folder", run.run_id, await_creation_for=0)
        mlflow.set_experiment(experiment_id=experiment)
        with mlflow.start_span("a span"):
            pass
        mlflow.flush_trace_async_logging()
    return workspace


def places_of(workspace: Path, folder: Path) -> dict[tuple[str, str], int]:
    """How often every column of the database names a folder."""
    found = {}
    with closing(sqlite3.connect(workspace / "mlruns" / "mlflow.db")) as connection:
        for (table,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
            for row in connection.execute(f'PRAGMA table_info("{table}")').fetchall():
                query = f'SELECT count(*) FROM "{table}" WHERE "{row[1]}" LIKE ?'
                count = connection.execute(query, (f"%{folder}/%",)).fetchone()[0]
                if count:
                    found[table, row[1]] = count
    return found


def test_every_path_leads_into_the_new_place_and_history_stays(lived_in: Path, tmp_path: Path) -> None:
    before = places_of(lived_in, lived_in)
    assert {table for table, _ in before} == {
        "experiments", "runs", "logged_models", "model_versions", "trace_tags", "datasets",
    }  # fmt: skip
    new = tmp_path / "new place"
    os.rename(lived_in, new)
    done = relocate(new)
    assert done.before == (str(lived_in),)
    assert done.total == sum(count for place, count in before.items() if place != HISTORY) + 1, "and the MLmodel"
    assert places_of(new, lived_in) == {HISTORY: before[HISTORY]}
    assert not [path for path in new.rglob("*") if path.name == "MLmodel" and str(lived_in) in path.read_text()]
    tracking = Tracking.open(new)
    (record,) = tracking.search([tracking.experiment("teachers")])
    with tracking.artifacts(record.run_id, "folder/file.bin") as path:
        assert path.read_bytes() == b"content"
    assert fetch_network(tracking, "models:/asc-student/1").scenes == ("bus", "park")


def test_relocating_again_or_where_nothing_moved_does_nothing(lived_in: Path, tmp_path: Path) -> None:
    assert relocate(lived_in).total == 0
    new = lived_in.rename(tmp_path / "new")
    assert relocate(new).total > 0
    assert relocate(new).total == 0


def test_a_copy_gets_its_own_paths_though_the_old_place_is_still_there(lived_in: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(lived_in, tmp_path / "copy"))
    relocate(copy)
    assert set(places_of(copy, lived_in)) == {HISTORY}
    assert relocate(lived_in).total == 0


def test_a_workspace_that_moved_twice_and_was_used_in_between_is_put_right(lived_in: Path, tmp_path: Path) -> None:
    second = lived_in.rename(tmp_path / "second")
    tracking = Tracking.open(second)
    with tracking.run(tracking.experiment("later"), "later", "teacher") as run:
        run.content(b"x", "folder/x")
    third = second.rename(tmp_path / "third")
    assert relocate(third).before == (str(second), str(lived_in))
    assert set(places_of(third, lived_in) | places_of(third, second)) == {HISTORY}


def test_files_that_never_were_in_the_workspace_stay_where_they_are(
    tracking: Tracking, workspace: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other" / "mlruns" / "artifacts" / "elsewhere"
    other.mkdir(parents=True)
    tracking.client.create_experiment("elsewhere", artifact_location=other.as_uri())
    tracking.client.create_experiment("bucket", artifact_location="s3://bucket/mlruns/artifacts/x")
    assert relocate(workspace).total == 0


def test_a_dry_run_counts_and_changes_nothing(lived_in: Path, tmp_path: Path) -> None:
    new = lived_in.rename(tmp_path / "new")
    content = (new / "mlruns" / "mlflow.db").read_bytes()
    told = relocate(new, dry_run=True)
    assert (new / "mlruns" / "mlflow.db").read_bytes() == content
    assert told == relocate(new)


def test_one_that_fails_in_the_middle_changes_nothing(lived_in: Path, tmp_path: Path) -> None:
    new = lived_in.rename(tmp_path / "new")
    with closing(sqlite3.connect(new / "mlruns" / "mlflow.db")) as connection:
        connection.execute("CREATE TRIGGER t BEFORE UPDATE ON model_versions BEGIN SELECT RAISE(ABORT, 'no'); END")
    before = places_of(new, lived_in)
    with pytest.raises(AscError, match="no"):
        relocate(new)
    assert places_of(new, lived_in) == before


def test_a_database_that_another_process_has_open_is_refused(lived_in: Path, tmp_path: Path) -> None:
    new = lived_in.rename(tmp_path / "new")
    code = f"f = open({str(new / 'mlruns' / 'mlflow.db')!r}); print(flush=True); input()"
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout
        other.stdout.readline()
        with pytest.raises(AscError, match=f"is in use by process {other.pid}"):
            relocate(new)
        other.kill()
    assert relocate(new).total > 0


def test_a_run_active_is_refused_and_one_whose_process_is_dead_is_not(tracking: Tracking, lived_in: Path) -> None:
    experiment = tracking.experiment("teachers")
    run = tracking.client.create_run(experiment, tags={"asc.owner": this_process()}, run_name="busy")
    new = lived_in.rename(lived_in.parent / "new")
    with pytest.raises(AscError, match="run busy is active"):
        relocate(new)
    with closing(sqlite3.connect(new / "mlruns" / "mlflow.db")) as connection, connection:
        owner = ("gone-long-ago", run.info.run_id)
        connection.execute("UPDATE tags SET value = ? WHERE key = 'asc.owner' AND run_uuid = ?", owner)
    assert relocate(new).total > 0


def test_a_database_that_is_locked_or_none_is_one_line(workspace: Path, tmp_path: Path) -> None:
    with closing(sqlite3.connect(workspace / "mlruns" / "mlflow.db", isolation_level=None)) as writer:
        writer.execute("BEGIN IMMEDIATE")
        with pytest.raises(AscError, match="is in use"):
            relocate(workspace)
    (workspace / "mlruns" / "mlflow.db").write_bytes(b"no database" * 100)
    with pytest.raises(AscError, match="is no database of MLflow"):
        relocate(workspace)
    with pytest.raises(AscError, match="no such file"):
        relocate(tmp_path / "nowhere")
