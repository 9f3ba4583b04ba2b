"""Decoding many clips: threads and processes give the same, and nothing hangs where a worker is killed."""

import os
import signal
import subprocess
import sys
import tracemalloc
import zlib
from pathlib import Path

import numpy as np
import psutil
import pytest
import soundfile
import soxr
from hypothesis import given, settings
from hypothesis import strategies as st

from asc_experiments.base.errors import AscError
from asc_experiments.corpus import Corpus, decoding
from asc_experiments.corpus.audio import read_clip, resample
from asc_experiments.corpus.decoding import decode_all, uneven


@pytest.mark.parametrize("in_processes", [False, True], ids=["threads", "processes"])
def test_every_clip_is_written_in_its_place(synth_corpus: Path, tmp_path: Path, in_processes: bool) -> None:
    names, into = Corpus.open(synth_corpus).filenames[:70], tmp_path / "waveforms"
    decoded = list(decode_all(synth_corpus, names, into, workers=2, in_processes=in_processes))
    expected = [read_clip(synth_corpus, name) for name in names]
    written = np.fromfile(into, dtype=np.int16).reshape(70, 32_000)
    np.testing.assert_array_equal(written, [samples for samples, *_ in expected])
    assert [clip.digest for clip in decoded] == [digest for _, _, digest, _ in expected]
    assert all((clip.samples, clip.problem) == (32_000, None) for clip in decoded)


def test_length_is_that_of_the_first_whole_clip(corpus_copy: Path) -> None:
    names = Corpus.open(corpus_copy).filenames[:60]
    for name in names[:20]:  # more than are decoded at a time
        (corpus_copy / name).write_bytes(b"")
    soundfile.write(corpus_copy / names[50], np.full(22_050, 0.1), 44_100)
    decoded = list(decode_all(corpus_copy, names, workers=2))
    assert [row for row, clip in enumerate(decoded) if clip.problem] == [*range(20)]
    (problem,) = uneven(names, decoded)
    assert problem.where == names[50]
    others = "39 of 40 clips 1.000 s (32,000 samples at 32 kHz)"
    assert problem.what == f"lasts 0.500 s (16,000 samples at 32 kHz), {others}"


@pytest.mark.parametrize("in_processes", [False, True], ids=["threads", "processes"])
def test_whole_clips_are_written_in_their_places_around_those_that_are_not(
    corpus_copy: Path, tmp_path: Path, in_processes: bool
) -> None:
    names, into = Corpus.open(corpus_copy).filenames[:60], tmp_path / "waveforms"
    (corpus_copy / names[20]).write_bytes(b"")
    (corpus_copy / names[23]).unlink()
    (corpus_copy / names[24]).unlink()
    (corpus_copy / names[24]).symlink_to("/dev/zero")  # nobody must look into it, also ahead of time
    soundfile.write(corpus_copy / names[50], np.full(22_050, 0.1), 44_100)
    decoded = list(decode_all(corpus_copy, names, into, workers=2, in_processes=in_processes))
    written = np.fromfile(into, dtype=np.int16).reshape(60, 32_000)
    for row, (name, clip) in enumerate(zip(names, decoded, strict=True)):
        is_whole = row not in (20, 23, 24, 50)
        expected = read_clip(corpus_copy, name)[0] if is_whole else np.zeros(32_000, dtype=np.int16)
        np.testing.assert_array_equal(written[row], expected)
        assert clip.checksum == (zlib.crc32(written[row].tobytes()) if is_whole else 0)


