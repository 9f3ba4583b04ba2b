"""The server stack, natively: two hosts do a study together, one is lost, the other finishes; the winner is shipped."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import mlflow
import numpy as np
import pandas as pd
import pytest

from asc_experiments.study.storage.open_storage import open_storage
from asc_experiments.study.storage.trial_status import StudyStatus, study_status
from asc_experiments.tracking import Tracking
from asc_experiments.tracking.trials import STUDY, TRIAL, finished_trials
from tests.hosts import other_host

pytestmark = pytest.mark.timeout(1_200)
TRIALS = 4
STUDY_FILE = f"""
name: tiny
trials: {TRIALS}
sampler: random
validation: {{fraction: 0.3}}
ensemble: {{common: {{epochs: 1, batch_size: 64}}, pool: [{{arch: cp_mobile, base_channels: [8, 12]}}]}}
student: {{base_channels: 8, epochs: 2, batch_size: 64}}
"""


@dataclass
class Host:
    """A machine that knows of the servers and shares no folder with another: its name, its own workspace."""

    name: str
    folder: Path
    environment: dict[str, str]

    def start(self, *arguments: object) -> subprocess.Popen[str]:
        program = [sys.executable, "-m", "asc_experiments", *map(str, arguments)]
        own = {"ASC_CACHE": str(self.folder / "cache"), "ASC_WORKSPACE": str(self.folder), "OMP_NUM_THREADS": "1"}
        return subprocess.Popen(
            [*other_host(self.name, self.folder), *program], env=os.environ | self.environment | own, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
        )  # fmt: skip

    def run(self, *arguments: object) -> str:
        process = self.start(*arguments)
        out, err = process.communicate()
        assert process.returncode == 0, err
        return out


@pytest.fixture
def host(stack: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Host]:
    for key, value in stack.client().items():  # of this process too, which looks at what they do
        monkeypatch.setenv(key, value)

    def make(name: str) -> Host:
        folder = tmp_path / name
        folder.mkdir()
        return Host(name, folder, stack.client())

    return make


def status(stack: Any, folder: Path) -> StudyStatus | None:
    from asc_experiments.study.storage.open_storage import load_study, study_names

    storage = open_storage(folder, stack.client()["ASC_STORAGE"])
    return study_status(load_study(storage, "tiny")) if "tiny" in study_names(storage) else None


def lose(driver: subprocess.Popen[str], superuser: Callable[[str], None]) -> None:
    """Kill a host's driver and workers at once, and let the time pass after which it counts as lost."""
    os.killpg(driver.pid, signal.SIGKILL)
    driver.communicate()
    superuser("UPDATE trial_heartbeats SET heartbeat = heartbeat - interval '5 minutes'")


def test_two_hosts_do_a_study_one_is_lost_and_the_winner_is_shipped(
    stack: Any, superuser: Callable[[str], None], host: Callable[[str], Host], synth_corpus: Path, tmp_path: Path
) -> None:
    (tmp_path / "tiny.yaml").write_text(STUDY_FILE)
    study = ("study", "run", tmp_path / "tiny.yaml", "--corpus", synth_corpus, "--workers", 2, "--json")
    first = host("lost-host").start(*study)
    deadline = time.monotonic() + 600
    while (found := status(stack, tmp_path)) is None or found.finished < 1:
        assert first.poll() is None, first.communicate()[1]
        assert time.monotonic() < deadline
        time.sleep(0.5)
    lose(first, superuser)

    others = [host(name).start(*study) for name in ("second-host", "third-host")]
    ends = [(*other.communicate(), other.returncode) for other in others]
    for _, err, code in ends:
        assert code == 0, err
    assert not any("Traceback" in err for _, err, _ in ends), ends
    now = status(stack, tmp_path)
    assert now is not None
    assert (now.asked, now.finished, now.pruned, now.failed, now.running) == (TRIALS, TRIALS, 0, 0, 0)

    tracking = Tracking.open(tmp_path, stack.client()["MLFLOW_TRACKING_URI"])
    runs = finished_trials(tracking, "tiny")
    assert Counter(run.tags[TRIAL] for run in runs).most_common(1)[0][1] == 1
    assert len(runs) == TRIALS
    # A cell that was drawn twice has two students, and with them a deviation over students.
    names = [{name for name in run.metrics if not name.startswith("std/")} for run in runs]
    assert {"objective", "accuracy/overall", "accuracy/group/unseen"} <= names[0]
    assert all(each == names[0] for each in names)
    assert all(run.tags[STUDY] == "tiny" for run in runs)
    study_runs = tracking.search([tracking.experiment("tiny")])
    assert {run.status for run in study_runs} <= {"FINISHED", "KILLED"}
    _ship(host("fourth-host"), synth_corpus)
    loaded = mlflow.pyfunc.load_model("models:/asc-student@champion")
    assert len(loaded.predict(pd.DataFrame({"waveform": [np.zeros(44_100)]}))) == 1
    _look_at_servers(stack)


