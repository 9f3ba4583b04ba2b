"""A password in an address or the environment is not printed, not stored, and not on any command line of ours."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from asc_experiments.base.errors import AscError, harmless, without_secrets
from asc_experiments.tracking.ui.server import HOST
from tests.tracking.ui.test_server import free_port, server, wait_until_healthy

SECRET = "hunter2-and-more"
__all__ = ["server"]  # a fixture, for pytest


def commands(workspace: Path) -> list[list[object]]:
    """One command of each kind that speaks with a server or a storage."""
    where = ["--workspace", workspace]
    return [
        ["teacher", "list", *where], ["study", "list", *where], ["report", "x", *where], ["register", "x", *where],
        ["model", "card", "models:/x@champion", *where], ["study", "status", "x", *where], ["ui", *where],
    ]  # fmt: skip


@pytest.mark.parametrize(
    "uri",
    [
        f"http://user:{SECRET}@127.0.0.1:9", f"postgresql+psycopg://user:{SECRET}@127.0.0.1:9/runs",
        f"postgresql+psycopg://127.0.0.1:9/runs?user=u&password={SECRET}", f"postgresql://u:{SECRET}/x@127.0.0.1:9/runs",
        f"nonsense://user:{SECRET}@127.0.0.1:9", f"http://user:{SECRET}@[::1", f"sqlite:///{SECRET}?password={SECRET}",
    ],
)  # fmt: skip
@pytest.mark.parametrize("option", ["--tracking-uri", "--storage"])
def test_address_that_does_not_answer_is_named_without_its_password(
    asc: Callable, workspace: Path, tmp_path: Path, option: str, uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ASC_TRACKING_PATIENCE", "0")
    command = commands(workspace)[0 if option == "--tracking-uri" else 1]
    result = asc(*command, option, uri)
    shown = result.out + result.err
    if not uri.startswith("sqlite"):  # that one is a file, of which the path is no secret
        assert result.code == 2, shown
        assert SECRET not in shown
    assert f"password={SECRET}" not in shown
    assert "Traceback" not in shown


@pytest.mark.parametrize(
    "arguments",
    [["--help"], ["study", "run", "--help"], ["ui", "--help"], ["report", "--help"], ["register", "--help"]],
)
def test_help_does_not_show_what_the_environment_says(
    asc: Callable, arguments: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("MLFLOW_TRACKING_URI", "ASC_STORAGE"):
        monkeypatch.setenv(name, f"postgresql+psycopg://user:{SECRET}@example.org/x")
    result = asc(*arguments)
    assert result.code == 0
    assert SECRET not in result.out + result.err


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (
            "cannot open postgresql+psycopg://u:p@h:5432/x (refused)",
            "cannot open postgresql+psycopg://h:5432/x (refused)",
        ),
        ("http://u@h and https://v:w@i/a@b", "http://h and https://i/a@b"),
        ("models:/asc-student@champion", "models:/asc-student@champion"),
        ("s3://bucket/a?x=1&password=secret&y=2", "s3://bucket/a?x=1&password=…&y=2"),
        ("a\x1b[31mb\x07\r\nc", "a\\x1b[31mb\\x07 c"),
    ],
)
def test_text_is_made_harmless(text: str, shown: str) -> None:
    assert harmless(text) == shown
    assert AscError(text, text).line() == f"{shown}: {shown}"


def test_address_is_shown_without_user_password_and_query() -> None:
    assert without_secrets(f"postgresql://u:{SECRET}@h:1/x?password={SECRET}") == "postgresql://h:1/x"
    assert without_secrets(f"http://u:{SECRET}/p@h/x") == "http://h/x", "an unescaped slash"


def everything_in(folder: Path) -> Iterator[tuple[Path, bytes]]:
    for path in folder.rglob("*"):
        if path.is_file():
            yield path, path.read_bytes()


def test_nothing_that_is_stored_holds_the_password(
    asc: Callable, server: str, synth_corpus: Path, empty_workspace: Path, study_file: Callable, tmp_path: Path,
    cache: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """Runs, tags, notes, model cards, reports, journals, checkpoints: of a study, its registration and its report."""
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "user")
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", SECRET)
    uri = server.replace("http://", f"http://user:{SECRET}@")
    where = ("--workspace", empty_workspace, "--tracking-uri", uri)
    shown = ""
    for command in (
        ["study", "run", study_file(), "--corpus", synth_corpus, "--trials", 1],
        ["register", "tiny", "--allow-chance"],
        ["model", "card", "models:/asc-student@champion"],
        ["report", "tiny", "--format", "html", "-o", tmp_path / "page.html"],
        ["report", "tiny", "--json"],
        ["teacher", "list"],
    ):
        result = asc(*command, *where)
        assert result.code == 0, result.err
        shown += result.out + result.err
    assert SECRET not in shown
    assert (tmp_path / "page.html").stat().st_size > 10_000
    assert (tmp_path / "server.db").stat().st_size > 100_000
    for folder in (tmp_path, empty_workspace, cache):
        assert [path for path, content in everything_in(folder) if SECRET.encode() in content] == []


def test_no_command_line_of_the_ui_holds_the_address_of_the_database(workspace: Path) -> None:
    """SQLite has no password; something behind the question mark stands for one."""
    port, optuna_port = free_port(), free_port()
    uri = f"sqlite:///{workspace}/mlruns/mlflow.db?timeout=61"
    command = [sys.executable, "-m", "asc_experiments", "ui", "--port", str(port), "--optuna-port", str(optuna_port)]
    environment = os.environ | {"MLFLOW_TRACKING_URI": uri, "ASC_WORKSPACE": str(workspace)}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment, text=True)
    try:
        wait_until_healthy(f"http://{HOST}:{port}")
        family = [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]
        lines = [" ".join(member.cmdline()) for member in family]
        assert any("mlflow server" in line for line in lines)
        assert any(member.environ().get("MLFLOW_BACKEND_STORE_URI") == uri for member in family), "it was told"
        assert [line for line in lines if "timeout=61" in line] == []
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=30) in (0, 143)
    finally:
        process.kill()
    assert process.stdout is not None
    assert "timeout=61" not in process.stdout.read()
