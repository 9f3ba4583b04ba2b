"""What commands share."""

import gc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from asc_experiments.cli.options import ends_soon
from tests.study.conftest import answers, driver

__all__ = ["answers", "driver"]


@pytest.mark.parametrize("fails", [False, True])
def test_command_that_ends_soon_collects_no_garbage_and_leaves_the_collector_as_it_was(fails: bool) -> None:
    collecting = []

    @ends_soon
    def command() -> None:
        collecting.append(gc.isenabled())
        if fails:
            raise KeyError

    for enabled in (True, False):
        (gc.enable if enabled else gc.disable)()
        try:
            command()
        except KeyError:
            assert fails
        assert gc.isenabled() == enabled
    gc.enable()
    assert collecting == [False, False]


@pytest.fixture
def finished(driver: Callable, answers: object) -> None:
    """The study ``tiny``, all of whose trials are done."""
    driver().run()


def test_next_commands_carry_the_options_that_were_typed_where_they_have_them(
    asc: Callable, synth_corpus: Path, study_file: Callable, workspace: Path, tmp_path: Path, finished: None
) -> None:
    runs, studies = f"sqlite:///{workspace}/mlruns/mlflow.db", workspace / "studies" / "optuna.journal"
    given = ["--workspace", workspace, "--tracking-uri", runs, "--storage", studies, "--dirs", synth_corpus / "dirs"]
    done = asc("study", "run", study_file(), "--corpus", synth_corpus, *given)
    assert done.code == 0, done.err
    with_runs = f"--workspace {workspace} --tracking-uri {runs}"
    assert [line for line in done.out.splitlines() if line.startswith("next: ")] == [
        f"next: asc report tiny --format html {with_runs}",
        f"next: asc register tiny {with_runs}",
        f"next: asc ui {with_runs} --storage {studies}",
    ]
    made = asc("corpus", "synth", tmp_path / "made", "--clips-per-scene", 20)
    assert made.out.endswith(f"next: asc corpus check {tmp_path / 'made'}\n")


def test_next_command_after_a_plan_is_that_very_study(
    asc: Callable, synth_corpus: Path, study_file: Callable, workspace: Path
) -> None:
    changed = ["--trials", 2, "--set", "student.epochs=1", "--set", "name=other"]
    command = ["--corpus", synth_corpus, *changed, "--workspace", workspace]
    planned = asc("study", "plan", study_file(), *command)
    assert planned.out.splitlines()[-1] == f"next: asc study run {study_file()} {' '.join(map(str, command))}"


def test_what_the_environment_says_is_not_repeated(
    asc: Callable, workspace: Path, finished: None, study_file: Callable, synth_corpus: Path, monkeypatch: Any
) -> None:
    monkeypatch.setenv("ASC_WORKSPACE", str(workspace))
    done = asc("study", "run", study_file(), "--corpus", synth_corpus)
    assert "next: asc register tiny\n" in done.out
