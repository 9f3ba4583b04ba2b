"""The waveform store: decoded once, whole or not at all, named by its content."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile

from asc_experiments.base.errors import ProblemsError
from asc_experiments.corpus import Corpus, prepare, store
from asc_experiments.corpus.audio import read_clip


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
        patch.setattr(store, "read_clip", fails)
        digest(synth_corpus, tmp_path)
    assert [path.name for path in (tmp_path / "waveforms").iterdir() if path.suffix != ".lock"] == []
    assert digest(synth_corpus, tmp_path)


def test_killed_midway_the_next_call_succeeds(synth_corpus: Path, tmp_path: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path; from asc_experiments.corpus import Corpus, prepare, store\n"
        "real = store.read_clip\n"
        "def slow(root, name): time.sleep(0.02); return real(root, name)\n"
        "store.read_clip = slow; print('go', flush=True); prepare(Corpus.open(Path(sys.argv[1])), Path(sys.argv[2]))"
    )
    command = [sys.executable, "-c", code, str(synth_corpus), str(tmp_path / "killed")]
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()
    time.sleep(0.8)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
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


def test_damaged_store_is_built_again(synth_corpus: Path, tmp_path: Path) -> None:
    first = prepare(Corpus.open(synth_corpus), tmp_path)
    with (first.path / "waveforms.int16").open("r+b") as file:
        file.truncate(1_000)
    again = prepare(Corpus.open(synth_corpus), tmp_path)
    assert again.waveforms.shape == (200, 32_000)
    assert again.corpus_digest == first.corpus_digest


def test_broken_clips_are_counted_and_leave_no_store(corpus_copy: Path, tmp_path: Path) -> None:
    corpus = Corpus.open(corpus_copy)
    (corpus_copy / corpus.filenames[0]).write_bytes(b"")
    (corpus_copy / corpus.filenames[5]).unlink()
    soundfile.write(corpus_copy / corpus.filenames[9], np.full(22_050, 0.1), 44_100)
    with pytest.raises(ProblemsError) as caught:
        prepare(corpus, tmp_path / "cache")
    assert [problem.where for problem in caught.value.problems] == [corpus.filenames[row] for row in (0, 5, 9)]
    assert "lasts 0.500 s, the first clip 1.000 s" in caught.value.problems[2].what
    assert not list((tmp_path / "cache" / "waveforms").glob("*/"))
