"""A download resumes where it was cut off, and only what has the right checksum is ever left as good."""

import hashlib
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from asc_experiments.base import download as module
from asc_experiments.base.download import RemoteFile, download
from asc_experiments.base.errors import AscError

CONTENT = bytes(range(256)) * 4_096
"""A megabyte: several pieces."""
THIRD = len(CONTENT) // 3


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_WAITS_S", (0.0, 0.0, 0.0))


@pytest.fixture
def remote(file_server: Any) -> RemoteFile:
    file_server.files["file.bin"] = CONTENT
    return RemoteFile(f"{file_server.url}/folder/file.bin?download=1", f"md5:{hashlib.md5(CONTENT).hexdigest()}")


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "new" / "file.bin"


def names(target: Path) -> list[str]:
    return sorted(path.name for path in target.parent.iterdir()) if target.parent.exists() else []


def message(remote: RemoteFile, target: Path) -> str:
    with pytest.raises(AscError) as caught:
        download(remote, target, "fetching")
    return caught.value.line()


def test_whole_file_arrives_under_its_own_name(remote: RemoteFile, target: Path) -> None:
    assert download(remote, target, "fetching") == target
    assert target.read_bytes() == CONTENT
    assert names(target) == ["file.bin"]


def test_sha256_serves_as_well(remote: RemoteFile, target: Path) -> None:
    named = RemoteFile(remote.url, f"sha256:{hashlib.sha256(CONTENT).hexdigest()}")
    assert download(named, target, "fetching").read_bytes() == CONTENT


def test_file_that_is_there_is_not_asked_for(remote: RemoteFile, target: Path, file_server: Any) -> None:
    target.parent.mkdir()
    target.write_bytes(CONTENT)
    download(remote, target, "fetching")
    assert file_server.asked == []


