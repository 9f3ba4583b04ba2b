"""Errors, hashes, ownership, YAML and progress."""

import os
import pickle
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import Field
from rich.text import Text

from asc_experiments.base import progress as progress_module
from asc_experiments.base.errors import AscError, Problem, ProblemsError, check_all, nearest, without_secrets
from asc_experiments.base.hashing import digest_bytes, digest_file, digest_json
from asc_experiments.base.ownership import is_gone, this_process
from asc_experiments.base.progress import in_file, progress
from asc_experiments.base.settings import Settings
from asc_experiments.base.yaml import parse_assignments, parse_yaml, read_yaml


class Inner(Settings):
    epochs: int = Field(3, ge=1)


class Outer(Settings):
    inner: Inner = Inner()
    name: str


@settings(max_examples=40)
@given(st.text(), st.text(), st.text())
def test_error_is_one_line_whatever_it_is_made_of(where: str, what: str, remedy: str) -> None:
    assert len(AscError(where, what, remedy).line().splitlines()) <= 1


def test_several_problems_name_the_first_and_count_the_rest() -> None:
    error = ProblemsError([Problem("a", "is bad", "correct it"), Problem("b", "too", "")], "asc corpus check x")
    assert error.line() == "a: is bad; correct it (and 1 more: asc corpus check x)"


def test_nearest_name_is_offered_or_all_of_them() -> None:
    assert nearest("epoch", ["epochs", "seed"]) == "did you mean 'epochs'?"
    assert nearest("zzz", ["epochs", "seed"]) == "valid: epochs, seed"


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"name": "x", "inner": {"epoch": 3}}, "file: unknown key 'inner.epoch'; did you mean 'epochs'?"),
        ({"inner": {}}, "file: key 'name' is missing; add it"),
        ({"name": 3}, "file: 'name' is 3; give a text (a number in quotes)"),
        ({"name": "x", "inner": {"epochs": 0}}, "file: 'inner.epochs' is 0; give at least 1"),
        (
            {"name": "x", "inner": None},
            "file: 'inner' is empty; give a group of settings, as key: value; valid: epochs",
        ),
        ("text", "file: is 'text'; give a group of settings, as key: value; valid: inner, name"),
    ],
)
def test_wrong_setting_is_explained_in_one_line(values: object, message: str) -> None:
    with pytest.raises(AscError) as caught:
        Outer.parse(values, "file")
    assert caught.value.line() == message


def test_all_wrong_settings_are_told_at_once_each_in_a_line() -> None:
    with pytest.raises(AscError) as caught:
        Outer.parse({"name": 3, "inner": {"epochs": 0, "epoch": 1}}, "file")
    assert [each.line() for each in caught.value.each()] == [
        "file: 'inner.epochs' is 0; give at least 1",
        "file: unknown key 'inner.epoch'; did you mean 'epochs'?",
        "file: 'name' is 3; give a text (a number in quotes)",
    ]
    assert caught.value.line() == "file: 'inner.epochs' is 0; give at least 1 (and 2 more)"
    assert pickle.loads(pickle.dumps(caught.value)).line() == caught.value.line(), "they travel between processes"


def test_checks_are_all_done_and_their_errors_told_together_each_once() -> None:
    done = []

    def check(number: int) -> None:
        done.append(number)
        if number:
            raise AscError("x", f"is wrong {number % 2}")

    with pytest.raises(AscError) as caught:
        check_all(partial(check, number) for number in (0, 1, 2, 3))
    assert done == [0, 1, 2, 3]
    assert [each.line() for each in caught.value.each()] == ["x: is wrong 1", "x: is wrong 0"]


def test_digest_does_not_depend_on_the_order_of_keys() -> None:
    assert digest_json({"a": 1, "b": 2}) == digest_json({"b": 2, "a": 1})
    assert digest_json({"a": 1}) != digest_json({"a": 2})
    with pytest.raises(ValueError, match="Out of range"):
        digest_json(float("nan"))


def test_digest_of_a_file_is_that_of_its_bytes(tmp_path: Path) -> None:
    data = bytes(range(256)) * 5_000  # more than one piece
    (tmp_path / "x").write_bytes(data)
    assert digest_file(tmp_path / "x") == digest_bytes(data)
    assert digest_file(tmp_path / "x") != digest_bytes(data[:-1])
    assert len(digest_file(tmp_path / "x", 12)) == 12


def test_process_is_alive_until_it_is_gone() -> None:
    assert not is_gone(this_process())
    code = "from asc_experiments.base.ownership import this_process; print(this_process())"
    finished = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert is_gone(finished.stdout.strip())


