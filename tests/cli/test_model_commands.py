"""``asc register``, ``asc predict`` and ``asc model card`` as one uses them."""

import csv
import io
import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from asc_experiments.base import progress
from asc_experiments.cli.predictions import Format, heading, line, open_writer
from asc_experiments.tracking import Tracking
from asc_experiments.tracking.evidence import log_evidence
from asc_experiments.tracking.registry.network_store import log_network
from asc_experiments.training import SceneNetwork, inference, make_recipe
from asc_experiments.training.inference import Prediction
from tests.tracking.conftest import answers_of

SCENES = ("bus", "park, quiet", "tram")
OF_FILES = [format for format in Format if format is not Format.dcase]
"""The formats that are written line by line; the other one is of a whole evaluation set."""


def log_trial(workspace: Path, number: int, reached: tuple[float, float], answered: bool = False) -> str:
    """A finished trial of study ``s`` with two students, which may keep their answers; the id of its network."""
    tracking = Tracking.open(workspace)
    experiment = tracking.experiment("s")
    tags = {
        "asc.study": "s", "asc.trial": str(number), "asc.direction": "maximize", "asc.objective": "accuracy/overall",
        "asc.objective_split": "test",
    }  # fmt: skip
    with tracking.run(experiment, f"trial {number}", "trial", tags) as trial:
        for value in reached:
            with tracking.run(experiment, "seed", "seed", {"asc.corpus": "c0ffee"}, trial.run_id) as student:
                student.metrics({"accuracy/overall": value})
                if answered:
                    log_evidence(student, {"test": answers_of([value])})
                torch.manual_seed(number)
                network = SceneNetwork(make_recipe("cp_mobile", base_channels=8), SCENES)
                model_id = log_network(student, network)
        trial.tags({"asc.model_id": model_id})
        if answered:
            log_evidence(trial, {"test": answers_of(reached)})
        mean, spread = sum(reached) / 2, abs(reached[0] - reached[1]) / 2**0.5
        trial.metrics({"objective": mean, "accuracy/overall": mean, "std/accuracy/overall": spread})
    return model_id


@pytest.fixture
def model(workspace: Path) -> tuple[str, ...]:
    """The first arguments of a prediction."""
    return ("predict", f"models:/{log_trial(workspace, 0, (0.5, 0.6))}", "--workspace", str(workspace))


@pytest.fixture
def recordings(tmp_path: Path) -> Path:
    folder = tmp_path / "recordings"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for name, seconds, rate in (("a", 0.3, 8_000), ("b, loud", 2.5, 44_100), ("c", 1.0, 32_000)):
        soundfile.write(folder / f"{name}.wav", rng.normal(0, 0.1, int(seconds * rate)), rate)
    return folder


def test_a_student_is_registered_and_its_measures_are_shown(asc: Callable, workspace: Path) -> None:
    log_trial(workspace, 0, (0.5, 0.6))
    gates = ("--max-bytes", 128_000, "--min-accuracy", 0.55)
    shown = asc("register", "s", *gates, "--workspace", workspace)
    assert shown.code == 0, shown.err
    for part in (
        "models:/asc-student@champion",
        "Version 1 is champion for want of another",
        "bytes at int8",
        "passed",
        "±",
    ):
        assert part in shown.out
    assert "limit" in shown.out
    assert "limit" not in asc("register", "s", "--workspace", workspace).out, "without gates there is none"
    facts = json.loads(asc("register", "s", *gates, "--workspace", workspace, "--json").out)
    assert (facts["version"], facts["new"], facts["uri"]) == (1, False, "models:/asc-student@champion")
    (accuracy,) = (gate for gate in facts["gates"] if gate["option"] == "min_accuracy")
    assert accuracy == {
        "name": "accuracy", "option": "min_accuracy", "value": 0.6, "mean": 0.55,
        "std": pytest.approx(0.0707, abs=1e-4), "limit": 0.55, "passed": True,
        "clips": "", "low": None, "high": None, "floor": None, "picked_from": 1,
    }  # fmt: skip


def test_failed_gates_are_shown_with_value_and_limit_and_exit_code_1(asc: Callable, workspace: Path) -> None:
    log_trial(workspace, 0, (0.5, 0.6))
    gates = ("--max-bytes", 50_000, "--precision", "float32", "--min-accuracy", 0.7, "--max-parameters", 128_000)
    failed = asc("register", "s", *gates, "--workspace", workspace)
    assert failed.code == 1
    rows = {row.split("│")[1].strip(): row for row in failed.out.splitlines() if "FAILED" in row}
    assert list(rows) == ["bytes at float32", "accuracy"]
    assert "54,592" in rows["bytes at float32"]
    assert "≤ 50,000" in rows["bytes at float32"]
    assert "0.6000" in rows["accuracy"]
    assert "0.5500 ± 0.0707" in rows["accuracy"]
    assert "≥ 0.7000" in rows["accuracy"]
    facts = asc("register", "s", *gates, "--workspace", workspace, "--json")
    assert facts.code == 1
    assert [gate["option"] for gate in json.loads(facts.out)["gates"] if not gate["passed"]] == [
        "max_bytes", "min_accuracy",
    ]  # fmt: skip
    assert Tracking.open(workspace).client.search_registered_models() == []


