"""A file that a person asked for is whole or not there."""

import io
import os
import resource
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from asc_experiments.base.errors import AscError
from asc_experiments.base.files import whole_file


def test_file_is_replaced_once_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "report.md"
    path.write_bytes(b"before")
    with whole_file(path) as write:
        write(b"after")
        assert path.read_bytes() == b"before"
        write(b"\r\n")
    assert path.read_bytes() == b"after\r\n"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("stop", [KeyboardInterrupt, ValueError])
def test_block_that_fails_leaves_the_earlier_file(tmp_path: Path, stop: type[BaseException]) -> None:
    path = tmp_path / "report.md"
    path.write_bytes(b"before")
    with pytest.raises(stop), whole_file(path) as write:
        write(b"half")
        raise stop
    assert path.read_bytes() == b"before"
    assert list(tmp_path.iterdir()) == [path]


def test_missing_folder_and_a_folder_in_its_place_are_refused_before_the_block(tmp_path: Path) -> None:
    for path, message in ((tmp_path / "nowhere" / "a.md", "no such folder"), (tmp_path, "is a folder")):
        with pytest.raises(AscError, match=message), whole_file(path):
            pytest.fail("the block was entered")
    assert list(tmp_path.iterdir()) == []


def test_full_disk_is_one_line_and_leaves_nothing(tmp_path: Path) -> None:
    target = tmp_path / "report.md"
    (tmp_path / "report.md.part").symlink_to("/dev/full")
    with pytest.raises(AscError, match="cannot be written \\(No space left on device\\)"), whole_file(target) as write:
        write(b"content")
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def short_of_space() -> Iterator[None]:
    """No file of this process grows beyond 64 KB: of a longer write the kernel takes what fits, as a full disk does."""
    before, ignored = resource.getrlimit(resource.RLIMIT_FSIZE), signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (65_536, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)
    signal.signal(signal.SIGXFSZ, ignored)


def test_disk_that_takes_half_of_a_write_leaves_the_earlier_file(tmp_path: Path, short_of_space: None) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(b"before")
    with pytest.raises(AscError, match=r"cannot be written \(File too large\)"), whole_file(path) as write:
        write(bytes(100_000))
    assert path.read_bytes() == b"before"
    assert list(tmp_path.iterdir()) == [path]


class _Sipping(io.FileIO):
    """Takes seven bytes of every write, as a pipe, a network file system or an interrupted call may."""

    def write(self, content: Any, /) -> int:
        return super().write(memoryview(content)[:7])


def test_writes_that_are_taken_in_part_are_written_to_the_last_byte(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(Path, "open", lambda path, *_, **__: _Sipping(path, "w"))
        with whole_file(tmp_path / "report.md") as write:
            write(b"a report of more than seven bytes")
    assert (tmp_path / "report.md").read_bytes() == b"a report of more than seven bytes"


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_space_that_is_missed_only_at_the_end_leaves_the_earlier_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    """Network file systems and quotas say so when a file is synchronised, closed or renamed."""
    path = tmp_path / "report.md"
    path.write_bytes(b"before")

    def full(*_: object) -> None:
        raise OSError(122, "Disk quota exceeded")

    monkeypatch.setattr(os if call == "fsync" else Path, call, full)
    with pytest.raises(AscError, match=r"cannot be written \(Disk quota exceeded\)"), whole_file(path) as write:
        write(b"after")
    assert path.read_bytes() == b"before"
    assert list(tmp_path.iterdir()) == [path]
