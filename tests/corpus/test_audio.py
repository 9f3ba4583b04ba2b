"""Decoding and resampling of single files."""

import io
import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from asc_experiments.corpus import audio
from asc_experiments.corpus.audio import inspect_clip, read_clip, read_mono, to_int16
from asc_experiments.training.inference import heard_windows


def wav(samples: np.ndarray, rate: int = 44_100, subtype: str = "PCM_16") -> bytes:
    buffer = io.BytesIO()
    soundfile.write(buffer, samples, rate, format="WAV", subtype=subtype)
    return buffer.getvalue()


def flac(samples: np.ndarray, rate: int = 44_100) -> bytes:
    buffer = io.BytesIO()
    soundfile.write(buffer, samples, rate, format="FLAC", subtype="PCM_16")
    return buffer.getvalue()


def without_a_length(data: bytes) -> bytes:
    """A FLAC file as an encoder leaves it that wrote into a pipe: 36 bits of length, and the checksum, are zero."""
    return data[:21] + bytes([data[21] & 0xF0]) + bytes(4 + 16) + data[42:]


def tone(seconds: float = 1.0, rate: int = 44_100) -> np.ndarray:
    return 0.3 * np.sin(2 * np.pi * 440 * np.arange(int(seconds * rate)) / rate)


def test_resampled_clips_are_the_published_ones(shared: Path) -> None:
    golden = np.load(shared / "parity" / "frontend.npz")
    folder = shared / "data" / "field-recordings" / "audio"
    for name, expected in zip(golden["files"], golden["waveform_32k"], strict=True):
        samples, problem, *_ = read_clip(folder, str(name))
        assert problem is None
        np.testing.assert_allclose(samples / 32_768.0, expected, atol=2e-5)


def test_good_clip_has_no_problem_and_32000_samples_per_second() -> None:
    samples, problem, _ = inspect_clip(wav(tone()), "x.wav")
    assert problem is None
    assert samples is not None
    assert (samples.dtype, samples.shape) == (np.int16, (32_000,))


NAN = tone()
NAN[100] = np.nan


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b"", "0 bytes"),
        (b"RIFF and so on", "not a readable sound file"),
        (wav(tone())[:30_001], "truncated: the header promises 44100 samples"),
        (wav(np.stack([tone(), tone()], axis=1)), "has 2 channels"),
        (wav(tone(rate=8_000), rate=8_000), "8000 Hz"),
        (wav(NAN, subtype="FLOAT"), "not finite"),
        (wav(np.zeros(44_100)), "silent"),
        (wav(tone() / 0.3 * 5e-6, subtype="FLOAT"), "is silent: every sample is zero at 16 bits"),
        (wav(np.zeros(0)), "holds no samples"),
    ],
    ids=["zero bytes", "no WAV", "truncated", "stereo", "8 kHz", "NaN", "silence", "less than a bit", "no samples"],
)
def test_broken_clip_is_a_problem_with_a_remedy(data: bytes, what: str) -> None:
    samples, problem, _ = inspect_clip(data, "audio/x.wav")
    assert samples is None
    assert problem is not None
    assert problem.where == "audio/x.wav"
    assert what in problem.what
    assert problem.remedy


def test_loud_samples_are_clipped_and_not_wrapped() -> None:
    np.testing.assert_array_equal(to_int16(np.array([2.0, -2.0, 0.5])), [32_767, -32_768, 16_384])


@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_24"])
def test_the_fast_way_to_read_hears_what_libsndfile_hears(subtype: str) -> None:
    """TAU22's clips have 24 bits; every value of them is a float32, so nothing is lost on either way."""
    noise = np.random.default_rng(0).uniform(-1, 1, 44_100)
    noise[:4] = (-1.0, 1.0, 2.0**-23, -(2.0**-23))
    data = wav(noise, subtype=subtype)
    fast = audio._plain_clip(data)
    assert fast is not None
    assert fast[1] == 44_100
    assert fast[0].dtype == np.float32
    np.testing.assert_array_equal(fast[0], read_mono(data)[0])


@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_24"])
@settings(max_examples=200, deadline=None)
@given(st.binary(min_size=1, max_size=4), st.integers(0, 43))
def test_damaged_headers_are_read_fast_only_where_libsndfile_agrees(subtype: str, noise: bytes, at: int) -> None:
    data = bytearray(wav(tone(0.01), subtype=subtype))
    data[at : at + len(noise)] = noise
    fast = audio._plain_clip(bytes(data))
    if fast is not None:
        slow, rate = read_mono(bytes(data))
        assert fast[1] == rate
        np.testing.assert_array_equal(fast[0], slow)


