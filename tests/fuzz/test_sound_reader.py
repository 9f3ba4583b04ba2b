"""Whatever a sound file holds, it is samples or one problem, in memory of a size that its bytes can account for.

`make test` tries a few hundred inputs, `make fuzz` thousands (ASC_FUZZ: how many of each kind).
"""

import io
import os

import numpy as np
import pytest
import soundfile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from asc_experiments.corpus.audio import inspect_clip, read_mono
from asc_experiments.training.inference import heard_windows

EXAMPLES = int(os.environ.get("ASC_FUZZ", "100"))
fuzzed = settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
KINDS = [
    ("WAV", "PCM_16"), ("WAV", "FLOAT"), ("WAV", "PCM_U8"), ("WAV", "ULAW"), ("WAV", "IMA_ADPCM"), ("WAVEX", "PCM_24"),
    ("RF64", "PCM_16"), ("W64", "PCM_16"), ("FLAC", "PCM_16"), ("OGG", "VORBIS"), ("AIFF", "PCM_16"), ("AU", "PCM_16"),
    ("CAF", "PCM_16"),
]  # fmt: skip
WORDS = [value.to_bytes(4, "little") for value in (0, 1, 2, 255, 65_535, 2**31 - 1, 2**31, 2**32 - 1, 100, 44_100)]


def sound(kind: str, subtype: str, rate: int = 44_100, channels: int = 1) -> bytes:
    """A tenth of a second of noise, as a file of this kind."""
    content = io.BytesIO()
    samples = np.random.default_rng(0).uniform(-0.5, 0.5, (4_410, channels))
    soundfile.write(content, samples, rate, subtype=subtype, format=kind)
    return content.getvalue()


SOUNDS = [sound(kind, subtype, channels=channels) for kind, subtype in KINDS for channels in (1, 2)]
# Most changes go into the header, where the lengths and rates are.
places = st.integers(0, 80) | st.integers(0, 9_000)
edits = st.lists(st.tuples(places, st.integers(0, 8), st.sampled_from(WORDS) | st.binary(max_size=6)), max_size=4)


def hear(data: bytes) -> None:
    """Read it as a clip of a corpus and as a file to be predicted."""
    samples, problem, _ = inspect_clip(data, "audio/clip.wav")
    assert (samples is None) == (problem is not None)
    if problem is not None:
        assert problem.line().isprintable(), repr(problem.line())
    if samples is not None:
        assert samples.dtype == np.int16
        assert samples.ndim == 1
    try:
        heard, rate = read_mono(data)
        assert heard.ndim == 1
        heard_windows(heard, rate)
    except (soundfile.LibsndfileError, OSError, ValueError) as error:  # what prediction turns into a line per file
        assert str(error)


@fuzzed
@given(st.sampled_from(SOUNDS), edits, st.integers(0, 10_000))
def test_changed_sound_file_is_heard_or_refused(data: bytes, edits: list[tuple[int, int, bytes]], length: int) -> None:
    for place, removed, put in edits:
        data = data[:place] + put + data[place + removed :]
    hear(data[:length] if length < 2_000 else data)


@fuzzed
@given(
    st.sampled_from(SOUNDS[:18]), st.integers(4, 60), st.sampled_from(WORDS), st.integers(4, 60), st.sampled_from(WORDS)
)
def test_lying_header_is_heard_or_refused(data: bytes, first: int, one: bytes, second: int, other: bytes) -> None:
    for place, word in ((first, one), (second, other)):
        data = data[:place] + word + data[place + 4 :]
    hear(data)


@fuzzed
@given(
    st.binary(max_size=400),
    st.sampled_from([b"", b"RIFF", b"RIFF\x24\0\0\0WAVEfmt ", b"fLaC", b"OggS", b"FORM", b"caff"]),
)
def test_any_bytes_are_heard_or_refused(content: bytes, begin: bytes) -> None:
    hear(begin + content)


@pytest.mark.parametrize(("kind", "subtype"), KINDS)
def test_unchanged_sound_is_heard(kind: str, subtype: str) -> None:
    """Else the tests above could pass on refusals alone."""
    samples, problem, _ = inspect_clip(sound(kind, subtype), "audio/clip.wav")
    assert problem is None
    assert samples is not None
    assert len(samples) >= 3_200, "some kinds fill up their last block"