@pytest.mark.parametrize(("option", "value"), [("--min-accuracy", "55"), ("--max-dg", "5"), ("--min-unseen", "nan")])
def test_a_gate_in_percent_is_one_kind_line(asc: Callable, workspace: Path, option: str, value: str) -> None:
    refused = asc("register", "s", option, value, "--workspace", workspace)
    assert refused.code == 2
    assert len(refused.err.splitlines()) == 1
    assert "is not a part of one" in refused.err


def test_any_metric_is_a_gate_in_its_direction(asc: Callable, workspace: Path) -> None:
    log_trial(workspace, 0, (0.5, 0.6))
    at = ("--workspace", workspace)
    passed = asc("register", "s", "--gate", "accuracy/overall=0.55", *at)
    assert passed.code == 0, passed.err
    assert "≥ 0.5500" in passed.out
    refused = asc("register", "s", "--gate", "accuracy/overal=0.55", *at)
    assert (refused.code, len(refused.err.splitlines())) == (2, 1)
    assert "unknown metric 'accuracy/overal'; did you mean 'accuracy/overall'?" in refused.err


def test_a_student_at_chance_is_refused_in_one_line_unless_allowed(asc: Callable, workspace: Path) -> None:
    log_trial(workspace, 0, (0.33, 0.34), answered=True)
    refused = asc("register", "s", "--workspace", workspace)
    assert refused.code == 2
    assert len(refused.err.splitlines()) == 1
    assert "nothing was learned that can be told from guessing" in refused.err
    assert "--allow-chance" in refused.err
    assert Tracking.open(workspace).client.search_registered_models() == []
    allowed = asc("register", "s", "--allow-chance", "--workspace", workspace)
    assert allowed.code == 0
    assert "Nothing was learned" in allowed.out
    assert "No winner: nothing was learned." in allowed.out


def test_what_is_measured_is_said_with_clips_places_and_interval(asc: Callable, workspace: Path) -> None:
    log_trial(workspace, 0, (0.5, 0.6), answered=True)
    shown = asc("register", "s", "--min-accuracy", 0.59, "--workspace", workspace)
    assert shown.code == 0, shown.err
    assert "accuracy: on 540 test clips of 27 places; the interval over places [0." in shown.out
    assert "holds the limit" in shown.out
    assert "Chosen on the test fold itself: the figures below flatter it." in shown.out
    assert "* 95 % interval for this network on other places, had it not been picked from 2 by these clips" in shown.out
    assert "95 % interval │" not in shown.out
    assert "interval *" in shown.out
    assert "No winner yet: one trial has finished" in shown.out
    failed = asc("register", "s", "--min-accuracy", 0.9, "--workspace", workspace)
    assert failed.code == 1
    assert "Chosen on the test fold itself: the figures below flatter it." in failed.out
    facts = json.loads(asc("register", "s", "--workspace", workspace, "--json").out)
    assert facts["learned"].startswith("accuracy/macro is 60.0 % (95 % interval from ")
    assert facts["winner"].startswith("No winner yet: one trial has finished")
    assert facts["learned"].endswith("It was picked from 2 networks by these very clips, which flatters it.")
    assert facts["doubts"] == []
    assert facts["warning"] == "Chosen on the test fold itself: the figures below flatter it."


def test_a_student_within_noise_is_challenger_with_a_line_how_to_override(asc: Callable, workspace: Path) -> None:
    log_trial(workspace, 0, (0.5, 0.6))
    assert asc("register", "s", "--workspace", workspace).code == 0
    log_trial(workspace, 1, (0.52, 0.61))
    kept = asc("register", "s", "--workspace", workspace)
    assert kept.code == 0
    assert f"asc register s --model asc-student --replace --workspace {workspace} makes version 2" in kept.out
    assert json.loads(asc("register", "s", "--workspace", workspace, "--json").out)["alias"] == "challenger"
    replaced = json.loads(asc("register", "s", "--workspace", workspace, "--replace", "--json").out)
    assert (replaced["version"], replaced["alias"]) == (2, "champion")