def test_other_file_of_that_name_is_replaced(
    remote: RemoteFile, target: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target.parent.mkdir()
    target.write_bytes(b"another version")
    assert download(remote, target, "fetching").read_bytes() == CONTENT
    assert "another checksum" in capsys.readouterr().err


def test_cut_connection_goes_on_from_the_last_byte(remote: RemoteFile, target: Path, file_server: Any) -> None:
    file_server.cuts = [THIRD, THIRD]
    assert download(remote, target, "fetching").read_bytes() == CONTENT
    starts = [int(wanted[6:-1]) if wanted else 0 for _, wanted in file_server.asked]
    assert starts[0] == 0
    assert starts == sorted(set(starts)), "each request begins later than the one before"
    assert len(starts) == 3


def test_server_that_falls_silent_counts_as_cut(
    remote: RemoteFile, target: Path, file_server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_TIMEOUTS_S", (5.0, 0.2))
    file_server.stalls = {"file.bin": THIRD}
    assert download(remote, target, "fetching").read_bytes() == CONTENT
    assert len(file_server.asked) == 2


def test_next_call_goes_on_with_the_part(remote: RemoteFile, target: Path, file_server: Any) -> None:
    file_server.cuts = [THIRD, 0, 0, 0, 0]
    error = message(remote, target)
    assert "broke off 4 times" in error
    assert "to resume from there" in error
    assert names(target) == ["file.bin.part"]
    have = (target.parent / "file.bin.part").stat().st_size
    assert download(remote, target, "fetching").read_bytes() == CONTENT
    assert file_server.asked[-1] == ("file.bin", f"bytes={have}-")


def test_tries_that_bring_more_are_not_counted(remote: RemoteFile, target: Path, file_server: Any) -> None:
    file_server.cuts = [100_000] * 9
    assert download(remote, target, "fetching").read_bytes() == CONTENT
    assert len(file_server.asked) == 10


def test_server_that_ignores_ranges_sends_the_whole_again(remote: RemoteFile, target: Path, file_server: Any) -> None:
    file_server.knows_ranges, file_server.cuts = False, [THIRD]
    assert download(remote, target, "fetching").read_bytes() == CONTENT


def test_server_that_ignores_ranges_and_always_breaks_off_is_given_up(
    remote: RemoteFile, target: Path, file_server: Any
) -> None:
    file_server.knows_ranges, file_server.cuts = False, [THIRD] * 50
    assert "broke off" in message(remote, target)
    assert len(file_server.asked) == 4


def test_whole_part_of_a_killed_call_is_not_fetched_again(remote: RemoteFile, target: Path, file_server: Any) -> None:
    target.parent.mkdir()
    (target.parent / "file.bin.part").write_bytes(CONTENT)
    assert download(remote, target, "fetching").read_bytes() == CONTENT
    assert file_server.asked == [("file.bin", f"bytes={len(CONTENT)}-")]


def test_damaged_file_is_fetched_once_more(
    remote: RemoteFile, target: Path, file_server: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    file_server.damaged = 1
    assert download(remote, target, "fetching").read_bytes() == CONTENT
    assert "arrived damaged; fetching it once more" in capsys.readouterr().err


def test_damaged_part_of_an_earlier_call_does_no_harm(remote: RemoteFile, target: Path) -> None:
    target.parent.mkdir()
    (target.parent / "file.bin.part").write_bytes(b"of another file")
    assert download(remote, target, "fetching").read_bytes() == CONTENT


def test_file_that_is_always_damaged_is_not_kept(remote: RemoteFile, target: Path, file_server: Any) -> None:
    file_server.damaged = 50
    error = message(remote, target)
    assert "arrived damaged twice" in error
    assert remote.checksum in error
    assert str(target) in error, "where to put it by hand"
    assert names(target) == []
    assert len(file_server.asked) == 2


@pytest.mark.parametrize("status", [403, 404, 410])
def test_missing_file_is_one_line_at_once(remote: RemoteFile, target: Path, file_server: Any, status: int) -> None:
    file_server.status = status
    assert f"HTTP {status}" in message(remote, target)
    assert len(file_server.asked) == 1
    assert not target.parent.exists(), "nothing is left behind"


def test_busy_server_is_asked_again(remote: RemoteFile, target: Path, file_server: Any) -> None:
    file_server.status = 503
    assert "broke off 4 times" in message(remote, target)
    assert len(file_server.asked) == 4


def test_no_connection_is_one_line_at_once(target: Path) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{closed.getsockname()[1]}/file.bin"
    begun = time.monotonic()
    error = message(RemoteFile(url, "md5:00"), target)
    assert error.startswith(f"{url}: cannot be reached (ConnectionError); ")
    assert str(target) in error
    assert time.monotonic() - begun < 5
    assert not target.parent.exists()


@pytest.mark.parametrize("url", ["zenodo.org/file.bin", "ftp://host/file.bin", "http://"])
def test_what_is_no_address_is_one_line(target: Path, url: str) -> None:
    assert "is no address of a file" in message(RemoteFile(url, "md5:00"), target)


def test_password_is_not_shown(target: Path, file_server: Any) -> None:
    url = file_server.url.replace("//", "//user:secret@") + "/file.bin?token=hidden"
    error = message(RemoteFile(url, "md5:00"), target)
    assert "secret" not in error
    assert "hidden" not in error


def test_folder_that_cannot_be_written_is_one_line(remote: RemoteFile, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    assert "cannot be written" in message(remote, tmp_path / "file" / "file.bin")


def test_killed_download_goes_on(remote: RemoteFile, target: Path, file_server: Any) -> None:
    """kill -9 while the server has stopped sending: what had arrived is on the disk."""
    program = (
        "import sys; from pathlib import Path; from asc_experiments.base.download import RemoteFile, download\n"
        "download(RemoteFile(sys.argv[1], sys.argv[2]), Path(sys.argv[3]), 'fetching')"
    )
    file_server.stalls = {"file.bin": THIRD}
    process = subprocess.Popen([sys.executable, "-c", program, remote.url, remote.checksum, str(target)])
    part = target.with_name("file.bin.part")
    deadline = time.monotonic() + 60
    while not (part.exists() and part.stat().st_size) and time.monotonic() < deadline:
        time.sleep(0.02)
    process.kill()
    process.wait()
    assert names(target) == ["file.bin.part"]
    have = part.stat().st_size
    assert 0 < have <= THIRD
    assert download(remote, target, "fetching").read_bytes() == CONTENT
    assert file_server.asked[-1] == ("file.bin", f"bytes={have}-")
