"""`asc demo` runs the program's own commands, shows each, resumes where it was, and shows what teachers are for."""

import os
import resource
import shlex
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from asc_experiments.report.analysis.runner_up_margin import Worth
from asc_experiments.report.writing import find
from asc_experiments.study.definition import bundled_studies as shipped
from asc_experiments.tracking import Tracking

_CPU_SECONDS = 2 * 4 * 60
"""Of four minutes of two cores."""


@pytest.fixture
def small(study_file: Callable, monkeypatch: pytest.MonkeyPatch, workspace: Path) -> None:
    """A quickstart of one trial that trains in seconds stands for the real one, which `make nightly` runs.

    Its student learns from the labels as long as it takes to do more than guess: else it would not be registered.
    """
    student = "{base_channels: 8, epochs: 12, batch_size: 16, learning_rate: 4e-3, augment: none}"
    path = study_file(name="quickstart", trials="1", student=student, distillation="{label_weight: 0.9}")
    monkeypatch.setattr(shipped, "shipped_studies", lambda: {"quickstart": path})
    monkeypatch.chdir(workspace)


@pytest.mark.usefixtures("small")
def test_demo_is_the_commands_that_it_shows_and_ends_with_the_next_ones(asc: Callable, synth_corpus: Path) -> None:
    result = asc("demo", synth_corpus)
    assert result.code == 0, result.err
    assert [line for line in result.out.splitlines() if line.startswith("$ ")] == [
        f"$ asc study run studies/quickstart.yaml --corpus {synth_corpus} --workers 2",
        "$ asc register quickstart",
    ]
    assert "student of quickstart" in result.out
    end = result.out[result.out.rindex("\nquickstart: ") + 1 :].splitlines()
    assert end[1] == "accuracy in % on the test fold, best first"
    assert max(map(len, end[1:-4])) <= 80, "the table"
    assert end[-4:] == [
        "next:",
        "  asc report quickstart --format html",
        f"  asc predict models:/asc-student@champion {synth_corpus}/audio",
        "  asc ui",
    ]
    for line in end[-3:-1]:
        assert asc(*line.split()[1:]).code == 0, "it runs as it is printed"
    again = asc("demo", synth_corpus)
    assert again.code == 0, again.err
    assert "epochs" not in again.err, "nothing is trained twice"


@pytest.mark.usefixtures("small")
def test_demo_passes_on_where_things_are_and_hides_passwords(
    asc: Callable, synth_corpus: Path, tmp_path: Path, workspace: Path
) -> None:
    uri = f"sqlite:///{workspace}/mlruns/mlflow.db?password=hunter2"
    result = asc("demo", synth_corpus, "--workspace", tmp_path / "other", "--tracking-uri", uri)
    assert result.code == 0, result.err
    assert f"asc ui --workspace {tmp_path / 'other'} --tracking-uri" in result.out
    assert "hunter2" not in result.out + result.err
    assert (tmp_path / "other" / "studies" / "optuna.journal").exists()


@pytest.mark.usefixtures("small")
def test_demo_stops_at_the_first_command_that_fails(asc: Callable, tmp_path: Path) -> None:
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "meta.csv").write_text("no table\n")
    result = asc("demo", tmp_path / "broken")
    assert result.code == 2
    assert "$ asc register" not in result.out
    assert len([line for line in result.err.splitlines() if line.startswith("error: ")]) == 1


@pytest.mark.nightly
@pytest.mark.timeout(3600)
def test_demo_shows_what_teachers_are_for_in_four_minutes_of_two_cores(tmp_path: Path) -> None:
    """The claims of README and tutorial, of the demo as it is; time in seconds of processors, however busy they are."""
    environment = os.environ | {"ASC_CACHE": str(tmp_path / "cache"), "COLUMNS": "80"}
    began, before = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [sys.executable, "-m", "asc_experiments", "demo"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    print(f"{spent:.0f} seconds of processors in {time.monotonic() - began:.0f} s\n{done.stdout}")

    (findings,) = find(Tracking.open(tmp_path), ["quickstart"])
    students = {row["name"]: row["overall"] for row in findings.comparison.rows if row["kind"] == "student"}
    teachers = {
        row["name"].split("-")[0]: row["overall"] for row in findings.comparison.rows if row["kind"] == "teacher"
    }
    assert teachers.keys() == {"cp_mobile", "cp_resnet", "passt"}
    assert min(teachers.values()) >= 0.6, f"every teacher knows something: {teachers}"
    assert max(teachers.values()) > students["trial 0"], "some know more than the student on labels alone"
    assert findings.answer is not None
    assert findings.answer.lead.worth is Worth.SHOWN, findings.heading
    assert findings.heading.startswith("The ensemble ")
    assert findings.heading.endswith("teaches better than labels alone do; no other teachers were tried")
    assert "models:/asc-student@champion" in done.stdout

    end = done.stdout[done.stdout.rindex("\nquickstart: ") + 1 :].splitlines()
    assert max(map(len, end[1:-4])) <= 80, "the table"
    for line in end[-3:-1]:  # the last one serves until it is stopped
        words = shlex.split(line)
        again = subprocess.run(words, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
        assert again.returncode == 0, again.stderr
    assert spent <= _CPU_SECONDS
