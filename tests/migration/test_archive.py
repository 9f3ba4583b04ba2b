"""The archive: what is written is read back, and what is damaged, cut or forged is refused."""

import io
import shutil
import tarfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from asc_experiments.base.errors import AscError
from asc_experiments.migration.archive import mode_of, writing
from asc_experiments.migration.unpacking import Archive

CONTENT = {"runs/1/record.json": "{}", "runs/1/files/sub folder/ä.txt": "text", "tracking.json": "x" * 3_000}


def written(path: Path) -> Path:
    with writing(path) as archive:
        for name, text in CONTENT.items():
            archive.text(name, text)
        archive.seal(["tiny"])
    return path


def unpacked(path: Path, folder: Path) -> Archive:
    folder.mkdir()
    return Archive.unpack(path, folder)


@pytest.mark.parametrize("ending", ["tar", "tar.gz", "tgz"])
def test_what_was_written_is_read_back(tmp_path: Path, ending: str) -> None:
    archive = unpacked(written(tmp_path / f"a.{ending}"), tmp_path / "folder")
    assert {name: archive.read(name).decode() for name in archive.names("")} == CONTENT
    assert archive.manifest.studies == ["tiny"]
    assert archive.names("runs/", ".json") == ["runs/1/record.json"]


@pytest.mark.parametrize("name", ["a.zip", "a", "a.tar.zst"])
def test_a_name_that_says_no_format_is_refused(name: str) -> None:
    with pytest.raises(AscError, match="is no name of an archive"):
        mode_of(Path(name))


def test_a_writer_that_fails_leaves_the_archive_that_was_there(tmp_path: Path) -> None:
    path = written(tmp_path / "a.tar")
    before = path.read_bytes()
    with pytest.raises(RuntimeError), writing(path) as archive:
        archive.text("runs/2/record.json", "{}")
        raise RuntimeError
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7), ending=st.sampled_from(["tar", "tar.gz"]))
def test_a_flipped_bit_is_refused_or_changes_nothing(tmp_path: Path, place: float, bit: int, ending: str) -> None:
    path, folder = written(tmp_path / f"a.{ending}"), tmp_path / "folder"
    content = bytearray(path.read_bytes())
    content[int(place * len(content))] ^= 1 << bit
    path.write_bytes(content)
    shutil.rmtree(folder, ignore_errors=True)
    try:
        archive = unpacked(path, folder)
    except AscError as error:
        assert str(path) in error.line()
    else:  # padding between two members, or a date
        assert {name: archive.read(name).decode() for name in archive.names("")} == CONTENT


@pytest.mark.parametrize("place", ["runs/1/record.json", "tracking.json", "manifest.json"])
def test_a_flipped_bit_of_content_is_refused(tmp_path: Path, place: str) -> None:
    path = written(tmp_path / "a.tar")
    content = bytearray(path.read_bytes())
    content[content.index(place.encode()) + tarfile.BLOCKSIZE] ^= 1  # content begins a block behind its header
    path.write_bytes(content)
    with pytest.raises(AscError, match="is damaged"):
        unpacked(path, tmp_path / "folder")


@pytest.mark.parametrize("part", [0.0, 0.3, 0.6, 0.8])
def test_an_archive_that_was_cut_is_refused(tmp_path: Path, part: float) -> None:
    path = written(tmp_path / "a.tar")
    content = path.read_bytes().rstrip(b"\0")
    path.write_bytes(content[: int(part * len(content))])
    with pytest.raises(AscError, match=r"is damaged|is not whole"):
        unpacked(path, tmp_path / "folder")


def forged(path: Path, member: tarfile.TarInfo, content: bytes = b"") -> Path:
    """An archive of ours with one more member."""
    written(path)
    with tarfile.open(path, "a") as opened:
        member.size = len(content)
        opened.addfile(member, io.BytesIO(content))
    return path


@pytest.mark.parametrize(
    "name", ["../outside", "/outside", "runs/../../outside", "runs//x", "runs\\..\\x", "tracking.json"]
)
def test_a_member_that_lies_outside_or_twice_is_refused(tmp_path: Path, name: str) -> None:
    name = f"{tmp_path}/outside" if name == "/outside" else name
    path = forged(tmp_path / "a.tar", tarfile.TarInfo(name), b"x")
    with pytest.raises(AscError, match="is none of an export"):
        unpacked(path, tmp_path / "folder")
    assert not (tmp_path / "outside").exists()


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.DIRTYPE])
def test_a_member_that_is_no_file_is_refused(tmp_path: Path, kind: bytes) -> None:
    member = tarfile.TarInfo("runs/1/files/link")
    member.type, member.linkname = kind, "/etc/passwd"
    with pytest.raises(AscError, match="is none of an export"):
        unpacked(forged(tmp_path / "a.tar", member), tmp_path / "folder")


def test_a_member_that_the_manifest_does_not_know_is_refused(tmp_path: Path) -> None:
    with pytest.raises(AscError, match="is damaged"):
        unpacked(forged(tmp_path / "a.tar", tarfile.TarInfo("runs/2/record.json"), b"{}"), tmp_path / "folder")


@pytest.mark.parametrize("content", [b"", b"no archive", b"\x1f\x8b" + bytes(64)])
def test_what_is_no_archive_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.tar"
    path.write_bytes(content)
    with pytest.raises(AscError, match=r"is damaged|is not whole|cannot be unpacked"):
        unpacked(path, tmp_path / "folder")
    with pytest.raises(AscError, match="no such file"):
        unpacked(tmp_path / "b.tar", tmp_path / "other")