@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_24", "FLOAT"])
@pytest.mark.parametrize("size", [0x7FFFF000, 0x80000000, 0xFFFFFFFF, 0x7FFFFFFF - 36])
def test_wav_that_was_written_into_a_pipe_is_whole(subtype: str, size: int) -> None:
    """As sox, arecord, ffmpeg and others leave the size in its header."""
    data = bytearray(wav(tone(), subtype=subtype))
    place = data.index(b"data") + 4
    data[place : place + 4] = size.to_bytes(4, "little")
    data[4:8] = min(size + 36, 0xFFFFFFFF).to_bytes(4, "little")
    samples, problem, _ = inspect_clip(bytes(data), "x.wav")
    assert problem is None
    np.testing.assert_array_equal(samples, inspect_clip(wav(tone(), subtype=subtype), "x.wav").samples)


def test_flac_that_was_written_into_a_pipe_is_heard(tmp_path: Path) -> None:
    whole, piped = flac(tone(3.0)), without_a_length(flac(tone(3.0)))
    samples, problem, _ = inspect_clip(piped, "x.flac")
    assert problem is None
    np.testing.assert_array_equal(samples, inspect_clip(whole, "x.flac").samples)
    np.testing.assert_array_equal(read_mono(piped)[0], read_mono(whole)[0])


def test_flac_without_a_length_that_is_too_long_is_given_up_early(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audio, "MOST_SAMPLES_OF_A_CLIP", 100_000)
    _, problem, _ = inspect_clip(without_a_length(flac(tone(3.0))), "x.flac")
    assert problem is not None
    assert "holds more than 100,000 samples" in problem.what


def test_loud_floats_are_heard_in_prediction_as_they_are_stored() -> None:
    """Else a network would hear in recordings what it never heard in training."""
    data = wav(8 * tone(), subtype="FLOAT")
    stored, _, peak = inspect_clip(data, "x.wav")
    assert stored is not None
    assert peak == pytest.approx(2.4, abs=0.01)
    heard = heard_windows(*read_mono(data))[0]
    assert np.abs(heard - stored / 32_768.0).max() <= 0.5 / 32_768 + 1e-7


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=400), st.integers(0, 400))
def test_any_bytes_are_a_clip_or_a_problem(noise: bytes, at: int) -> None:
    data = bytearray(wav(tone(0.01)))
    data[at : at + len(noise)] = noise
    samples, problem, _ = inspect_clip(bytes(data), "x.wav")
    assert (samples is None) != (problem is None)


def chunk(name: bytes, body: bytes) -> bytes:
    return name + len(body).to_bytes(4, "little") + body + b"\0" * (len(body) % 2)


@pytest.mark.parametrize("extra", [chunk(b"JUNK", bytes(5)), chunk(b"LIST", b"field data 2019 recordings")])
def test_chunks_before_the_sound_are_passed_over(extra: bytes) -> None:
    plain = wav(tone())
    body = plain[8:12] + extra + plain[12:]
    samples, problem, _ = inspect_clip(b"RIFF" + len(body).to_bytes(4, "little") + body, "x.wav")
    assert problem is None
    assert samples is not None
    _, cut, _ = inspect_clip((b"RIFF" + len(body).to_bytes(4, "little") + body)[:40_001], "x.wav")
    assert cut is not None
    assert "truncated" in cut.what


def _wave(bits: int, channels: int, rate: int, data: bytes) -> bytes:
    block = channels * bits // 8
    head = struct.pack(
        "<4sI8sIHHIIHH", b"RIFF", 36 + len(data), b"WAVEfmt ", 16, 1, channels, rate, rate * block, block, bits
    )
    return head + struct.pack("<4sI", b"data", len(data)) + data


@pytest.mark.parametrize("at", [None, *range(0, 44)])
@pytest.mark.parametrize("value", [0, 1, 2, 24, 255])
def test_short_header_says_what_python_s_reader_says_of_it(
    at: int | None, value: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With any byte of it changed, too."""
    for bits, channels, rate in ((24, 1, 44_100), (16, 1, 48_000), (16, 2, 44_100), (8, 1, 44_100), (24, 1, 22_050)):
        data = bytearray(_wave(bits, channels, rate, bytes(range(1, 61))))
        if at is not None:
            data[at] = value
        found = audio._plain_header(bytes(data))
        with monkeypatch.context() as patch:
            patch.setattr(audio, "_short_header", lambda _: None)
            assert found == audio._plain_header(bytes(data))


def test_folder_that_becomes_a_link_out_of_the_corpus_is_left_alone(tmp_path: Path) -> None:
    for name in ("corpus/audio", "outside"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "x.wav").write_bytes(b"secret")
    root = tmp_path / "corpus"
    assert audio.unfit(root, "audio/x.wav") is None
    (root / "audio").rename(root / "before")
    (root / "audio").symlink_to(tmp_path / "outside")
    problem = audio.unfit(root, "audio/x.wav")
    assert problem is not None
    assert "leads out" in problem.what
