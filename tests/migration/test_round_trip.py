"""A study moves from a laptop's workspace to a tracking server, continues there, and comes back; nothing is lost."""

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from mlflow import MlflowClient

from asc_experiments.study.storage.open_storage import open_storage
from asc_experiments.tracking import Tracking
from asc_experiments.tracking.client.connection import default_tracking_uri
from tests.migration.made import Facts, Home, command
from tests.migration.snapshot import counts, snapshot


def taken(workspace: Path) -> dict:
    return snapshot(default_tracking_uri(workspace), open_storage(workspace, None))


def import_killed_after(finished: int, archive: Path, workspace: Path, uri: str) -> None:
    """Import in a process of its own, and kill it once so many runs are whole."""
    arguments = [sys.executable, "-m", "asc_experiments", "workspace", "import", str(archive)]
    arguments += ["--workspace", str(workspace), "--tracking-uri", uri]
    process = subprocess.Popen(arguments, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    client = MlflowClient(tracking_uri=uri)
    try:
        while process.poll() is None:
            ids = [each.experiment_id for each in client.search_experiments()]
            whole = client.search_runs(ids, "attributes.status = 'FINISHED'")
            begun = client.search_runs(ids, "attributes.status = 'RUNNING'")
            if begun and len(whole) >= finished:
                process.send_signal(signal.SIGKILL)
            time.sleep(0.05)
    finally:
        process.kill()
    assert process.wait() == -signal.SIGKILL, "it was killed in the middle, and not ready before"


@pytest.fixture(scope="module")
def there(home: Home) -> dict:
    """Everything that the laptop knew before anything was moved."""
    return taken(home.workspace)


@pytest.fixture(scope="module")
def office(server: str, archive: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    """A server that got the study in two attempts, the first one killed; and the workspace of who uses it."""
    workspace = tmp_path_factory.mktemp("office")
    import_killed_after(2, archive, workspace, server)
    command("workspace", "import", archive, "--workspace", workspace, "--tracking-uri", server)
    return server, workspace


def test_an_import_that_was_killed_and_repeated_brings_every_record(there: dict, office: tuple[str, Path]) -> None:
    uri, workspace = office
    here = snapshot(uri, open_storage(workspace, None))
    assert len(there["runs"]) >= 5
    assert there["registry"]["asc-student"]["aliases"] == {"champion": 1}
    for part in there:
        assert here[part] == there[part], part


def test_importing_once_more_adds_nothing(facts: Facts, archive: Path, office: tuple[str, Path]) -> None:
    uri, workspace = office
    before = counts(uri)
    done = facts("workspace", "import", archive, "--workspace", workspace, "--tracking-uri", uri)
    assert {key: done[key] for key in ("runs", "runs_completed", "models", "versions", "trials")} == {
        "runs": 0, "runs_completed": 0, "models": 0, "versions": 0, "trials": 0,
    }  # fmt: skip
    assert counts(uri) == before


def test_back_from_the_server_into_an_empty_workspace_it_is_what_it_was(
    facts: Facts, there: dict, office: tuple[str, Path], empty_workspace: Path, tmp_path: Path
) -> None:
    uri, workspace = office
    facts("workspace", "export", tmp_path / "back.tar.gz", "--workspace", workspace, "--tracking-uri", uri)
    facts("workspace", "import", tmp_path / "back.tar.gz", "--workspace", empty_workspace)
    here = taken(empty_workspace)
    for part in there:
        assert here[part] == there[part], part


def test_a_study_goes_on_where_it_was_imported_and_what_is_new_comes_home(
    asc: Callable, facts: Facts, home: Home, home_copy: Path, office: tuple[str, Path], tmp_path: Path
) -> None:
    uri, workspace = office
    where = ("--workspace", workspace, "--tracking-uri", uri)
    run = ("study", "run", home.study, "--corpus", home.corpus, *where)
    before = counts(uri)
    again = asc(*run)
    assert again.code == 0, again.err
    assert counts(uri) == before, "every teacher and every trial was found"
    assert "trained" not in again.err
    assert facts("study", "status", "tiny", "--workspace", workspace)["finished"] == 2
    assert facts("study", "watch", "tiny", *where)["teachers"] > 0
    assert len(facts("report", "tiny", *where)["rows"]) > 2
    registered = facts("register", "tiny", "--allow-chance", *where)
    assert (registered["version"], counts(uri)["versions"]) == (1, 1), "the same student is registered once"
    predicted = facts("predict", "models:/asc-student@champion", next((home.corpus / "audio").iterdir()), *where)
    assert predicted["scene"] in predicted["distribution"]

    more = asc(*run, "--trials", 3)
    assert more.code == 0, more.err
    facts("workspace", "export", tmp_path / "more.tar", *where)
    done = facts("workspace", "import", tmp_path / "more.tar", "--workspace", home_copy)
    assert done["trials"] == 1
    assert done["runs"] >= 2, "the third trial and its student"
    assert facts("study", "status", "tiny", "--workspace", home_copy)["finished"] == 3
    kinds = counts(default_tracking_uri(home_copy))
    assert (kinds['["trial", "FINISHED"]'], kinds['["seed", "FINISHED"]']) == (3, 3), "those there are not doubled"


def test_a_teacher_that_is_in_the_bank_there_is_not_doubled(
    facts: Facts, home: Home, archive: Path, empty_workspace: Path
) -> None:
    where = ("--workspace", empty_workspace)
    key = _first_teacher(home.workspace)
    facts("teacher", "export", key, "-o", empty_workspace / "teacher", "--workspace", home.workspace)
    facts("teacher", "import", empty_workspace / "teacher", *where)
    done = facts("workspace", "import", archive, *where)
    assert done["teachers_there"] == 1
    teachers = facts("teacher", "list", *where)
    assert len({each["key"] for each in teachers}) == len(teachers)
    tracking = Tracking.open(empty_workspace)
    records = tracking.search([tracking.experiment("teachers")])
    assert [record.tags["asc.teacher"] for record in records].count(key) == 1
    model = next(record.tags["asc.model_id"] for record in records if record.tags["asc.teacher"] == key)
    learners = tracking.search([tracking.experiment("tiny")], f"tags.`asc.teachers` LIKE '%{key}%'")
    assert learners
    for learner in learners:
        inputs = tracking.client.get_run(learner.run_id).inputs.model_inputs
        assert model in [each.model_id for each in inputs]


def _first_teacher(workspace: Path) -> str:
    tracking = Tracking.open(workspace)
    trials = tracking.search([tracking.experiment("tiny")], "tags.`asc.teachers` LIKE '%'")
    return trials[0].tags["asc.teachers"].split(",")[0]


def test_a_study_of_the_same_name_that_is_another_one_is_refused_before_anything_is_written(
    asc: Callable, archive: Path, home: Home, empty_workspace: Path
) -> None:
    where = ("--workspace", empty_workspace)
    done = asc("study", "run", home.study, "--corpus", home.corpus, "--set", "student.epochs=1", "--trials", 1, *where)
    assert done.code == 0, done.err
    before = counts(default_tracking_uri(empty_workspace))
    refused = asc("workspace", "import", archive, *where)
    assert refused.code == 2
    assert "is there already with other settings" in refused.err
    elsewhere = ("--storage", empty_workspace / "other.journal")
    refused = asc("workspace", "import", archive, *where, *elsewhere)
    assert refused.code == 2
    assert "is in the tracking server already, with other trials" in refused.err
    assert counts(default_tracking_uri(empty_workspace)) == before
