"""``asc study`` through the command line, as somebody meets it for the first time."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest


@pytest.mark.parametrize(
    ("command", "what", "following"),
    [
        (("study", "list"), "no study yet", "next: asc study run studies/quickstart.yaml --corpus DIR"),
        (("teacher", "list"), "no teacher yet", "next: asc teacher train --arch cp_resnet --corpus DIR"),
    ],
)
def test_list_of_nothing_says_how_to_come_to_something(
    asc: Callable, workspace: Path, command: tuple[str, ...], what: str, following: str
) -> None:
    result = asc(*command, "--workspace", workspace)
    assert result.code == 0, result.err
    assert result.out.startswith(what)
    assert result.out.splitlines()[-1] == f"{following} --workspace {workspace}"
    assert json.loads(asc(*command, "--json", "--workspace", workspace).out) == []


def test_study_that_learned_nothing_is_not_to_be_registered_next(
    asc: Callable, study_file: Callable[..., Path], synth_corpus: Path, workspace: Path
) -> None:
    student = "{base_channels: 8, augment: none, epochs: 1, batch_size: 64, learning_rate: 2e-5}"
    file, at = study_file(trials="1", student=student), ("--workspace", workspace)
    done = asc("study", "run", file, "--corpus", synth_corpus, *at)
    assert done.code == 0, done.err
    assert "Nothing was learned" in done.out
    assert "None" not in done.out
    following = [line.split()[2:4] for line in done.out.splitlines() if line.startswith("next: ")]
    assert following == [["report", "tiny"], ["ui", "--workspace"]]
    assert asc("register", "tiny", *at).code == 2, "it would be refused"


def test_help_names_first_what_one_begins_with(asc: Callable) -> None:
    lines = [line.strip("│ ").split() for line in asc("--help").out.splitlines() if line.startswith("│ ")]
    commands = [words[0] for words in lines if words and words[0].isalpha() and len(words) > 1]
    first = ["demo", "corpus", "study", "report", "register", "predict", "ui"]
    assert [name for name in commands if name in first] == first
    assert commands.index("bench") > commands.index("ui")
