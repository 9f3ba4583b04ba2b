"""Where the fused operations cannot be had, networks are trained without, and a person is told why."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from asc_experiments.base.errors import AscError
from asc_experiments.training.fused import fused_training, library

needs_them = pytest.mark.skipif(fused_training() is None, reason="no C++ compiler, or no AVX-512")


@pytest.fixture
def fresh(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """An empty cache folder, and a process that has not looked for the library."""
    monkeypatch.setattr(library, "_library", library._library.__wrapped__)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "asc_experiments"


def test_they_can_be_switched_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASC_FUSED", "off")
    assert fused_training() is None


def test_another_setting_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASC_FUSED", "maybe")
    with pytest.raises(AscError, match=r"ASC_FUSED=maybe.*valid: auto, off"):
        fused_training()


@needs_them
def test_they_are_compiled_once(fresh: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert fused_training() is not None
    (made,) = fresh.iterdir()
    monkeypatch.setattr(library, "_compile", lambda *_: pytest.fail("compiled again"))
    assert fused_training() is not None
    assert list(fresh.iterdir()) == [made]


@needs_them
def test_processes_that_begin_together_all_have_them(tmp_path: Path) -> None:
    code = "from asc_experiments.training.fused import fused_training; assert fused_training() is not None"
    environment = {"XDG_CACHE_HOME": str(tmp_path), "PATH": "/usr/bin:/bin", "PYTHONPATH": ":".join(sys.path)}
    started = [subprocess.Popen([sys.executable, "-c", code], env=environment) for _ in range(3)]
    assert [each.wait(timeout=200) for each in started] == [0, 0, 0]
    assert [path.suffix for path in (tmp_path / "asc_experiments").iterdir()] == [".so"]


@needs_them
def test_home_that_cannot_be_written_costs_nothing(
    fresh: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    fresh.parent.write_text("a file where the folder would be")
    monkeypatch.setattr(library.tempfile, "gettempdir", lambda: str(tmp_path))
    assert fused_training() is not None
    assert list(tmp_path.glob("asc_experiments-*/fused-*.so"))


@needs_them
def test_user_without_a_home_has_them_too(fresh: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def homeless() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setattr(library.Path, "home", homeless)
    monkeypatch.setattr(library.tempfile, "gettempdir", lambda: str(tmp_path))
    assert fused_training() is not None
    assert list(tmp_path.glob("asc_experiments-*/fused-*.so"))


@needs_them
def test_library_in_somebody_elses_folder_is_not_run(
    fresh: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    owner = library.os.getuid()
    monkeypatch.setattr(library.os, "getuid", lambda: owner + 1)
    monkeypatch.setattr(library.tempfile, "gettempdir", lambda: str(tmp_path))
    with pytest.warns(RuntimeWarning, match="no folder to keep its fused operations in belongs to this user"):
        assert fused_training() is None
    assert not list(tmp_path.rglob("*.so"))


@needs_them
@pytest.mark.parametrize(
    ("compiler", "reason"),
    [("", "there is no C\\+\\+ compiler"), ("#!/bin/sh\necho out of order >&2\nexit 1\n", "failed \\(out of order\\)")],
    ids=["none", "broken"],
)
def test_reason_is_one_warning(
    compiler: str, reason: str, fresh: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("CXX", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    if compiler:
        (tmp_path / "g++").write_text(compiler)
        (tmp_path / "g++").chmod(0o755)
    with pytest.warns(RuntimeWarning, match=f"about twice the time: .*{reason}") as told:
        assert fused_training() is None
    assert len(told) == 1
