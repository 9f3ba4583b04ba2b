"""Files of a run that cannot be had: only those that are gone are called lost, and the caller's errors are its own."""

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import requests
from mlflow.store.artifact.local_artifact_repo import LocalArtifactRepository

from asc_experiments.base.errors import AscError
from asc_experiments.base.outage import Outage
from asc_experiments.distill.logit_repair import has_whole_logits, logits_again
from asc_experiments.distill.teacher import Teacher
from asc_experiments.migration.tracking_read import SourceServer
from asc_experiments.tracking import Run, Tracking
from asc_experiments.tracking.client import retry as patience
from asc_experiments.tracking.registry.network_store import fetch_network, log_network
from asc_experiments.training import SceneNetwork, make_recipe

Fails = Callable[[Exception], list[str]]


@pytest.fixture
def run(tracking: Tracking) -> Run:
    """A run with a file."""
    with tracking.run(tracking.experiment("runs"), "x", "student") as made:
        made.content(b"content", "folder/file.txt")
    return made


@pytest.fixture
def fails(monkeypatch: pytest.MonkeyPatch) -> Fails:
    """Has every copy of a file end so; what was tried, and what was waited for, is noted."""
    monkeypatch.setenv("ASC_TRACKING_PATIENCE", "1")

    def set_up(error: Exception) -> list[str]:
        tried: list[str] = []

        def copy(repository: object, remote_file_path: str, local_path: str) -> None:
            tried.append(remote_file_path)
            raise error

        monkeypatch.setattr(LocalArtifactRepository, "_download_file", copy)
        monkeypatch.setattr(patience.time, "sleep", lambda seconds: tried.append("waited"))
        return tried

    return set_up


def test_error_of_who_reads_a_file_is_not_taken_for_one_of_the_file(tracking: Tracking, run: Run) -> None:
    with pytest.raises(FileNotFoundError, match="mine"), tracking.artifacts(run.run_id, "folder/file.txt") as path:
        assert path.read_bytes() == b"content"
        raise FileNotFoundError("mine")


@pytest.mark.parametrize("path", ["folder/other.txt", "nothing/file.txt", "nothing"])
def test_file_that_is_gone_is_lost(tracking: Tracking, run: Run, path: str) -> None:
    remedy = "asc workspace relocate; else delete the run"
    with pytest.raises(AscError, match=remedy) as caught, tracking.artifacts(run.run_id, path):
        pytest.fail("there is such a file")
    assert not isinstance(caught.value, Outage)


def test_disk_that_is_full_here_is_told_as_this_disk_and_the_run_stays(
    tracking: Tracking, run: Run, fails: Fails
) -> None:
    tried = fails(OSError(28, "No space left on device"))
    with pytest.raises(Outage) as caught, tracking.artifacts(run.run_id, "folder/file.txt"):
        pytest.fail("there is space")
    assert re.search(r": no space is left to write to; free some, or set TMPDIR", caught.value.line())
    assert "delete" not in caught.value.line()
    assert tried == ["folder/file.txt"]


@pytest.mark.parametrize(
    "error",
    [
        requests.ConnectionError("HTTPConnectionPool: Max retries exceeded with url: /artifacts"),
        requests.exceptions.RetryError("too many 503 error responses"),
        requests.exceptions.ChunkedEncodingError("Connection broken: IncompleteRead(7 bytes read)"),
    ],
)
def test_server_that_goes_away_while_it_sends_a_file_is_waited_for(
    tracking: Tracking, run: Run, fails: Fails, error: Exception
) -> None:
    tried = fails(error)
    with pytest.raises(Outage, match="the tracking server"), tracking.artifacts(run.run_id, "folder/file.txt"):
        pytest.fail("it came")
    assert "waited" in tried


def test_file_that_this_user_may_not_read_is_no_lost_one(
    tracking: Tracking, run: Run, fails: Fails, tmp_path: Path
) -> None:
    fails(PermissionError(13, "Permission denied"))
    message = r"artifact folder/file.txt cannot be read \(.*Permission denied.*\); see that this user may read it"
    with pytest.raises(Outage, match=message), tracking.artifacts(run.run_id, "folder/file.txt"):
        pytest.fail("it can be read")
    with pytest.raises(Outage, match="Permission denied"):
        SourceServer(tracking).fetch_run_files(run.run_id, tmp_path)


def test_teacher_whose_files_cannot_be_read_now_is_not_given_up(
    tracking: Tracking, fails: Fails, open_bench: Callable[..., object]
) -> None:
    with tracking.run(tracking.experiment("teachers"), "cp_mobile", "teacher") as made:
        network = SceneNetwork(make_recipe("cp_mobile", base_channels=8), ("bus", "park", "tram"))
        model_id = log_network(made, network)
        made.content(b"logits", "logits/logits.npz")
        recipe = network.recipe.model_dump_json()
        made.tags({"asc.teacher": "k", "asc.recipe": recipe, "asc.split": "{}", "asc.logits_digest": "d"})
        made.tags({"asc.model_id": model_id})
    teacher = Teacher.from_record(tracking.get(made.run_id), tracking)
    fails(PermissionError(13, "Permission denied"))
    with pytest.raises(Outage, match="Permission denied"):
        has_whole_logits(teacher)
    with pytest.raises(Outage, match="Permission denied"):
        fetch_network(tracking, f"models:/{model_id}")
    with pytest.raises(Outage, match="Permission denied"):
        logits_again(teacher, open_bench())  # type: ignore[arg-type]


def test_where_the_files_of_runs_are_is_not_asked_for_again_and_again_unless_they_are_elsewhere(
    tracking: Tracking, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    real = tracking.now.get_run

    def counted(run_id: str) -> object:
        asked.append(run_id)
        return real(run_id)

    monkeypatch.setattr(tracking.now, "get_run", counted)
    (found,) = tracking.search([run.experiment_id])
    for _ in range(2):
        with tracking.artifacts(run.run_id, "folder/file.txt") as path:
            assert path.read_bytes() == b"content"
    assert asked == []
    tracking.remember_files([replace(found, files=f"{found.files}-moved")])
    with tracking.artifacts(run.run_id, "folder/file.txt") as path:
        assert path.read_bytes() == b"content"
    assert asked == [run.run_id]
