"""Unpacking writes below the folder only, no more than declared, and nothing where one member is wrong."""

import io
import shutil
import stat
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from asc_experiments.base.errors import AscError
from asc_experiments.corpus.archive import unpack

GOOD = "top/audio/a.wav"


def pack(path: Path, *members: tuple[str | zipfile.ZipInfo, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, data in members:
            file.writestr(name, data)
    return path


def link(name: str, kind: int = stat.S_IFLNK) -> zipfile.ZipInfo:
    member = zipfile.ZipInfo(name)
    member.create_system = 3
    member.external_attr = (kind | 0o777) << 16
    return member


def everything(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_members_lie_in_the_folder_without_the_top(tmp_path: Path) -> None:
    archive = pack(tmp_path / "a.zip", ("top/", b""), ("top/audio/", b""), (GOOD, b"sound"), ("top/meta.csv", b"table"))
    unpack(archive, tmp_path / "corpus", "top", "unpacking")
    assert everything(tmp_path / "corpus") == ["audio/a.wav", "meta.csv"]
    assert (tmp_path / "corpus" / "audio" / "a.wav").read_bytes() == b"sound"


def test_half_written_file_is_written_again(tmp_path: Path) -> None:
    (tmp_path / "corpus" / "audio").mkdir(parents=True)
    (tmp_path / "corpus" / "audio" / "a.wav").write_bytes(b"so")
    unpack(pack(tmp_path / "a.zip", (GOOD, b"sound")), tmp_path / "corpus", "top", "unpacking")
    assert (tmp_path / "corpus" / "audio" / "a.wav").read_bytes() == b"sound"


@pytest.mark.parametrize(
    "name",
    [
        "../evil", "top/../evil", "top/audio/../../evil", "/evil", "/top/evil", "top//evil", "top/./evil", "evil",
        "other/evil", "top", "C:/evil", "top/C:/evil", "C:\\evil", "top\\..\\evil", "top/..\\evil", "top/a\0b",
        "\\\\host\\share\\evil", "topper/evil", "TOP/evil",
    ],
)  # fmt: skip
def test_member_outside_of_the_top_folder_is_refused_before_anything_is_written(tmp_path: Path, name: str) -> None:
    member = zipfile.ZipInfo("x")
    member.filename = name
    archive = pack(tmp_path / "a.zip", (GOOD, b"sound"), (member, b"evil"))
    before = everything(tmp_path)
    with pytest.raises(AscError, match="lies outside of top/") as caught:
        unpack(archive, tmp_path / "in" / "corpus", "top", "unpacking")
    assert "\n" not in caught.value.line()
    assert everything(tmp_path) == before
    assert not Path("/evil").exists()


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR, stat.S_IFSOCK])
@pytest.mark.parametrize("name", ["top/audio/link", "top/audio/link/"])
def test_link_or_device_is_refused(tmp_path: Path, kind: int, name: str) -> None:
    archive = pack(tmp_path / "a.zip", (link(name, kind), b"/etc"), ("top/audio/link/passwd", b"evil"))
    with pytest.raises(AscError, match="is a link or a device"):
        unpack(archive, tmp_path / "corpus", "top", "unpacking")
    assert everything(tmp_path) == ["a.zip"]


def test_encrypted_member_is_refused(tmp_path: Path) -> None:
    archive = pack(tmp_path / "a.zip", (GOOD, b"sound"))
    data = bytearray(archive.read_bytes())
    data[data.index(b"PK\x01\x02") + 8] |= 1
    archive.write_bytes(data)
    with pytest.raises(AscError, match="is encrypted"):
        unpack(archive, tmp_path / "corpus", "top", "unpacking")


def test_member_never_grows_beyond_its_declared_size(tmp_path: Path) -> None:
    """A bomb: ten megabytes that say they are a hundred bytes."""
    archive = pack(tmp_path / "a.zip", (GOOD, bytes(10_000_000)))
    data = archive.read_bytes().replace((10_000_000).to_bytes(4, "little"), (100).to_bytes(4, "little"))
    archive.write_bytes(data)
    with pytest.raises(AscError, match="is no whole zip archive"):
        unpack(archive, tmp_path / "corpus", "top", "unpacking")
    assert (tmp_path / "corpus" / "audio" / "a.wav").stat().st_size <= 100


def test_archive_that_declares_more_than_fits_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    archive = pack(tmp_path / "a.zip", (GOOD, bytes(1_000)))
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=999))
    with pytest.raises(AscError, match="GB are free"):
        unpack(archive, tmp_path / "corpus", "top", "unpacking")
    assert everything(tmp_path / "corpus") == []


def truncated(data: bytes) -> bytes:
    return data[: len(data) // 2]


def flipped(data: bytes) -> bytes:
    middle = data.index(b"a.wav") + 40
    return data[:middle] + bytes([data[middle] ^ 255]) + data[middle + 1 :]


@pytest.mark.parametrize("damage", [truncated, flipped, lambda _: b"", lambda _: b"<html>"])
def test_damaged_archive_is_one_line(tmp_path: Path, damage: Callable[[bytes], bytes]) -> None:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr(GOOD, bytes(range(256)) * 20)
    (tmp_path / "a.zip").write_bytes(damage(content.getvalue()))
    with pytest.raises(AscError, match="is no whole zip archive") as caught:
        unpack(tmp_path / "a.zip", tmp_path / "corpus", "top", "unpacking")
    assert "\n" not in caught.value.line()
