"""A file that a person asked for is whole or not there."""

from pathlib import Path

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
