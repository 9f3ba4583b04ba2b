"""A study whose Ray cluster loses its head ends with one line, and continues with another cluster."""

import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from subprocess import DEVNULL, PIPE

import pytest

pytest.importorskip("ray")

from asc_experiments.study.storage.open_storage import load_study, open_storage
from asc_experiments.tracking import Tracking
from tests.study.ray_nodes import RayNodes

pytestmark = pytest.mark.timeout(600)


@pytest.fixture
def new_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[], RayNodes]]:
    made: list[RayNodes] = []

    def new() -> RayNodes:
        made.append(RayNodes(tmp_path_factory.mktemp("ray")))
        return made[-1]

    yield new
    for nodes in made:
        nodes.close()


def test_study_outlives_the_head_of_its_cluster(
    new_cluster: Callable[[], RayNodes], synth_corpus: Path, workspace: Path, study_file: Callable[..., Path]
) -> None:
    file = study_file(trials="1", student="{base_channels: 8, epochs: 120, batch_size: 64}")

    def run(nodes: RayNodes) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "asc_experiments", "study", "run", str(file), "--corpus", str(synth_corpus)]
        command += ["--workspace", str(workspace), "--executor", "ray", "--ray-address", nodes.address]
        return subprocess.Popen(command, env=nodes.environment, stdout=DEVNULL, stderr=PIPE, text=True)

    cluster = new_cluster()
    process = run(cluster)
    assert process.stderr is not None
    for line in process.stderr:
        if line.startswith("student") and "epochs" in line:  # it has trained for some
            cluster.kill_all()
            break
    said = process.stderr.read().splitlines()
    assert process.wait() == 2, said
    assert said[-1].startswith("error: the Ray cluster: does not answer"), said
    assert "Traceback" not in "".join(said)
    again = run(new_cluster())
    _, more = again.communicate()
    assert again.returncode == 0, more
    assert "already in the bank" in more
    assert "resumes after epoch" in more
    tracking = Tracking.open(workspace)
    runs = tracking.search([tracking.experiment("tiny")])
    assert Counter((run.tags["asc.kind"], run.status) for run in runs) == {
        ("trial", "FINISHED"): 1,
        ("seed", "FINISHED"): 1,
        ("trial", "KILLED"): 1,
        ("seed", "KILLED"): 1,
    }


def test_driver_that_waits_for_another_ones_teacher_when_the_head_is_lost_blames_no_trial(
    new_cluster: Callable[[], RayNodes], synth_corpus: Path, workspace: Path, study_file: Callable[..., Path]
) -> None:
    cluster = new_cluster()
    pool = "{size: 1, common: {epochs: 10_000, batch_size: 64}, pool: [{arch: cp_mobile, base_channels: 8}]}"

    def run(name: str) -> subprocess.Popen[str]:
        text = f"{{name: {name}, trials: 1, sampler: random, validation: {{fraction: 0.3}}, ensemble: {pool}}}"
        file = workspace / f"{name}.yaml"
        file.write_text(text)
        command = [sys.executable, "-m", "asc_experiments", "study", "run", str(file), "--corpus", str(synth_corpus)]
        command += ["--workspace", str(workspace), "--executor", "ray", "--ray-address", cluster.address]
        return subprocess.Popen(command, env=cluster.environment, stdout=DEVNULL, stderr=PIPE, text=True)

    def listen(driver: subprocess.Popen[str], words: str) -> None:
        assert driver.stderr is not None
        said = []
        for line in driver.stderr:
            said.append(line)
            if words in line:
                return
        raise AssertionError(said)

    trains = run("first")
    listen(trains, "epochs")
    waits = run("second")
    listen(waits, "another driver has it trained; waits")
    cluster.kill_all()
    for driver in (waits, trains):
        said = driver.communicate()[1]
        assert driver.returncode == 2, said
        assert said.splitlines()[-1].startswith("error: the Ray cluster: does not answer"), said
        assert "Traceback" not in said
    for name in ("first", "second"):
        trials = load_study(open_storage(workspace, None), name).get_trials()
        assert [trial.state.name for trial in trials] == ["FAIL", "WAITING"]
        assert trials[0].user_attrs["asc.interrupted"]