def test_a_card_is_printed(asc: Callable, workspace: Path) -> None:
    log_trial(workspace, 0, (0.5, 0.6))
    asc("register", "s", "--workspace", workspace)
    printed = asc("model", "card", "models:/asc-student@champion", "--workspace", workspace)
    assert printed.code == 0
    assert printed.out.startswith("# asc-student, version 1")
    unknown = asc("model", "card", "models:/asc-student@nobody", "--workspace", workspace)
    assert unknown.code == 2
    assert "has no alias 'nobody'; write models:/asc-student@champion" in unknown.err


def test_predictions_say_the_same_in_every_format(
    asc: Callable, model: tuple[str, ...], recordings: Path, tmp_path: Path
) -> None:
    entries = [json.loads(text) for text in asc(*model, recordings, "--format", "jsonl").out.splitlines()]
    assert [Path(entry["file"]).stem for entry in entries] == ["a", "b, loud", "c"]
    assert asc(*model, recordings, "--json").out.splitlines() == [json.dumps(entry) for entry in entries]
    written = tmp_path / "out.csv"
    assert asc(*model, recordings, "--format", "csv", "-o", written).out == ""
    assert asc(*model, recordings, "--format", "csv").out == written.read_bytes().decode()
    rows = list(csv.DictReader(io.StringIO(written.read_bytes().decode(), newline="")))
    _, *table = asc(*model, recordings).out.splitlines()
    for entry, row, shown in zip(entries, rows, table, strict=True):
        assert row["file"] == entry["file"]
        assert row["scene"] == entry["scene"]
        assert {scene: float(row[f"probability/{scene}"]) for scene in SCENES} == entry["distribution"]
        assert shown == f"{entry['scene']:<11}  {entry['probability']:5.3f}  {entry['file']}"


def test_a_table_ends_with_how_sure_the_network_is_and_other_formats_do_not(
    asc: Callable, workspace: Path, recordings: Path
) -> None:
    log_trial(workspace, 0, (0.5, 0.6))
    at = ("--workspace", workspace)
    assert asc("register", "s", *at).code == 0
    command = ("predict", "models:/asc-student@champion", recordings, *at)
    table = asc(*command)
    assert table.err.splitlines() == [
        "3 of 3 answers have a probability below 0.5 (guessing among 3 scenes gives 0.33): by its own account, the "
        "network is more likely wrong there than right"
    ]
    assert len(table.out.splitlines()) == 4
    Tracking.open(workspace).client.set_model_version_tag("asc-student", "1", "ece/overall", "0.3100")
    assert "probabilities were off by 31 points on average" in asc(*command).err
    for format in ("csv", "jsonl"):
        assert asc(*command, "--format", format).err == ""


def test_a_broken_file_is_named_and_the_rest_is_written(
    asc: Callable, model: tuple[str, ...], recordings: Path, tmp_path: Path
) -> None:
    (recordings / "a.wav").write_bytes(b"no sound")
    soundfile.write(recordings / "bb.wav", np.zeros(0), 8_000)
    result = asc(*model, recordings, "--format", "csv", "-o", tmp_path / "out.csv")
    assert result.code == 2
    assert "a.wav: not a readable sound file" in result.err
    assert "bb.wav: holds no samples" in result.err
    assert result.err.rstrip().endswith("2 of 4 files could not be read")
    assert len((tmp_path / "out.csv").read_text().splitlines()) == 3
    assert not list(tmp_path.glob("*.part"))


