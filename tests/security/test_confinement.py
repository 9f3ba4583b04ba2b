"""Nothing outside of a corpus is read through it, and nothing outside of a folder is written by unpacking into it."""

import os
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from asc_experiments.base.errors import AscError, ProblemsError
from asc_experiments.corpus import Corpus, prepare
from asc_experiments.corpus.archive import unpack
from asc_experiments.corpus.audio import MOST_SAMPLES_OF_A_CLIP, inspect_clip, read_clip, read_mono
from asc_experiments.corpus.readers.tau import META, TEST_FOLD, TRAIN_FOLD


def first_clip(corpus: Path) -> str:
    return (corpus / TRAIN_FOLD).read_text().splitlines()[1].split("\t")[0]


@pytest.mark.parametrize(
    "name", ["../../etc/passwd", "/etc/passwd", "audio/../../x.wav", "..", "audio\\..\\x.wav", "C:\\x.wav"]
)
def test_name_that_leaves_the_corpus_is_refused(asc: Callable, corpus_copy: Path, name: str) -> None:
    with (corpus_copy / META).open("a") as file:
        file.write(f"{name}\tairport\tsynthville-1\ta\n")
    result = asc("corpus", "check", corpus_copy)
    assert result.code == 2
    assert "leaves the corpus folder" in result.err


@pytest.mark.parametrize("name", ["audio/a\x1b[31m.wav", '"audio/a\nb.wav"', "audio/a\u202e.wav"])
def test_name_that_would_steer_a_terminal_is_refused_and_written_out(
    asc: Callable, corpus_copy: Path, name: str
) -> None:
    with (corpus_copy / META).open("a") as file:
        file.write(f"{name}\tairport\tsynthville-1\ta\n")
    result = asc("corpus", "check", corpus_copy)
    assert result.code == 2
    assert "holds control characters" in result.err
    assert all(line.isprintable() for line in result.err.splitlines())


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """A good clip that is no part of any corpus."""
    path = tmp_path / "outside" / "clip.wav"
    path.parent.mkdir()
    soundfile.write(path, np.full(44_100, 0.1), 44_100)
    return path


@pytest.mark.parametrize("what", ["file", "folder", "chain"])
def test_clip_behind_a_link_out_of_the_corpus_is_refused(
    asc: Callable, corpus_copy: Path, workspace: Path, outside: Path, what: str
) -> None:
    name = first_clip(corpus_copy)
    clip = corpus_copy / name
    if what == "folder":
        (corpus_copy / "audio").rename(outside.parent / "audio")
        (corpus_copy / "audio").symlink_to(outside.parent / "audio")
    else:
        clip.unlink()
        clip.symlink_to(outside)
    if what == "chain":
        clip.rename(corpus_copy / "audio" / "other")
        clip.symlink_to("other")
    train = ["student", "train", "--corpus", corpus_copy, "--workspace", workspace]
    for command in (["corpus", "check", corpus_copy], train):
        result = asc(*command)
        assert result.code == 2
        assert f"{name}: a link leads out of the corpus folder" in result.err


@pytest.mark.parametrize("name", [META, TRAIN_FOLD, TEST_FOLD])
def test_table_behind_a_link_out_of_the_corpus_is_refused(corpus_copy: Path, tmp_path: Path, name: str) -> None:
    (corpus_copy / name).rename(tmp_path / "table")
    (corpus_copy / name).symlink_to(tmp_path / "table")
    with pytest.raises(ProblemsError, match="a link leads out of the corpus folder"):
        Corpus.open(corpus_copy)


def test_links_within_a_corpus_and_to_a_corpus_are_followed(corpus_copy: Path, tmp_path: Path, cache: Path) -> None:
    clip = corpus_copy / first_clip(corpus_copy)
    clip.rename(corpus_copy / "audio" / "real.wav")
    clip.symlink_to("real.wav")
    (tmp_path / "link").symlink_to(corpus_copy)
    corpus = Corpus.open(tmp_path / "link")
    assert len(prepare(corpus, cache).waveforms) == 200


@pytest.mark.parametrize("name", ["audio/pipe.wav", META])
def test_pipe_or_device_is_refused_and_not_waited_for(corpus_copy: Path, name: str) -> None:
    (corpus_copy / name).unlink(missing_ok=True)
    os.mkfifo(corpus_copy / name)
    if name == META:
        with pytest.raises(ProblemsError, match=r"\(is no file\)"):
            Corpus.open(corpus_copy)
    else:
        _, problem, *_ = read_clip(corpus_copy, name)
        assert problem is not None
        assert problem.what == "cannot be read (is no file)"


def test_enormous_clip_is_not_read(corpus_copy: Path) -> None:
    with (corpus_copy / "audio" / "large.wav").open("wb") as file:
        file.truncate(1 << 40)  # a hole: it takes no room
    _, problem, *_ = read_clip(corpus_copy, "audio/large.wav")
    assert problem is not None
    assert "MB large" in problem.what


def flac_that_claims(samples: int) -> bytes:
    """A FLAC file of a few hundred bytes whose header says so many samples."""
    from io import BytesIO

    content = BytesIO()
    soundfile.write(content, np.zeros(4_096), 32_000, format="FLAC", subtype="PCM_16")
    data = bytearray(content.getvalue())
    data[21:26] = ((data[21] >> 4) << 36 | samples).to_bytes(5, "big")  # the last 36 bits are the number of samples
    return bytes(data)


def test_file_that_claims_to_be_longer_than_memory_is_refused_before_it_is_decoded() -> None:
    _, problem, _ = inspect_clip(flac_that_claims(MOST_SAMPLES_OF_A_CLIP + 1), "audio/clip.wav")
    assert problem is not None
    assert "claims to hold" in problem.what
    with pytest.raises(OSError, match=r"claims .* samples"):
        read_mono(flac_that_claims(2**36 - 1))


def test_recording_of_an_absurd_rate_is_refused_before_it_is_resampled() -> None:
    """A hundred kilobytes at 1 Hz are a day of sound: gigabytes at 32 kHz."""
    from io import BytesIO

    content = BytesIO()
    soundfile.write(content, np.zeros(100_000), 1, format="WAV", subtype="PCM_U8")
    with pytest.raises(OSError, match="too long"):
        read_mono(content.getvalue())


def test_archive_that_unpacks_to_many_times_its_size_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("top/audio/a.wav", bytes(20_000_000))
    with pytest.raises(AscError, match="times its size"):
        unpack(tmp_path / "bomb.zip", tmp_path / "corpus", "top", "unpacking")
    assert not (tmp_path / "corpus").exists()


@pytest.mark.parametrize("what", ["file", "folder"])
def test_unpacking_does_not_write_through_a_link_that_is_there(tmp_path: Path, what: str) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as file:
        file.writestr("top/audio/a.wav", b"sound")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "a.wav").write_bytes(b"mine")
    (tmp_path / "corpus").mkdir()
    if what == "folder":
        (tmp_path / "corpus" / "audio").symlink_to(elsewhere)
    else:
        (tmp_path / "corpus" / "audio").mkdir()
        (tmp_path / "corpus" / "audio" / "a.wav").symlink_to(elsewhere / "a.wav")
    with pytest.raises(AscError, match="a link stands where"):
        unpack(tmp_path / "a.zip", tmp_path / "corpus", "top", "unpacking")
    assert (elsewhere / "a.wav").read_bytes() == b"mine"