def test_process_number_used_again_is_not_mistaken() -> None:
    host, pid, start = this_process().split(":")
    assert is_gone(f"{host}:{pid}:1{start}")
    assert is_gone(f"{host}:{pid}:{start.partition('@')[0]}@01234567"), "after another boot, as older versions say"
    assert not is_gone(f"{host}:{pid}:{start}")


def test_process_on_another_host_counts_as_alive_and_nonsense_as_gone() -> None:
    assert not is_gone("elsewhere:1:1")
    host = this_process().split(":")[0]
    assert all(is_gone(owner) for owner in (None, "", "x", "a:b", f"{host}:x:1", f"{host}:1:y", f"{host}:-1:1"))


def test_process_that_was_never_waited_for_is_gone_when_it_has_ended() -> None:
    code = "from asc_experiments.base.ownership import this_process; print(this_process())"
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    owner = process.stdout.read().strip()  # ends with the process, which stays a zombie until it is waited for
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert is_gone(owner)
    process.wait()


@pytest.mark.parametrize(
    ("text", "value"), [("2e-3", 0.002), ("-1E5", -1e5), ("3", 3), ("1.5", 1.5), ("[a, 2e3]", ["a", 2e3]), ("e3", "e3")]
)
def test_numbers_in_yaml_are_what_people_mean(text: str, value: object) -> None:
    assert parse_yaml(text, "x") == value


def test_yaml_makes_no_objects() -> None:
    with pytest.raises(AscError, match="not valid YAML"):
        parse_yaml("!!python/object/apply:os.system ['true']", "x")


@pytest.mark.parametrize("text", ["date: 2024-02-30", "!!int abc", "!!bool x", "!!timestamp x"])
def test_yaml_with_an_impossible_value_is_a_clear_error(text: str) -> None:
    with pytest.raises(AscError, match="not valid YAML"):
        parse_yaml(text, "study.yaml")


def test_broken_yaml_names_the_line() -> None:
    with pytest.raises(AscError, match=r"study\.yaml line 2: is not valid YAML") as caught:
        parse_yaml("a: 1\nb: c: d\n", "study.yaml")
    assert len(caught.value.line().splitlines()) == 1


def test_yaml_file_that_cannot_be_read_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "latin.yaml").write_bytes("name: Übung".encode("latin-1"))
    for name, message in (("nowhere.yaml", "no such file"), ("latin.yaml", "UTF-8"), (".", "cannot be read")):
        with pytest.raises(AscError, match=message):
            read_yaml(tmp_path / name)
    (tmp_path / "good.yaml").write_text("rate: 2e-3", encoding="utf-8")
    assert read_yaml(tmp_path / "good.yaml") == {"rate": 0.002}


def test_assignments_are_read_as_yaml() -> None:
    assert parse_assignments(["a=1", "b.c=[x, y]", "d==="]) == {"a": 1, "b.c": ["x", "y"], "d": "=="}
    for wrong in ("epochs", "=3"):
        with pytest.raises(AscError, match="key=value"):
            parse_assignments([wrong])


def test_progress_is_plain_lines_with_the_time_left_where_there_is_no_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter(range(0, 1_000, 10))
    monkeypatch.setattr(progress_module, "time", type("Clock", (), {"monotonic": lambda: float(next(clock))}))
    with progress(4, "training", "epochs") as advance:
        for _ in range(4):
            advance(note="loss 0.5")
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "training: 1/4 epochs, 30 s left, loss 0.5"
    assert len(lines) == 3


def test_steps_that_were_done_before_do_not_shorten_the_time_left(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter(range(0, 1_000, 10))
    monkeypatch.setattr(progress_module, "time", type("Clock", (), {"monotonic": lambda: float(next(clock))}))
    with progress(10, "training", "epochs", done=7) as advance:
        advance()
    assert capsys.readouterr().err == "training: 8/10 epochs, 20 s left\n"


def test_key_that_stands_twice_is_refused() -> None:
    with pytest.raises(AscError, match="key 'epochs' stands twice"):
        parse_yaml("student: {epochs: 1, epochs: 2}", "x")


@pytest.mark.parametrize("text", ["2020-13-45", "[" * 5_000, "!!int x"])
def test_impossible_values_are_clear_errors(text: str) -> None:
    with pytest.raises(AscError, match="not valid YAML"):
        parse_yaml(text, "x")


def test_secrets_of_an_address_are_never_shown() -> None:
    assert without_secrets("http://u:p@ss@host:5000/x?password=y") == "http://host:5000/x"
    assert without_secrets("/a/journal") == "/a/journal"


def test_what_is_meant_for_a_file_is_written_there_in_a_notebook_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rich.console._is_jupyter", lambda: True)
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert in_file([Text("the answer", style="bold")]) == "the answer\n"
