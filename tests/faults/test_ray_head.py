"""A study whose Ray cluster loses its head ends with one line, and goes on with another cluster."""

import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from subprocess import DEVNULL, PIPE

import pytest

pytest.importorskip("ray")

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
    assert "goes on after epoch" in more
    tracking = Tracking.open(workspace)
    runs = tracking.search([tracking.experiment("tiny")])
    assert Counter((run.tags["asc.kind"], run.status) for run in runs) == {
        ("trial", "FINISHED"): 1,
        ("seed", "FINISHED"): 1,
        ("trial", "KILLED"): 1,
        ("seed", "KILLED"): 1,
    }
