"""The waveform store: decoded once, whole or not at all, named by its content."""

import errno
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import soundfile

from asc_experiments.base.errors import AscError, ProblemsError
from asc_experiments.corpus import Corpus, decoding, prepare, store
from asc_experiments.corpus.audio import read_clip
from asc_experiments.corpus.readers.tau import META, TEST_FOLD, TRAIN_FOLD


def first_clips(root: Path, count: int) -> Corpus:
    whole = Corpus.open(root)
    return Corpus(whole.root, whole.clips[:count], count - 2)


def digest(root: Path, cache: Path) -> str:
    return prepare(Corpus.open(root), cache).corpus_digest


def test_rows_are_the_clips_as_read_only_int16(synth_corpus: Path, tmp_path: Path) -> None:
    corpus = Corpus.open(synth_corpus)
    waveforms = prepare(corpus, tmp_path).waveforms
    assert isinstance(waveforms, np.memmap)
    assert (waveforms.dtype, waveforms.shape, waveforms.flags.writeable) == (np.int16, (200, 32_000), False)
    for row in (0, 77, 199):
        np.testing.assert_array_equal(waveforms[row], read_clip(corpus.root, corpus.filenames[row])[0])


def test_second_time_nothing_is_decoded(synth_corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = digest(synth_corpus, tmp_path)
    monkeypatch.setattr(store, "decode_all", None)
    assert digest(synth_corpus, tmp_path) == first


def test_failure_midway_leaves_nothing_and_the_next_call_succeeds(
    synth_corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(root: Path, name: str) -> tuple:
        if name == Corpus.open(synth_corpus).filenames[50]:
            raise KeyboardInterrupt
        return read_clip(root, name)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(decoding, "read_clip", fails)
        digest(synth_corpus, tmp_path)
    assert [path.name for path in (tmp_path / "waveforms").iterdir() if path.suffix != ".lock"] == []
    assert digest(synth_corpus, tmp_path)


def test_killed_midway_the_next_call_succeeds(synth_corpus: Path, tmp_path: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path; from asc_experiments.corpus import Corpus, decoding, prepare\n"
        "real = decoding.read_clip\n"
        "def slow(root, name): time.sleep(0.2); return real(root, name)\n"
        "decoding.read_clip = slow; prepare(Corpus.open(Path(sys.argv[1])), Path(sys.argv[2]))"
    )
    command = [sys.executable, "-c", code, str(synth_corpus), str(tmp_path / "killed")]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        while process.poll() is None and not list((tmp_path / "killed").glob("waveforms/*.partial/waveforms.int16")):
            time.sleep(0.02)
        process.kill()
    assert process.returncode == -signal.SIGKILL
    left = [path for path in (tmp_path / "killed" / "waveforms").iterdir() if path.name.endswith(".partial")]
    assert left, "it was killed in the middle"
    corpus = Corpus.open(synth_corpus)
    after, undisturbed = prepare(corpus, tmp_path / "killed"), prepare(corpus, tmp_path / "undisturbed")
    np.testing.assert_array_equal(after.waveforms, undisturbed.waveforms)
    assert not [path for path in (tmp_path / "killed" / "waveforms").iterdir() if path.name.endswith(".partial")]


def test_digest_names_the_content_and_not_the_place(corpus_copy: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    first = digest(corpus_copy, cache)
    moved = Path(shutil.move(corpus_copy, tmp_path / "elsewhere"))
    assert digest(moved, cache) == first

    clip = moved / Corpus.open(moved).filenames[3]
    samples, rate = soundfile.read(clip)
    soundfile.write(clip, samples[::-1], rate)
    changed_sound = digest(moved, cache)
    table = (moved / "meta.csv").read_text()
    (moved / "meta.csv").write_text(table.replace("\ts1\n", "\ts2\n", 1))
    changed_device = digest(moved, cache)
    assert len({first, changed_sound, changed_device}) == 3


def test_scene_and_fold_of_a_clip_are_part_of_the_digest(corpus_copy: Path, tmp_path: Path) -> None:
    first = digest(corpus_copy, tmp_path / "cache")
    row = (corpus_copy / TRAIN_FOLD).read_text().splitlines()[1]
    for name in (META, TRAIN_FOLD):
        table = (corpus_copy / name).read_text()
        (corpus_copy / name).write_text(table.replace(row, row.replace("\tairport", "\tbus"), 1))
    relabelled = digest(corpus_copy, tmp_path / "cache")
    row = row.replace("\tairport", "\tbus")
    table = (corpus_copy / TRAIN_FOLD).read_text()
    (corpus_copy / TRAIN_FOLD).write_text(table.replace(row + "\n", ""))
    with (corpus_copy / TEST_FOLD).open("a") as file:
        file.write(row + "\n")
    assert len({first, relabelled, digest(corpus_copy, tmp_path / "cache")}) == 3


def test_where_the_fold_divides_is_part_of_the_digest(synth_corpus: Path, tmp_path: Path) -> None:
    corpus = first_clips(synth_corpus, 12)
    other = Corpus(corpus.root, corpus.clips, corpus.n_train - 1)
    assert prepare(corpus, tmp_path).corpus_digest != prepare(other, tmp_path).corpus_digest


def test_damaged_store_is_built_again(synth_corpus: Path, tmp_path: Path) -> None:
    first = prepare(Corpus.open(synth_corpus), tmp_path)
    with (first.path / "waveforms.int16").open("r+b") as file:
        file.truncate(1_000)
    again = prepare(Corpus.open(synth_corpus), tmp_path)
    assert again.waveforms.shape == (200, 32_000)
    assert again.corpus_digest == first.corpus_digest


@pytest.mark.parametrize("content", [b"", b"\0" * 40, b'{"format": 1', b"{}", b"[]", b"null"])
@pytest.mark.parametrize("which", ["store.json", "remembered"])
def test_damaged_table_is_built_again(synth_corpus: Path, tmp_path: Path, which: str, content: bytes) -> None:
    corpus = first_clips(synth_corpus, 12)
    first = prepare(corpus, tmp_path)
    remembered = list((tmp_path / "waveforms").glob("*.json"))
    for path in [first.path / which] if which == "store.json" else remembered:
        path.write_bytes(content)
    again = prepare(corpus, tmp_path)
    assert again.waveforms.shape == (12, 32_000)
    assert again.corpus_digest == first.corpus_digest


def test_one_wrong_bit_in_the_store_is_noticed_and_said_and_it_is_built_again(
    synth_corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    corpus = Corpus.open(synth_corpus)
    whole = prepare(corpus, tmp_path)
    expected, path = whole.waveforms[77].copy(), whole.path / "waveforms.int16"
    with path.open("r+b") as file:
        file.seek(2 * 77 * 32_000 + 1_001)
        byte = file.read(1)[0]
        file.seek(-1, 1)
        file.write(bytes([byte ^ 1]))
    capsys.readouterr()
    again = prepare(corpus, tmp_path)
    assert f"{whole.path}: the prepared waveforms are damaged; they are prepared again" in capsys.readouterr().err
    np.testing.assert_array_equal(again.waveforms[77], expected)
    assert again.corpus_digest == whole.corpus_digest
    prepare(corpus, tmp_path)
    assert capsys.readouterr().err == "", "it is whole"


def test_store_is_read_whole_once_per_boot_and_not_at_every_start(
    synth_corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads: list[Path] = []
    real = store.checksum_file

    def counts(path: Path) -> int:
        reads.append(path)
        return real(path)

    monkeypatch.setattr(store, "checksum_file", counts)
    for _ in range(3):
        digest(synth_corpus, tmp_path)
    assert len(reads) == 0, "what was written was summed up then"
    monkeypatch.setattr(store, "this_boot", lambda: "another")
    for _ in range(2):
        digest(synth_corpus, tmp_path)
    assert len(reads) == 1


def test_two_at_once_decode_every_clip_once(
    synth_corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    decoded: list[str] = []

    def counted(root: Path, name: str) -> tuple:
        decoded.append(name)
        return read_clip(root, name)

    monkeypatch.setattr(decoding, "read_clip", counted)
    corpus = first_clips(synth_corpus, 40)
    with ThreadPoolExecutor(2) as pool:
        both = list(pool.map(lambda _: prepare(corpus, tmp_path), range(2)))
    assert both[0].corpus_digest == both[1].corpus_digest
    assert sorted(decoded) == sorted(corpus.filenames)


def test_store_that_does_not_fit_is_a_clear_error_and_leaves_nothing(synth_corpus: Path, tmp_path: Path) -> None:
    corpus = first_clips(synth_corpus, 40)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, limits[1]))
    try:
        with pytest.raises(AscError, match="the waveforms cannot be stored"):
            prepare(corpus, tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert not list((tmp_path / "waveforms").glob("*/"))
    assert prepare(corpus, tmp_path).waveforms.shape == (40, 32_000)


def test_corpus_that_cannot_be_remembered_is_a_clear_error(
    synth_corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    corpus = first_clips(synth_corpus, 12)
    with monkeypatch.context() as patch:
        patch.setattr(store, "_write_whole", _raise_full)
        with pytest.raises(AscError, match="the waveforms cannot be stored"):
            prepare(corpus, tmp_path)
    assert prepare(corpus, tmp_path).waveforms.shape == (12, 32_000)


def _raise_full(*_: object) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_broken_clips_are_counted_and_leave_no_store(corpus_copy: Path, tmp_path: Path) -> None:
    corpus = Corpus.open(corpus_copy)
    (corpus_copy / corpus.filenames[0]).write_bytes(b"")
    (corpus_copy / corpus.filenames[5]).unlink()
    soundfile.write(corpus_copy / corpus.filenames[9], np.full(22_050, 0.1), 44_100)
    with pytest.raises(ProblemsError) as caught:
        prepare(corpus, tmp_path / "cache")
    assert [problem.where for problem in caught.value.problems] == [corpus.filenames[row] for row in (0, 5, 9)]
    assert "lasts 0.500 s (16,000 samples at 32 kHz), 197 of 198 clips" in caught.value.problems[2].what
    assert not list((tmp_path / "cache" / "waveforms").glob("*/"))


def test_digest_of_an_unchanged_corpus_is_remembered_and_not_reckoned_anew(
    corpus_copy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = digest(corpus_copy, tmp_path / "cache")
    with monkeypatch.context() as patch:
        patch.setattr(store, "corpus_digest", None)
        assert digest(corpus_copy, tmp_path / "cache") == first
    monkeypatch.setattr(store, "decode_all", None)
    table = (corpus_copy / META).read_text()
    (corpus_copy / META).write_text(table.replace("\ts1\n", "\ts2\n", 1))
    assert digest(corpus_copy, tmp_path / "cache") != first, "tables alone have changed: nothing is decoded"


def test_what_an_earlier_version_remembered_of_clips_is_believed(
    synth_corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    corpus = first_clips(synth_corpus, 12)
    first = prepare(corpus, tmp_path)
    for path in (tmp_path / "waveforms").glob("*.json"):
        if path.name.endswith(".opened.json"):
            path.unlink()
        else:
            stats = [(name, (corpus.root / name).stat()) for name in corpus.filenames]
            stamps = [[name, status.st_size, status.st_mtime_ns] for name, status in stats]
            path.write_text(json.dumps(json.loads(path.read_text()) | {"stamps": stamps}))
    monkeypatch.setattr(store, "decode_all", None)
    assert prepare(corpus, tmp_path).corpus_digest == first.corpus_digest
