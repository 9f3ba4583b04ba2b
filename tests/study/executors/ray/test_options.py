"""Ray is asked for in so many words, refused in one line, and loaded only then."""

import importlib.util
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from asc_experiments.base.errors import AscError
from asc_experiments.study.definition.study_file import read_study
from asc_experiments.study.executors.local import InProcess, WorkerPool
from asc_experiments.study.executors.ray.cluster import Needs, Node, measure
from asc_experiments.study.executors.ray.join_node import join
from asc_experiments.study.executors.ray.options import RayOptions, local_executor, shared_folders
from tests.conftest import CliResult

Write = Callable[..., Path]


def test_ray_is_not_loaded_before_it_is_asked_for() -> None:
    script = (
        "import sys\n"
        "import asc_experiments.cli.main, asc_experiments.study.runner.driver\n"
        "import asc_experiments.study.executors.ray.executor, asc_experiments.study.executors.ray.options\n"
        "print('ray' in sys.modules)\n"
    )
    assert (
        subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout == "False\n"
    )


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (RayOptions(address="auto"), "--ray-address"),
        (RayOptions(cpus=2), "--cpus-per-training"),
        (RayOptions(gpus=0.0), "--gpus-per-training"),
        (RayOptions(ships_corpus=True), "--ship-corpus"),
    ],
)
def test_options_of_ray_are_refused_without_it(options: RayOptions, named: str) -> None:
    with pytest.raises(AscError, match=f"^{named}: is an option of Ray; give --executor ray too$"):
        options.refuse()
    RayOptions().refuse()


def test_without_ray_one_training_at_a_time_needs_no_other_process() -> None:
    assert isinstance(local_executor(None), InProcess)
    assert isinstance(local_executor(1), InProcess)
    pool = local_executor(2)
    assert isinstance(pool, WorkerPool)
    pool.shutdown()


def test_folders_must_be_shared_where_no_server_keeps_what_is_in_them(study_file: Write, tmp_path: Path) -> None:
    study, pruned = read_study(study_file()), read_study(study_file(pruner="median"))
    sqlite, server, database = "sqlite:////w/mlruns/mlflow.db", "https://tracking:5000", "postgresql+psycopg://host/db"
    assert shared_folders(server, study, tmp_path, None) == []
    assert shared_folders(sqlite, study, tmp_path, database) == [tmp_path / "mlruns"]
    assert shared_folders(database, study, tmp_path, None) == [tmp_path / "mlruns"], "which holds the artifacts"
    assert shared_folders(server, pruned, tmp_path, None) == [tmp_path / "studies"], "trainings report to the journal"
    assert shared_folders(server, pruned, tmp_path, "/nfs/a.journal") == [Path("/nfs")]
    assert shared_folders(server, pruned, tmp_path, database) == []


@pytest.mark.parametrize(
    ("needs", "cpus", "gpus", "room"),
    [
        (Needs(), 8, 0, 8),
        (Needs(3), 8, 1, 2),
        (Needs(9), 8, 0, 0),
        (Needs(1, 0.25), 8, 1, 4),
        (Needs(1, 0.25), 3, 1, 3),
        (Needs(1, 0.1), 64, 1, 10),
        (Needs(1, 0.25), 8, 0, 0),
        (Needs(), 0, 0, 0),
    ],
)
def test_room_is_what_fits_by_processors_and_by_gpus(needs: Needs, cpus: int, gpus: int, room: int) -> None:
    resources = {name: float(number) for name, number in (("CPU", cpus), ("GPU", gpus)) if number}
    assert needs.room_on(resources) == room


def test_as_many_trainings_at_a_time_as_fit_unless_somebody_says_how_many(capsys: pytest.CaptureFixture[str]) -> None:
    nodes = [Node("1", "a", {"CPU": 2.0}), Node("2", "b", {"CPU": 3.0, "GPU": 1.0})]
    assert measure(nodes, Needs(2), None) == 2
    assert "Ray: 2 nodes on 2 hosts, room for 2 trainings of 2 processors; at most 2 at a time" in (
        capsys.readouterr().err.splitlines()
    )
    assert measure(nodes, Needs(2), 7) == 7
    assert "none of the 1 GPUs is used" in capsys.readouterr().err
    with pytest.raises(AscError, match="no node has 4 processors for a training"):
        measure(nodes, Needs(4), None)
    assert measure(nodes, Needs(4), 3) == 3, "the cluster may grow"


def test_missing_ray_is_one_line_with_the_command_that_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    real = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "ray" else real(name))
    with pytest.raises(AscError) as error:
        join(None)
    assert error.value.line() == "--executor ray: Ray is not installed; pip install 'asc_experiments[ray]'"


def test_address_where_no_cluster_answers_is_one_line(
    asc: Callable[..., CliResult], synth_corpus: Path, workspace: Path, study_file: Write
) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{nobody.getsockname()[1]}"
        command = ("study", "run", study_file(), "--corpus", synth_corpus, "--workspace", workspace)
        result = asc(*command, "--executor", "ray", "--ray-address", address)
    assert result.code == 2
    last = result.err.splitlines()[-1]
    assert last == f"error: --ray-address {address}: no Ray cluster answers there; start one: ray start --head"


def test_address_of_ray_client_is_refused() -> None:
    with pytest.raises(AscError, match="is an address of Ray Client"):
        join("ray://head:10001")
