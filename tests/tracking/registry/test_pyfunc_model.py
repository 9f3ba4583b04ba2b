"""A stored network answers as this program does, where only its requirements are installed, and over HTTP."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from importlib.metadata import Distribution, distribution
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import pytest
import requests
import torch
from mlflow.exceptions import MlflowException
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from asc_experiments.corpus.audio import resample
from asc_experiments.tracking import Tracking
from asc_experiments.tracking.registry.network_store import log_network
from asc_experiments.training import SceneNetwork, make_recipe
from asc_experiments.training.inference import classify

SCENES = ("bus", "park", "scene")
RATES = [32_000, 44_100, 8_000, 32_000]
LENGTHS = [32_000, 100_000, 800, 5]
NO_PICKLE = {"MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"}


@pytest.fixture(scope="module")
def network() -> SceneNetwork:
    torch.manual_seed(0)
    return SceneNetwork(make_recipe("cp_mobile", base_channels=8), SCENES).eval()


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory, new_database: Path) -> Path:
    folder = tmp_path_factory.mktemp("store")
    (folder / "mlruns").mkdir()
    shutil.copy(new_database, folder / "mlruns")
    return folder


@pytest.fixture(scope="module")
def uri(store: Path, network: SceneNetwork) -> str:
    """The network, registered as champion."""
    tracking = Tracking.open(store)
    with tracking.run(tracking.experiment("runs"), "x", "student") as run:
        model_id = log_network(run, network)
    tracking.client.create_registered_model("scenes")
    with tracking.current():
        tracking.client.create_model_version("scenes", f"models:/{model_id}", run.run_id)
    tracking.client.set_registered_model_alias("scenes", "champion", "1")
    return "models:/scenes@champion"


@pytest.fixture
def model(uri: str, store: Path, monkeypatch: pytest.MonkeyPatch) -> mlflow.pyfunc.PyFuncModel:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", Tracking.open(store).uri)
    return mlflow.pyfunc.load_model(uri)


@pytest.fixture(scope="module")
def waveforms() -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return [rng.normal(0, 0.1, length).astype(np.float32) for length in LENGTHS]


@pytest.fixture(scope="module")
def expected(network: SceneNetwork, waveforms: list[np.ndarray]) -> np.ndarray:
    """What this program says of the waveforms."""
    return np.stack([classify(network, resample(w, rate)) for w, rate in zip(waveforms, RATES, strict=True)])


def check(table: pd.DataFrame, expected: np.ndarray) -> None:
    assert list(table.columns) == ["scene", "probability", *(f"probability/{scene}" for scene in SCENES)]
    np.testing.assert_allclose(table.iloc[:, 2:].to_numpy(float), expected, atol=1e-5)
    assert list(table["scene"]) == [SCENES[best] for best in expected.argmax(axis=1)]
    np.testing.assert_allclose(table["probability"], expected.max(axis=1), atol=1e-5)


def test_path_of_a_process_that_has_this_code_stays_as_it_was(
    uri: str, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", Tracking.open(store).uri)
    mlflow.pyfunc.load_model(uri)
    there = [entry for entry in sys.path if Path(entry).is_relative_to(store)]
    assert there == [], "a worker that inherited a stored model's code would miss the rest"


def test_rows_of_any_length_and_rate_are_answered_as_this_program_does(
    model: mlflow.pyfunc.PyFuncModel, waveforms: list[np.ndarray], expected: np.ndarray
) -> None:
    check(model.predict(pd.DataFrame({"waveform": waveforms, "sampling_rate": RATES})), expected)
    as_lists = [waveform.tolist() for waveform in waveforms]
    check(model.predict(pd.DataFrame({"waveform": as_lists, "sampling_rate": [None, *RATES[1:3], None]})), expected)
    check(model.predict(pd.DataFrame({"waveform": waveforms[:1]})), expected[:1])


def test_arrays_are_taken_by_the_raw_model_and_as_a_column(
    model: mlflow.pyfunc.PyFuncModel, network: SceneNetwork
) -> None:
    waveforms = np.random.default_rng(1).normal(0, 0.1, (2, 32_000)).astype(np.float32)
    expected = np.stack([classify(network, waveform) for waveform in waveforms])
    check(model.get_raw_model().predict(waveforms), expected)
    check(model.predict(pd.DataFrame({"waveform": list(waveforms)})), expected)


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ({"waveform": []}, "row 1: holds no samples"),
        ({"waveform": [0.1, float("nan")]}, "row 1: holds samples that are not finite"),
        ({"waveform": [0.1], "sampling_rate": 0}, "row 1: has a sampling rate of 0 Hz"),
        ({"waveform": [0.1], "sampling_rate": -8_000}, "row 1: has a sampling rate of -8000 Hz"),
        ({"waveform": [0.1], "sampling_rate": 0.5}, "row 1: has a sampling rate of 0.5 Hz, which is no whole number"),
        ({"waveform": "sound.wav"}, "list"),
        ({"waveform": None}, "list"),
        ({"wave": [0.1]}, "list"),
    ],
)
def test_a_row_that_is_no_sound_is_named(model: mlflow.pyfunc.PyFuncModel, row: dict[str, object], words: str) -> None:
    with pytest.raises(MlflowException, match=re.escape(words)):
        model.predict(pd.DataFrame([{"waveform": [0.1, 0.2]}, row]))


def needed(lines: list[str]) -> dict[str, Distribution]:
    """The distributions that these requirements bring along, by name and extras."""
    found: dict[str, Distribution] = {}
    left = [Requirement(line) for line in lines]
    while left:
        wanted = left.pop()
        name = f"{canonicalize_name(wanted.name)}[{','.join(sorted(wanted.extras))}]"
        if name not in found:
            found[name] = distribution(wanted.name)
            more = [Requirement(line) for line in found[name].requires or []]
            extras = ("", *wanted.extras)
            left += [m for m in more if not m.marker or any(m.marker.evaluate({"extra": extra}) for extra in extras)]
    return found


def site_of(lines: list[str], folder: Path) -> Path:
    """A folder like an environment's site-packages that holds only what these requirements bring along."""
    folder.mkdir()
    for found in needed(lines).values():
        tops = {file.parts[0] for file in found.files or [] if file.parts[0] not in ("..", "__pycache__")}
        for top in tops:
            if not (folder / top).exists():
                (folder / top).symlink_to(Path(str(found.locate_file(top))))
    return folder


