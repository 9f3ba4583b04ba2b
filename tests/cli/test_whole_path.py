"""The whole path through the real program: corpus, teachers, ensemble, student, registry, prediction."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile


def program(*arguments: object, **environment: str) -> str:
    command = [sys.executable, "-m", "asc_experiments", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ | environment)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_from_nothing_to_a_prediction(tmp_path: Path, study_file: Callable, cache: Path) -> None:
    corpus, workspace = tmp_path / "corpus", tmp_path / "workspace"
    where = ("--workspace", workspace)
    assert "wrote 200 clips" in program("corpus", "synth", corpus, "--clips-per-scene", 20)
    assert json.loads(program("corpus", "prepare", corpus, "--json", *where))["clips"] == 200
    status = json.loads(program("study", "run", study_file(), "--corpus", corpus, "--trials", 2, "--json", *where))
    assert {key: status[key] for key in ("asked", "finished", "pruned", "failed", "running")} == {
        "asked": 2, "finished": 2, "pruned": 0, "failed": 0, "running": 0,
    }  # fmt: skip
    assert json.loads(program("study", "status", "tiny", "--json", *where)) == status
    rows = json.loads(program("report", "tiny", "--json", *where))["rows"]
    assert {row["kind"] for row in rows} == {"student", "teacher"}
    assert all(0 <= row["devices"]["s6"] <= 1 for row in rows)
    registered = json.loads(program("register", "tiny", "--allow-chance", "--json", *where))
    assert registered["uri"] == "models:/asc-student@champion"

    recordings = tmp_path / "recordings"
    recordings.mkdir()
    rng = np.random.default_rng(0)
    for name, seconds, rate, channels in (("long", 3.7, 48_000, 2), ("short", 0.2, 16_000, 1), ("cd", 1.0, 44_100, 1)):
        soundfile.write(recordings / f"{name}.wav", 0.1 * rng.normal(size=(int(seconds * rate), channels)), rate)
    lines = program("predict", registered["uri"], recordings, "--json", *where).splitlines()
    found = [json.loads(line) for line in lines]
    assert [Path(entry["file"]).stem for entry in found] == ["cd", "long", "short"]
    for entry in found:
        assert entry["scene"] in entry["distribution"]
        assert sum(entry["distribution"].values()) == pytest.approx(1, abs=1e-4)
        assert entry["probability"] == max(entry["distribution"].values())


def test_broken_file_is_named_and_the_rest_is_predicted(
    asc: Callable, synth_corpus: Path, workspace: Path, tmp_path: Path
) -> None:
    trained = asc(
        "student", "train", "--corpus", synth_corpus, "--workspace", workspace, "--epochs", 1, "--augment", "none",
        "--set", "base_channels=8", "--json",
    )  # fmt: skip
    assert trained.code == 0, trained.err
    from asc_experiments.tracking import Tracking

    record = Tracking.open(workspace).get(json.loads(trained.out)["run_id"])
    recordings = tmp_path / "recordings"
    recordings.mkdir()
    (recordings / "a.wav").write_bytes(b"no sound")
    soundfile.write(recordings / "b.wav", np.full(32_000, 0.1), 32_000)
    result = asc("predict", f"models:/{record.tags['asc.model_id']}", recordings, "--workspace", workspace)
    assert result.code == 2
    assert "a.wav: not a readable sound file" in result.err
    assert "b.wav" in result.out


def test_teacher_is_listed_and_taught_from_by_a_short_key(asc: Callable, synth_corpus: Path, workspace: Path) -> None:
    where = ("--workspace", workspace)
    tiny = ("--epochs", 1, "--set", "base_channels=8")
    trained = asc("teacher", "train", "--arch", "cp_mobile", "--corpus", synth_corpus, *tiny, "--json", *where)
    key = json.loads(trained.out)["key"]
    again = asc("teacher", "train", "--arch", "cp_mobile", "--corpus", synth_corpus, *tiny, "--json", *where)
    assert "already in the bank" in again.err
    assert json.loads(again.out) == json.loads(trained.out)
    listed = json.loads(asc("teacher", "list", "--json", *where).out)
    assert [entry["key"] for entry in listed] == [key]
    assert key in asc("teacher", "list", *where).out
    student = asc("student", "train", "--corpus", synth_corpus, "--teachers", key[:6], *tiny, "--json", *where)
    assert student.code == 0, student.err
    assert "accuracy/group/unseen" in json.loads(student.out)["metrics"]


RUNS, STUDIES = ("--workspace", "--tracking-uri"), ("--workspace", "--storage")
EVERYTHING = ("--workspace", "--tracking-uri", "--storage", "--dirs")
TRAINS, BOTH = (*RUNS, "--dirs"), (*RUNS, "--storage")
COMMANDS = {
    "": (), "corpus": (), "teacher": (), "student": (), "study": (), "model": (), "workspace": (),
    "corpus synth": (), "corpus check": (), "corpus prepare": ("--workspace",), "corpus fetch": ("--workspace",),
    "teacher train": TRAINS, "teacher list": RUNS, "teacher show": RUNS, "teacher export": RUNS,
    "teacher import": TRAINS, "teacher prune": RUNS, "student train": TRAINS,
    "study new": (), "study plan": EVERYTHING, "study run": EVERYTHING, "study status": STUDIES,
    "study list": STUDIES, "study watch": BOTH, "report": RUNS, "register": RUNS, "predict": RUNS,
    "model card": RUNS, "export": TRAINS, "ui": BOTH, "demo": EVERYTHING,
    "workspace relocate": RUNS, "workspace export": BOTH, "workspace import": BOTH,
    "bench": (), "bench gpu": (), "bench driver": (), "bench load": BOTH[1:], "bench many-runs": BOTH[1:],
}  # fmt: skip
"""Which of the options that say where things are each command has: those that it uses."""


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_helps_with_an_example_and_the_options_that_it_uses(asc: Callable, command: str) -> None:
    result = asc(*command.split(), "--help")
    assert result.code == 0
    assert "Example: asc" in result.out
    shown = {word for line in result.out.splitlines() for word in line.split()[:3]}
    assert {option for option in EVERYTHING if option in shown} == set(COMMANDS[command])


def test_help_loads_nothing_heavy() -> None:
    code = (
        "import sys; import asc_experiments.cli.main\n"
        "print([m for m in ('torch', 'mlflow', 'optuna', 'numpy', 'sklearn', 'pandas') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