def test_predictions_go_into_a_pipe_while_the_progress_bar_is_on_a_terminal(
    asc: Callable, model: tuple[str, ...], recordings: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = asc(*model, recordings, "--format", "csv")
    monkeypatch.setattr(progress, "errors", Console(stderr=True, force_terminal=True))
    shown = asc(*model, recordings, "--format", "csv")
    assert shown.out == plain.out
    assert "predicting" in shown.err


def test_a_file_that_cannot_be_written_is_one_line(
    asc: Callable, model: tuple[str, ...], recordings: Path, tmp_path: Path
) -> None:
    for target, message in ((tmp_path / "nowhere" / "out.csv", "no such folder"), (tmp_path, "is a folder")):
        result = asc(*model, recordings, "-o", target)
        assert result.code == 2
        assert len(result.err.splitlines()) == 1
        assert message in result.err


def test_a_prediction_that_is_interrupted_leaves_an_earlier_file_as_it_was(
    asc: Callable, model: tuple[str, ...], recordings: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = tmp_path / "out.csv"
    written.write_text("earlier")

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(inference, "_read", interrupted)
    assert asc(*model, recordings, "-o", written).code != 0
    assert written.read_text() == "earlier"
    assert not list(tmp_path.glob("*.part"))


@given(st.text(st.characters(exclude_characters="\0", codec="utf-8"), min_size=1), st.text(min_size=1, max_size=5))
def test_csv_brings_any_name_back(name: str, scene: str) -> None:
    scene = scene.encode("utf-8", "replace").decode()
    scenes = (scene, scene + "2")
    prediction = Prediction(Path(name), scene, 0.75, {scene: 0.75, scene + "2": 0.25})
    text = heading(Format.csv, scenes) + line(Format.csv, scenes, prediction)
    assert text.endswith("\r\n")
    columns, values = csv.reader(io.StringIO(text, newline=""))
    assert columns == ["file", "scene", "probability", f"probability/{scene}", f"probability/{scene}2"]
    assert values == [str(Path(name)), scene, "0.75", "0.75", "0.25"]


@pytest.mark.parametrize("format", OF_FILES)
def test_a_name_that_is_no_text_is_written_as_text(format: Format, tmp_path: Path) -> None:
    path = Path(os.fsdecode(b"caf\xe9.wav"))
    prediction = Prediction(path, "bus", 1.0, {"bus": 1.0})
    with open_writer(format, ("bus",), tmp_path / "out") as write:
        write(prediction)
    text = (tmp_path / "out").read_text(encoding="utf-8")
    name = json.loads(text)["file"] if format is Format.jsonl else text
    assert "caf\N{REPLACEMENT CHARACTER}.wav" in name


EVIL = "a\x1b[31m\nb"


@pytest.mark.parametrize("terminal", [False, True])
@pytest.mark.parametrize("format", OF_FILES)
def test_names_of_files_do_not_steer_a_terminal(
    asc: Callable,
    model: tuple[str, ...],
    tmp_path: Path,
    format: Format,
    terminal: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folder = tmp_path / "recordings"
    folder.mkdir()
    soundfile.write(folder / f"{EVIL}.wav", np.full(400, 0.1), 8_000)
    (folder / f"broken{EVIL}.wav").write_bytes(b"no sound")
    (folder / f"{EVIL}.txt").write_text("a note")
    monkeypatch.setattr("sys.stdout.isatty", lambda: terminal, raising=False)
    done = asc(*model, folder, "--format", format.value)
    assert done.code == 2
    assert "\x1b" not in done.err
    assert sum(line.startswith("1 of 1 answers") for line in done.err.splitlines()) == (format is Format.table)
    told = [line for line in done.err.splitlines() if not line.startswith("1 of 1 answers")]
    assert sorted(line.partition(" ")[0] for line in told) == ["1", "error:", "left"]
    if format is Format.csv and not terminal:
        assert next(iter(csv.DictReader(io.StringIO(done.out, newline=""))))["file"].endswith(f"{EVIL}.wav")
    else:
        assert "\x1b" not in done.out
    if format is not Format.csv:
        assert len(done.out.splitlines()) == (2 if format is Format.table else 1), "a heading, where it is a table"


def test_names_of_folders_do_not_steer_a_terminal(asc: Callable, tmp_path: Path) -> None:
    for command, suffix in ((["corpus", "check"], ""), (["study", "new"], ".yaml")):
        done = asc(*command, tmp_path / f"{EVIL}{suffix}")
        assert "\x1b" not in done.out + done.err
        assert len((done.out + done.err).splitlines()) <= 2, done.out + done.err


def test_an_answer_per_window_has_its_times_in_every_format(
    asc: Callable, model: tuple[str, ...], recordings: Path
) -> None:
    loud = recordings / "b, loud.wav"  # two and a half seconds
    rows = list(csv.DictReader(io.StringIO(asc(*model, loud, "--every", "1s", "--format", "csv").out, newline="")))
    assert [(row["begin"], row["end"]) for row in rows] == [("0.0", "1.0"), ("1.0", "2.0"), ("1.5", "2.5")]
    assert all(row["file"] == str(loud) for row in rows)
    told = [json.loads(line) for line in asc(*model, recordings, "--every", "1s", "--json").out.splitlines()]
    assert [(each["begin"], each["end"]) for each in told] == [(0, 0.3), (0, 1), (1, 2), (1.5, 2.5), (0, 1)]
    _, *lines = asc(*model, loud, "--every", "2s").out.splitlines()
    assert [line.split("s ")[0].split() for line in lines] == [["0.00", "–", "1.00"], ["1.50", "–", "2.50"]]
    whole = next(csv.reader(io.StringIO(asc(*model, loud, "--format", "csv").out, newline="")))
    assert "begin" not in whole


@pytest.mark.parametrize("every", ["0s", "0.001", "often"])
def test_a_step_that_is_none_is_one_line(asc: Callable, model: tuple[str, ...], recordings: Path, every: str) -> None:
    done = asc(*model, recordings, "--every", every)
    assert done.code == 2
    assert len(done.err.splitlines()) == 1
    assert f"--every {every}" in done.err
