"""``asc report`` on a real study."""

import csv
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Asc = Callable[..., Any]


def test_every_format_is_printed_or_written(asc: Asc, studied: Path, tmp_path: Path) -> None:
    where = ("--workspace", studied)
    assert "best first" in asc("report", "tiny", *where).out
    assert asc("report", "tiny", "--format", "md", *where).out.startswith("**Nothing was learned")
    facts = json.loads(asc("report", "tiny", "--json", *where).out)
    assert facts == json.loads(asc("report", "tiny", "--format", "json", *where).out)
    assert [row["kind"] for row in facts["rows"]] == ["student", "student", "teacher"]
    rows = list(csv.DictReader(asc("report", "tiny", "--format", "csv", *where).out.splitlines()))
    assert [row["kind"] for row in rows] == ["student", "student", "teacher"]
    for name in ("a.html", "a.md", "a.csv", "a.json", "a.txt"):
        result = asc("report", "tiny", "-o", tmp_path / name, *where)
        assert (result.code, result.out) == (0, f"{tmp_path / name}\n")
    assert (tmp_path / "a.html").read_text().startswith("<!doctype html>")
    assert len({path.read_bytes() for path in tmp_path.iterdir()}) == 5


def test_page_goes_into_this_folder_where_no_file_is_named(
    asc: Asc, studied: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert asc("report", "tiny", "--format", "html", "--workspace", studied).out == "tiny.html\n"
    assert "Nothing was learned" in (tmp_path / "tiny.html").read_text(), "in one epoch, by one student per trial"


def test_nothing_is_written_where_it_cannot_be(asc: Asc, studied: Path, tmp_path: Path) -> None:
    result = asc("report", "tiny", "-o", tmp_path / "nowhere" / "a.html", "--workspace", studied)
    assert result.code == 2
    assert result.err == f"error: {tmp_path}/nowhere: no such folder; make it, or give another file: -o FILE\n"


def test_unknown_study_among_several_is_named(asc: Asc, studied: Path, tmp_path: Path) -> None:
    result = asc("report", "tiny", "tinny", "-o", tmp_path / "a.html", "--workspace", studied)
    assert result.code == 2
    assert "study 'tinny': is not in the tracking server; did you mean 'tiny'?" in result.err
    assert list(tmp_path.iterdir()) == []


def test_table_does_not_wait_for_what_only_trainings_and_pages_need() -> None:
    code = (
        "import sys; import asc_experiments.report.writing\n"
        "print([m for m in ('torch', 'scipy.stats', 'sklearn', 'matplotlib', 'plotly') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("command", [["teacher", "list"], ["study", "status", "tiny"], ["study", "list"]])
def test_command_that_lists_waits_neither_for_pytorch_nor_for_mlflow(studied: Path, command: list[str]) -> None:
    code = (
        "import sys; from asc_experiments.cli.main import main\n"
        "try: main()\n"
        "finally: print([m for m in ('torch', 'mlflow', 'sklearn', 'matplotlib', 'plotly') if m in sys.modules])"
    )
    words = [sys.executable, "-c", code, *command, "--workspace", str(studied)]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    assert "tiny" in done.stdout or "cp_mobile-8-dirfms-s0" in done.stdout
    assert done.stdout.splitlines()[-1] == "[]"
