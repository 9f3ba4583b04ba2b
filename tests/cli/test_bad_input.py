"""Bad input gets one line that names file and remedy, exit code 2, and leaves no run and no trial behind."""

import shutil
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from asc_experiments.models import ARCHITECTURES

META = "meta.csv"
TRAIN = "evaluation_setup/fold1_train.csv"
TEST = "evaluation_setup/fold1_evaluate.csv"


def first_clip(corpus: Path) -> Path:
    return corpus / (corpus / TRAIN).read_text().splitlines()[1].split("\t")[0]


def write_clip(corpus: Path, samples: np.ndarray, rate: int = 44_100, subtype: str = "PCM_16") -> str:
    soundfile.write(first_clip(corpus), samples, rate, subtype=subtype)
    return first_clip(corpus).name


def no_meta(corpus: Path) -> str:
    (corpus / META).unlink()
    return META


def missing_clip(corpus: Path) -> str:
    name = first_clip(corpus).name
    first_clip(corpus).unlink()
    return name


def truncated(corpus: Path) -> str:
    clip = first_clip(corpus)
    clip.write_bytes(clip.read_bytes()[:20_001])
    return clip.name


def empty(corpus: Path) -> str:
    first_clip(corpus).write_bytes(b"")
    return first_clip(corpus).name


def stereo(corpus: Path) -> str:
    return write_clip(corpus, np.full((44_100, 2), 0.1))


def slow(corpus: Path) -> str:
    return write_clip(corpus, np.full(8_000, 0.1), rate=8_000)


def not_a_number(corpus: Path) -> str:
    samples = np.full(44_100, 0.1)
    samples[7] = np.nan
    return write_clip(corpus, samples, subtype="FLOAT")


def silent(corpus: Path) -> str:
    return write_clip(corpus, np.zeros(44_100))


def unknown_scene(corpus: Path) -> str:
    table = (corpus / TRAIN).read_text()
    (corpus / TRAIN).write_text(table.replace("\tairport\n", "\tairprot\n", 1))
    return TRAIN


def in_both_folds(corpus: Path) -> str:
    row = (corpus / TRAIN).read_text().splitlines()[1]
    with (corpus / TEST).open("a") as file:
        file.write(row + "\n")
    return row.split("\t")[0]


def outside(corpus: Path) -> str:
    shutil.copy(first_clip(corpus), corpus.parent / "secret.wav")
    with (corpus / META).open("a") as file:
        file.write("../secret.wav\tairport\tsynthville-1\ta\n")
    return "../secret.wav"


DAMAGES = [
    no_meta, missing_clip, truncated, empty, stereo, slow, not_a_number, silent, unknown_scene, in_both_folds, outside,
]  # fmt: skip


def nothing_was_begun(workspace: Path) -> bool:
    from asc_experiments.tracking import Tracking

    database = workspace / "mlruns" / "mlflow.db"
    journal = workspace / "studies" / "optuna.journal"
    no_trials = not journal.exists() or not journal.read_text()
    if not database.exists():
        return no_trials
    tracking = Tracking.open(workspace)
    return no_trials and not any(
        tracking.search([experiment.experiment_id]) for experiment in tracking.client.search_experiments()
    )


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
@pytest.mark.parametrize("command", ["study", "teacher", "student"])
def test_broken_corpus_is_one_line_and_leaves_nothing(
    asc: Callable, corpus_copy: Path, workspace: Path, study_file: Callable, damage: Callable, command: str
) -> None:
    named = damage(corpus_copy)
    commands = {
        "study": ["study", "run", study_file()],
        "teacher": ["teacher", "train", "--arch", "cp_mobile"],
        "student": ["student", "train"],
    }
    result = asc(*commands[command], "--corpus", corpus_copy, "--workspace", workspace)
    assert result.code == 2
    lines = [line for line in result.err.splitlines() if line.startswith("error: ")]
    assert len(lines) == 1, result.err
    assert named in lines[0]
    assert "; " in lines[0], "a remedy follows"
    assert "Traceback" not in result.err
    assert nothing_was_begun(workspace)


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
def test_check_lists_the_problem(asc: Callable, corpus_copy: Path, damage: Callable) -> None:
    named = damage(corpus_copy)
    result = asc("corpus", "check", corpus_copy)
    assert result.code == 2
    assert any(line.startswith("problem: ") and named in line for line in result.err.splitlines()), result.err


def test_check_lists_all_problems_at_once(asc: Callable, corpus_copy: Path) -> None:
    in_both_folds(corpus_copy)
    truncated(corpus_copy)
    result = asc("corpus", "check", corpus_copy)
    assert "promises" in result.err
    assert "both folds" in result.err


def test_healthy_corpus_passes_the_check(asc: Callable, synth_corpus: Path) -> None:
    result = asc("corpus", "check", synth_corpus)
    assert result.code == 0, result.err
    assert "is in order" in result.out


