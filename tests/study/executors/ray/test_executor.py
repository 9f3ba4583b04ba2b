"""A study on a real Ray cluster of three nodes reaches its total, whatever is lost, and tells the truth about it."""

import signal
import socket
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from optuna.trial import TrialState

pytest.importorskip("ray")

from asc_experiments.base.errors import AscError
from asc_experiments.base.ownership import this_process
from asc_experiments.distill import TeacherBank, TrainingContext
from asc_experiments.study.definition.study_file import read_study
from asc_experiments.study.executors.jobs import Pruned, train_teacher
from asc_experiments.study.executors.local import WorkError
from asc_experiments.study.executors.ray.actors import Claims, Mail
from asc_experiments.study.executors.ray.cluster import Needs
from asc_experiments.study.executors.ray.executor import RayExecutor, claim_to
from asc_experiments.study.runner.driver import Driver
from asc_experiments.study.storage.open_storage import open_storage
from asc_experiments.study.storage.trial_status import study_status
from asc_experiments.tracking import Tracking
from asc_experiments.tracking.client.records import DRIVER, OWNER
from asc_experiments.training.recipe import make_recipe
from tests.study import ray_tasks
from tests.study.ray_nodes import CAN_BE_HOSTS, RayNodes, read_token_settings, wait_until

pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory, synth_corpus: Path, cache: Path) -> Iterator[RayNodes]:
    """A head, ``node-b``, and ``node-c`` which has no corpus."""
    with pytest.MonkeyPatch.context() as patch:
        nodes = RayNodes(tmp_path_factory.mktemp("ray"))
        for name, value in nodes.settings.items():
            patch.setenv(name, value)
        read_token_settings()
        try:
            nodes.add("node-b")
            nodes.add("node-c", hidden=[synth_corpus.parent])
            yield nodes
        finally:
            nodes.close()
    read_token_settings()


@pytest.fixture
def pool(cluster: RayNodes, open_bench: Callable[..., TrainingContext]) -> Iterator[RayExecutor]:
    made = RayExecutor(open_bench(), address=cluster.address)
    yield made
    made.shutdown()


