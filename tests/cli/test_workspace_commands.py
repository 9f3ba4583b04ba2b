"""``asc workspace``: what it says, and what it refuses in one line."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from asc_experiments.tracking import Tracking


def test_a_moved_workspace_is_put_right_and_told_how(asc: Callable, workspace: Path, tracking: Tracking) -> None:
    experiment = tracking.experiment("teachers")
    with tracking.run(experiment, "first", "teacher") as run:
        run.content(b"x", "folder/x")
    new = workspace.rename(workspace.parent / "new")
    command = ("workspace", "relocate", "--workspace", new)
    told = asc(*command, "--dry-run")
    assert (told.code, told.out.splitlines()[0]) == (0, "2 paths would be rewritten (1 in experiments, 1 in runs)")
    assert json.loads(asc(*command, "--json").out) == {
        "before": [str(workspace)], "after": str(new), "rewritten": True, "paths": {"experiments": 1, "runs": 1},
    }  # fmt: skip
    assert asc(*command).out == f"nothing to do: every path leads into {new}\n"


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("relocate", "--workspace", "nowhere"), "no such file; give the workspace that was moved"),
        (("relocate", "--tracking-uri", "http://127.0.0.1:1"), "is not the workspace's own database"),
        (("export", "x.zip"), "is no name of an archive"),
        (("export", "x.tar", "--study", "none"), "study 'none': does not exist here"),
        (("import", "missing.tar"), "no such file; write one with `asc workspace export`"),
        (("import", "setup.cfg"), "is damaged, or no archive"),
    ],
)
def test_what_cannot_be_done_is_one_line_and_nothing_is_left(
    asc: Callable, empty_workspace: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], line: str
) -> None:
    monkeypatch.chdir(empty_workspace)
    (empty_workspace / "setup.cfg").write_text("[metadata]")
    result = asc("workspace", *arguments)
    assert result.code == 2
    assert result.err.startswith("error: ")
    assert result.err.count("\n") == 1
    assert line in result.err
    assert not list(empty_workspace.glob("*.tar*"))
    assert not (empty_workspace / "mlruns").exists()


@pytest.mark.parametrize("command", ["relocate", "export", "import"])
def test_every_command_helps_with_an_example(asc: Callable, command: str) -> None:
    result = asc("workspace", command, "--help")
    assert result.code == 0
    assert f"Example: asc workspace {command}" in result.out