def test_a_model_needs_only_its_requirements_and_brings_its_code(
    uri: str, store: Path, waveforms: list[np.ndarray], expected: np.ndarray, tmp_path: Path
) -> None:
    (stored,) = (store / "mlruns" / "artifacts").rglob("MLmodel")
    copied = shutil.copytree(stored.parent, tmp_path / "model")
    site = site_of((copied / "requirements.txt").read_text().splitlines(), tmp_path / "site")
    assert (site / "torch").exists()
    assert not any((site / absent).exists() for absent in ("asc_experiments", "optuna", "scipy", "rich", "filelock.py"))
    np.savez(tmp_path / "sounds.npz", *waveforms)
    program = f"""
import sys
sys.path.insert(0, {str(site)!r})
import mlflow, numpy as np, pandas as pd
sounds = np.load({str(tmp_path / "sounds.npz")!r})
table = pd.DataFrame({{"waveform": [sounds[name] for name in sounds.files], "sampling_rate": {RATES}}})
try:
    import asc_experiments
    sys.exit("this repository can be imported")
except ModuleNotFoundError:
    pass
for name, uri in (("copied", {str(copied)!r}), ("registered", {uri!r})):
    mlflow.pyfunc.load_model(uri).predict(table).to_json({str(tmp_path)!r} + f"/{{name}}.json")
"""
    environment = NO_PICKLE | {"MLFLOW_TRACKING_URI": Tracking.open(store).uri, "PATH": os.environ["PATH"]}
    command = [sys.executable, "-I", "-S", "-c", program]
    done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    for name in ("copied", "registered"):
        check(pd.read_json(tmp_path / f"{name}.json"), expected)


@pytest.fixture
def served(uri: str, store: Path, tmp_path: Path) -> Iterator[str]:
    """The address of ``mlflow models serve``."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "mlflow", "models", "serve", "--model-uri", uri, "--env-manager", "local"]
    # The server starts `uvicorn` by name.
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = os.environ | NO_PICKLE | {"MLFLOW_TRACKING_URI": Tracking.open(store).uri, "PATH": path}
    with (tmp_path / "log").open("wb") as log:
        server = subprocess.Popen(
            [*command, "--host", "127.0.0.1", "--port", str(port)],
            env=environment, cwd=tmp_path, stdout=log, stderr=log, start_new_session=True,
        )  # fmt: skip
        try:
            address = f"http://127.0.0.1:{port}"
            for _ in range(600):
                assert server.poll() is None, (tmp_path / "log").read_text()
                try:
                    if requests.get(f"{address}/ping", timeout=5).ok:
                        break
                except requests.ConnectionError:
                    time.sleep(0.1)
            yield address
        finally:
            os.killpg(server.pid, signal.SIGTERM)
            server.wait()


def test_a_model_is_served_over_http(served: str, waveforms: list[np.ndarray], expected: np.ndarray) -> None:
    sounds = zip(waveforms, RATES, strict=True)
    rows = [{"waveform": waveform.tolist(), "sampling_rate": rate} for waveform, rate in sounds]
    for row in (rows[0], rows[3]):
        del row["sampling_rate"]
    answer = requests.post(f"{served}/invocations", json={"dataframe_records": rows}, timeout=60)
    assert answer.status_code == 200, answer.text
    check(pd.DataFrame(answer.json()["predictions"]), expected)
    split = {"columns": ["waveform"], "data": [[rows[0]["waveform"]]]}
    answer = requests.post(f"{served}/invocations", json={"dataframe_split": split}, timeout=60)
    check(pd.DataFrame(answer.json()["predictions"]), expected[:1])
    bad = [{"waveform": [0.1], "sampling_rate": None}, {"waveform": []}]
    answer = requests.post(f"{served}/invocations", json={"dataframe_records": bad}, timeout=60)
    assert answer.status_code == 400
    assert "row 1: holds no samples" in answer.json()["message"]