def _ship(host: Host, corpus: Path) -> None:
    """Register and predict from a host that had no part in the study."""
    registered = json.loads(host.run("register", "tiny", "--allow-chance", "--json"))
    assert registered["uri"] == "models:/asc-student@champion"
    recordings = sorted((corpus / "audio").glob("*.wav"))[:3]
    said = [json.loads(line) for line in host.run("predict", registered["uri"], *recordings, "--json").splitlines()]
    assert [Path(each["file"]) for each in said] == recordings
    assert all(abs(sum(each["distribution"].values()) - 1) < 1e-3 for each in said)
    assert not (host.folder / "mlruns").exists(), "everything is on the servers"


def _look_at_servers(stack: Any) -> None:
    """Artifacts are in the object store, and optuna-dashboard shows the study."""
    environment = stack.environment("mlflow")
    store = boto3.client("s3", endpoint_url=environment["MLFLOW_S3_ENDPOINT_URL"], region_name="us-east-1",
                         aws_access_key_id=environment["AWS_ACCESS_KEY_ID"],
                         aws_secret_access_key=environment["AWS_SECRET_ACCESS_KEY"])  # fmt: skip
    stored = [entry["Key"] for entry in store.list_objects_v2(Bucket="mlflow")["Contents"]]
    assert any(name.endswith("logits.npz") for name in stored)
    with urllib.request.urlopen(f"http://127.0.0.1:{stack.ports['dashboard']}/api/studies", timeout=30) as answer:
        assert [study["study_name"] for study in json.load(answer)["study_summaries"]] == ["tiny"]


def test_database_read_beside_the_server_says_what_the_server_says(
    stack: Any, host: Callable[[str], Host], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    host("any-host")
    served = Tracking.open(tmp_path, stack.client()["MLFLOW_TRACKING_URI"])
    experiment = served.experiment("read-twice")
    for number in range(2):
        with served.run(experiment, f"trial {number}", "trial", {TRIAL: str(number)}) as run:
            run.log({"a": 1}, {"accuracy/overall": 1 / 3}, {"b": "ü"}, "said")
    asked = finished_trials(served, "read-twice")
    monkeypatch.setenv("PGPASSWORD", stack.environment("mlflow")["PGPASSWORD"])
    port = stack.ports["database"]
    direct = Tracking.open(tmp_path, f"postgresql+psycopg://mlflow@127.0.0.1:{port}/mlflow")
    assert finished_trials(direct, "read-twice") == asked
    assert len(asked) == 2


def test_processes_that_share_the_servers_lose_no_trial_and_no_metric(stack: Any, host: Callable[[str], Host]) -> None:
    client = stack.client()
    servers = ("--tracking-uri", client["MLFLOW_TRACKING_URI"], "--storage", client["ASC_STORAGE"])
    counts = json.loads(host("load").run("bench", "load", "--workers", 2, "--trials", 5, *servers, "--json"))
    assert counts["load.trials_finished_in_optuna"] == counts["load.trials_finished_in_tracking"] == 10
    assert counts["load.trials_done_again"] == counts["load.lost_metrics"] == 0


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("MLFLOW_TRACKING_PASSWORD", "wrong-password"),
        ("MLFLOW_TRACKING_USERNAME", "nobody"),
        ("PGPASSWORD", "wrong-password"),
    ],
)
def test_wrong_credentials_are_one_line(
    stack: Any, host: Callable[[str], Host], asc: Callable, monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    folder = host("stranger").folder
    monkeypatch.setenv(variable, value)
    command = ("study", "list") if variable == "PGPASSWORD" else ("report", "tiny")
    result = asc(*command, "--workspace", folder)
    assert (result.code, result.out) == (2, "")
    assert result.err.count("\n") == 1
    assert "refuses this user or password" in result.err
    assert value not in result.err.replace("nobody answers", "")
