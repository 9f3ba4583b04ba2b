"""`asc demo` runs the program's own commands, shows each, and resumes where it was."""

from collections.abc import Callable
from pathlib import Path

import pytest

from asc_experiments.study.definition import bundled_studies as shipped


@pytest.fixture
def small(study_file: Callable, monkeypatch: pytest.MonkeyPatch, workspace: Path) -> None:
    """A quickstart of one trial that trains in seconds stands for the real one, which `make release-check` runs.

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
        f"$ asc study run studies/quickstart.yaml --corpus {synth_corpus}",
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