def test_long_clips_do_not_wait_in_memory_for_each_other(tmp_path: Path) -> None:
    seconds, names = 60, [f"{number}.wav" for number in range(8)]
    noise = np.random.default_rng(0).integers(-9_000, 9_000, seconds * 32_000).astype(np.int16)
    for name in names:
        soundfile.write(tmp_path / name, noise, 32_000)
    tracemalloc.start()
    try:
        decoded = list(decode_all(tmp_path, names, tmp_path / "waveforms", workers=1))
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    written = np.fromfile(tmp_path / "waveforms", dtype=np.int16).reshape(len(names), -1)
    assert all(np.array_equal(row, noise) for row in written)
    assert {clip.checksum for clip in decoded} == {zlib.crc32(noise.tobytes())}
    assert most < 8 * noise.nbytes, f"{most / noise.nbytes:.1f} clips were in memory"


def test_the_odd_clip_is_blamed_where_it_is_the_first_one(corpus_copy: Path) -> None:
    names = Corpus.open(corpus_copy).filenames[:40]
    samples, rate = soundfile.read(corpus_copy / names[0])
    soundfile.write(corpus_copy / names[0], np.append(samples, [0.1] * 2), rate)
    (problem,) = uneven(names, list(decode_all(corpus_copy, names, workers=2)))
    assert problem.where == names[0]
    assert "lasts 1.000 s (32,001 samples at 32 kHz), 39 of 40 clips 1.000 s (32,000 samples" in problem.what


def test_corpus_without_a_whole_clip_is_all_problems(tmp_path: Path) -> None:
    decoded = list(decode_all(tmp_path, [f"{number}.wav" for number in range(40)]))
    assert [clip.samples for clip in decoded] == [0] * 40
    assert all(clip.problem and "no such file" in clip.problem.what for clip in decoded)


def test_killed_worker_is_an_error_in_one_line(synth_corpus: Path) -> None:
    names = Corpus.open(synth_corpus).filenames * 20
    decoded = decode_all(synth_corpus, names, workers=2, in_processes=True)
    for _ in range(40):  # the first are decoded here, the next by a worker
        next(decoded)
    worker = next(child for child in psutil.Process().children() if "spawn_main" in " ".join(child.cmdline()))
    worker.kill()
    with pytest.raises(AscError, match="a process that decoded clips was killed"):
        list(decoded)


def test_workers_end_with_the_process_that_started_them(synth_corpus: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from asc_experiments.corpus import Corpus\n"
        "from asc_experiments.corpus.decoding import decode_all\n"
        "if __name__ == '__main__':\n"
        "    root = Path(sys.argv[1]); names = Corpus.open(root).filenames * 500\n"
        "    decoded = decode_all(root, names, in_processes=True)\n"
        "    [next(decoded) for _ in range(40)]; print('begun', flush=True)\n"
        "    for clip in decoded: pass\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(synth_corpus)], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "begun\n"
        workers = psutil.Process(process.pid).children(recursive=True)
        os.kill(process.pid, signal.SIGKILL)
    assert workers
    gone, alive = psutil.wait_procs(workers, timeout=30)
    assert not alive, f"{len(gone)} ended"


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from([44_100, 48_000, 22_050, 8_000]), st.integers(1, 5_000)), max_size=5), st.data()
)
def test_resampler_that_is_used_again_gives_what_a_new_one_does(
    sounds: list[tuple[int, int]], data: st.DataObject
) -> None:
    chance = np.random.default_rng(data.draw(st.integers(0, 99)))
    for rate, length in sounds:
        samples = chance.normal(size=length).astype(np.float32)
        np.testing.assert_array_equal(resample(samples, rate), soxr.resample(samples, rate, 32_000, quality="HQ"))


def test_large_corpus_is_decoded_in_processes(synth_corpus: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kinds: list[bool] = []
    real = decoding._pool
    monkeypatch.setattr(decoding, "_pool", lambda workers, kind: kinds.append(kind) or real(workers, False))
    names = Corpus.open(synth_corpus).filenames
    for most in (len(names) + 1, len(names)):
        monkeypatch.setattr(decoding, "_ENOUGH_FOR_PROCESSES", most)
        list(decode_all(synth_corpus, names[:200]))
    assert kinds == [False, True]