@pytest.mark.parametrize(
    ("replaced", "message"),
    [
        ({"trails": "3"}, "did you mean 'trials'?"),
        ({"ensemble": "{size: 1, pool: []}"}, "ensemble.pool"),
        ({"objective": "{metric: accuracy/macros}"}, "did you mean 'accuracy/macro'?"),
    ],
    ids=["unknown key", "empty pool", "unknown metric"],
)
def test_broken_study_file_is_one_line_and_leaves_nothing(
    asc: Callable, synth_corpus: Path, workspace: Path, study_file: Callable, replaced: dict[str, str], message: str
) -> None:
    path = study_file(**replaced)
    if "ensemble" in replaced:
        path.write_text("\n".join(line for line in path.read_text().splitlines() if not line.startswith(" ")))
    result = asc("study", "run", path, "--corpus", synth_corpus, "--workspace", workspace)
    assert result.code == 2
    errors = [line for line in result.err.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1
    assert message in errors[0]
    assert nothing_was_begun(workspace)


@pytest.mark.parametrize("command", ["study", "teacher", "student"])
def test_clips_that_a_network_cannot_take_are_one_line_and_leave_nothing(
    asc: Callable,
    synth_corpus: Path,
    workspace: Path,
    study_file: Callable,
    command: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """PaSST hears ten seconds at most: here half a second, so that the test is quick."""
    arch = "cp_mobile" if command == "student" else "passt"
    monkeypatch.setattr(type(ARCHITECTURES[arch]), "most_frames", 30)
    study = study_file()
    study.write_text(study.read_text().replace("{arch: cp_resnet, base_channels: 10}", "{arch: passt, size: xxs}"))
    commands = {
        "study": ["study", "run", study],
        "teacher": ["teacher", "train", "--arch", "passt"],
        "student": ["student", "train"],
    }
    result = asc(*commands[command], "--corpus", synth_corpus, "--workspace", workspace)
    assert result.code == 2
    (line,) = (line for line in result.err.splitlines() if line.startswith("error: "))
    assert f"{arch} takes clips of at most 0." in line
    assert f"those of {synth_corpus} last 1 s; cut them with asc corpus import" in line
    assert nothing_was_begun(workspace)


def test_server_that_does_not_answer_is_one_line(
    asc: Callable, synth_corpus: Path, workspace: Path, study_file: Callable
) -> None:
    with socket.socket() as unanswered:
        unanswered.bind(("127.0.0.1", 0))
        uri = f"http://127.0.0.1:{unanswered.getsockname()[1]}"
        result = asc(
            "study", "run", study_file(), "--corpus", synth_corpus, "--workspace", workspace, "--tracking-uri", uri
        )
    assert result.code == 2
    assert [line for line in result.err.splitlines() if "does not answer" in line and uri in line]
    assert nothing_was_begun(workspace)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["teacher", "train", "--arch", "cp_mobil"], "did you mean 'cp_mobile'?"),
        (["teacher", "train", "--arch", "passt", "--augment", "dirfm"], "did you mean 'dirfms'?"),
        (["teacher", "train", "--arch", "passt", "--set", "epoch=3"], "did you mean 'epochs'?"),
        (["teacher", "train", "--arch", "passt", "--set", "epochs"], "key=value"),
        (["teacher", "train", "--arch", "passt", "--set", "epochs=many"], "'epochs' is 'many'"),
        (["teacher", "train", "--arch", "passt", "--set", "num_heads=7"], "not a multiple of num_heads"),
        (["student", "train", "--set", "temperature=0"], "temperature"),
        (["student", "train", "--teachers", "deadbeef"], "asc teacher list"),
    ],
)
def test_wrong_settings_are_one_line_and_leave_nothing(
    asc: Callable, synth_corpus: Path, workspace: Path, arguments: list[str], message: str
) -> None:
    result = asc(*arguments, "--corpus", synth_corpus, "--workspace", workspace)
    assert result.code == 2
    errors = [line for line in result.err.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1, result.err
    assert message in errors[0]
    assert nothing_was_begun(workspace)


@pytest.mark.parametrize(
    "arguments",
    [
        ["study", "status", "nothing"], ["report", "nothing"], ["register", "nothing"],
        ["predict", "models:/asc-student@champion", "/nowhere"], ["corpus", "prepare", "/nowhere"],
    ],
)  # fmt: skip
def test_things_that_do_not_exist_are_one_line(asc: Callable, workspace: Path, arguments: list[str]) -> None:
    result = asc(*arguments, "--workspace", workspace)
    assert result.code == 2
    assert len([line for line in result.err.splitlines() if line.startswith("error: ")]) == 1, result.err


def test_the_real_program_exits_with_2(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "asc_experiments", "corpus", "prepare", str(tmp_path / "nowhere")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith(f"error: {tmp_path / 'nowhere'}: no such folder; ")