def test_work_is_done_on_all_nodes_and_what_it_says_and_raises_comes_back(
    pool: RayExecutor, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert pool.workers == 3
    place = tmp_path / "meeting"
    place.mkdir()
    met = [pool.submit(ray_tasks.meet, place, number).result for number in range(3)]
    hosts = {result() for result in met}
    here = socket.gethostname()
    names = {here, "node-b", "node-c"} if CAN_BE_HOSTS else {here}
    assert hosts == {(name, 1, False) for name in names}
    with pytest.raises(AscError, match="a: b; c"):
        pool.submit(ray_tasks.fail, "refused").result()
    with pytest.raises(Pruned, match="pruned after epoch 3"):
        pool.submit(ray_tasks.fail, "pruned").result()
    with pytest.raises(WorkError, match=r"^RuntimeError: out of luck$") as error:
        pool.submit(ray_tasks.fail, "otherwise").result()
    assert "ray_tasks.py" in error.value.trace
    pool.shutdown()
    said = capsys.readouterr()
    assert sorted(line for line in said.err.splitlines() if "was here" in line) == [
        f"number {number} was here" for number in range(3)
    ]
    assert said.out == "", "nothing of Ray's own"


def test_running_task_is_ended_by_stop_and_may_say_so(pool: RayExecutor, tmp_path: Path) -> None:
    log = tmp_path / "log"
    running = pool.submit(ray_tasks.wait_for_stop, log)
    wait_until(lambda: log.exists() and log.read_text() == "begun")
    pool.stop()
    assert log.read_text() == "ended by KeyboardInterrupt"
    assert running.exception() is not None


def test_claim_is_held_by_one_driver_until_it_lets_go_or_dies(pool: RayExecutor) -> None:
    ray = pool._ray
    claims = ray.remote(Claims).options(num_cpus=0).remote()
    mail, other = (ray.remote(Mail).options(num_cpus=0).remote() for _ in range(2))

    def takes(driver: str, its: Any) -> bool:
        return bool(ray.get(claims.take.remote("teacher", driver, its)))

    assert takes("one", mail)
    assert takes("one", mail), "it holds it already"
    assert not takes("two", other)
    ray.get(claims.leave.remote("teacher", "two"))
    assert not takes("two", other), "nobody lets go of another's"
    ray.get(claims.leave.remote("teacher", "one"))
    assert takes("two", other)
    ray.kill(other)
    wait_until(lambda: takes("one", mail))


def test_teacher_that_another_driver_has_trained_is_waited_for(
    cluster: RayNodes, open_bench: Callable[..., TrainingContext], capsys: pytest.CaptureFixture[str]
) -> None:
    bench = open_bench()
    pool = RayExecutor(bench, address=cluster.address)
    ray, claims, bank = pool._ray, pool._desk.claims, TeacherBank(bench.tracking)
    recipe = make_recipe("cp_mobile", base_channels=8, epochs=1, batch_size=64)
    name = claim_to(bank.key(recipe, bench), bench.tracking)
    others = ray.remote(Mail).options(num_cpus=0).remote()
    assert ray.get(claims.take.remote(name, "another", others))
    future = pool.submit(train_teacher, bench, recipe)
    said: list[str] = []
    wait_until(lambda: said.append(capsys.readouterr().err) or "another driver has it trained; waits" in "".join(said))
    assert not bank.all()
    ray.get(claims.leave.remote(name, "another"))
    assert future.result() == bank.key(recipe, bench)
    assert [teacher.key for teacher in bank.all()] == [future.result()]
    pool.shutdown()


@pytest.mark.skipif(not CAN_BE_HOSTS, reason="this system does not let a node be a host of its own")
def test_folder_that_another_host_does_not_see_is_refused(
    cluster: RayNodes, open_bench: Callable[..., TrainingContext], synth_corpus: Path, tmp_path: Path
) -> None:
    bench, before = open_bench(), set(tmp_path.iterdir())
    with pytest.raises(AscError) as error:
        RayExecutor(bench, address=cluster.address, shared=[tmp_path, synth_corpus.parent])
    assert error.value.line() == (
        f"{synth_corpus.parent}: is on this machine alone, and a Ray node on node-c; "
        "give --tracking-uri a server and --storage a database, or share that folder"
    )
    assert set(tmp_path.iterdir()) == before, "nothing is left behind"


def test_more_than_any_node_has_is_refused(cluster: RayNodes, open_bench: Callable[..., TrainingContext]) -> None:
    with pytest.raises(AscError, match=r"no node has 2 processors and 0\.5 GPU for a training; lower --cpus"):
        RayExecutor(open_bench(), Needs(2, 0.5), address=cluster.address)


def test_study_stopped_by_a_signal_ends_its_trainings_truthfully(
    cluster: RayNodes, synth_corpus: Path, workspace: Path, study_file: Callable[..., Path]
) -> None:
    file = study_file(student="{base_channels: 8, epochs: 2000, batch_size: 64}")
    command = [sys.executable, "-m", "asc_experiments", "study", "run", str(file), "--corpus", str(synth_corpus)]
    command += ["--workspace", str(workspace), "--executor", "ray", "--ray-address", cluster.address]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    tracking = Tracking.open(workspace)
    lines = []
    for line in process.stderr:
        lines.append(line)
        if line.startswith("student"):  # a student is being trained, somewhere
            process.send_signal(signal.SIGTERM)
            break
    rest = process.stderr.read()
    assert process.wait() == 143, "".join(lines) + rest
    assert "Traceback" not in rest
    assert {record.status for record in tracking.search([tracking.experiment("tiny")])} == {"KILLED"}
    assert "RUNNING" not in {record.status for record in tracking.search([tracking.experiment("teachers")])}


# The last one: it loses a node.
def test_killed_node_costs_only_its_running_training(
    cluster: RayNodes,
    open_bench: Callable[..., TrainingContext],
    study_file: Callable[..., Path],
    workspace: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(
        "asc_experiments.study.runner.trial_runner.train_seed", ray_tasks.quick_seed
    )  # teachers are real
    trials = 16
    study = read_study(study_file(), {"trials": trials})
    bench = open_bench(study.validation)
    tracking = bench.tracking
    pool = RayExecutor(bench, address=cluster.address, shared=[workspace])
    driver = Driver(study, bench, open_storage(workspace, None), pool)
    at_work = bench.cache / "node-b-is-at-work"
    killer = threading.Thread(target=lambda: (wait_until(at_work.exists), cluster.kill("node-b")))
    killer.start()
    status = driver.run()
    killer.join()
    said = capsys.readouterr()
    assert (status.asked, status.finished, status.failed, status.running) == (trials, trials, 0, 0)
    assert {trial.state for trial in driver.study.get_trials()} == {TrialState.COMPLETE}, "none was asked twice"
    runs = tracking.search([tracking.experiment("tiny")])
    kinds = Counter((record.tags["asc.kind"], record.status) for record in runs)
    assert kinds == {("trial", "FINISHED"): trials, ("seed", "FINISHED"): trials, ("seed", "KILLED"): 1}
    (lost,) = [record for record in runs if record.status == "KILLED"]
    assert said.err.count("was lost; its training is begun again") == 1
    assert "Warning" not in said.err, "nothing of what other libraries think of arrays from Ray"
    teachers = tracking.search([tracking.experiment("teachers")])
    assert Counter(record.status for record in teachers) == {"FINISHED": len({r.tags["asc.teacher"] for r in teachers})}
    assert study_status(driver.study) == status
    assert {record.tags[DRIVER] for record in runs + teachers} == {this_process()}
    if CAN_BE_HOSTS:
        assert lost.tags[OWNER].startswith("node-b:")
        hosts = {record.tags[OWNER].split(":")[0] for record in runs + teachers}
        assert "node-c" in hosts, "with the corpus that was sent there"
        assert "the corpus goes into the object store" in said.err
