"""Recordings of several seconds are found by the names of the clips that were cut from them."""

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from asc_experiments.augment import AugmentationContext, AugmentationSettings, Augmenter
from asc_experiments.augment.batch import Windows
from asc_experiments.corpus import Corpus, ValidationSplit, split_training_fold
from asc_experiments.corpus.reader import Clip
from asc_experiments.corpus.readers.tau import recording_of
from asc_experiments.corpus.segments import Segments, find_segments
from asc_experiments.training import ClipSource

SAMPLES = 7
"""Length of a clip in these tests."""


def corpus_of(*clips: Clip) -> Corpus:
    return Corpus(Path("somewhere"), clips, len(clips))


def tau_clip(*said: str) -> Clip:
    recording, second = recording_of(*said)
    return Clip(*said, recording=recording, position=second)


def clip(scene: str, identifier: str, segment: object, second: object, device: str) -> Clip:
    return tau_clip(f"audio/{scene}-{identifier}-{segment}-{second}-{device}.wav", scene, identifier, device)


def cropping(probability: float, segments: Segments | None = None, samples: int = SAMPLES) -> Augmenter:
    context = AugmentationContext(samples=samples, segments=segments)
    return Augmenter(AugmentationSettings(segment_crop=probability), np.random.default_rng(0), context)


def windows_of(augmenter: Augmenter, rows: np.ndarray) -> Windows | None:
    batch = augmenter.batch(rows, np.zeros(len(rows), dtype=bool), 15_500.0)
    augmenter.apply("clips", batch)
    return batch.windows


def lengths(corpus: Corpus) -> list[int]:
    return find_segments(corpus, corpus.train_rows).length.tolist()


recordings = st.tuples(
    st.sampled_from(["bus", "metro", "metro_station", "metro-station"]),
    st.sampled_from(["lisbon-1", "lisbon-11", "station-1"]),
    st.sampled_from([1, 11, 40_000]),
    st.sampled_from(["a", "b", "s1", "a-1"]),
)
clips_of_corpora = st.sets(st.tuples(recordings, st.integers(0, 9)), min_size=1, max_size=60)


@settings(max_examples=60, deadline=None)
@given(clips_of_corpora, st.randoms(use_true_random=False), st.floats(0, 1), st.floats(0.1, 1))
def test_windows_are_slices_of_their_own_recording(
    chosen: set, random: object, share_held_out: float, probability: float
) -> None:
    places = sorted(chosen)
    random.shuffle(places)
    corpus = corpus_of(
        *(clip(scene, where, segment, second, device) for (scene, where, segment, device), second in places)
    )
    names = sorted({recording for recording, _ in places})
    # A sample says which recording it is of and where in it, so that any window can be traced back.
    waveforms = np.array(
        [200 * names.index(recording) + second * SAMPLES + np.arange(SAMPLES) for recording, second in places], np.int16
    )
    rows = np.array([row for row in range(len(places)) if random.random() >= share_held_out], dtype=np.int64)
    segments = find_segments(corpus, rows)
    assert sorted(segments.order.tolist()) == rows.tolist()
    source = ClipSource(waveforms, corpus.labels, np.zeros(len(places), dtype=bool), torch.device("cpu"))
    cropped = windows_of(cropping(probability, segments), np.repeat(rows, 20))
    assert cropped is not None
    assert set(cropped[0].tolist()) | set(cropped[1].tolist()) <= set(rows.tolist()), "nothing that is held out"
    windows = (source.windows(*cropped) * 32_768).round().long().numpy().reshape(len(rows), 20, SAMPLES)
    assert (np.diff(windows) == 1).all(), "neighbouring samples of one recording"
    for row, found in zip(rows, windows, strict=True):
        recording, second = places[row]
        assert set((found // 200).flat) <= {names.index(recording)}
        heard = {places[other][1] for other in rows if places[other][0] == recording}
        run = {second} | {n for n in heard if set(range(min(n, second), max(n, second))) <= heard}
        assert set((found % 200 // SAMPLES).flat) <= run
        assert int(segments.length[row]) == len(run)


def test_every_position_in_the_recording_is_drawn_equally_often() -> None:
    corpus = corpus_of(*(clip("bus", "lisbon-1", 1, second, "a") for second in (2, 0, 1)))
    segments = find_segments(corpus, corpus.train_rows)
    cropped = windows_of(cropping(1.0, segments), np.zeros(15_000, dtype=np.int64))
    assert cropped is not None
    first, _, offset = cropped
    second = np.array([2, 0, 1])[first]
    counts = np.bincount(second * SAMPLES + offset, minlength=2 * SAMPLES + 1)
    assert len(counts) == 2 * SAMPLES + 1
    assert (abs(counts - 1_000) < 150).all(), "five standard deviations"


def test_share_of_the_clips_that_give_way_is_the_probability() -> None:
    corpus = corpus_of(*(clip("bus", "lisbon-1", 1, second, "a") for second in range(10)))
    segments = find_segments(corpus, corpus.train_rows)
    rows = np.tile(np.arange(10), 1_000)
    cropped = windows_of(cropping(0.3, segments, 32_000), rows)
    assert cropped is not None
    assert np.mean(cropped[2] > 0) == pytest.approx(0.3, abs=0.02)
    unmoved = cropped[2] == 0
    np.testing.assert_array_equal(cropped[0][unmoved], rows[unmoved])


def test_crop_that_is_off_draws_no_random_number() -> None:
    augmenter = cropping(0.0)
    before = augmenter.rng.bit_generator.state
    assert windows_of(augmenter, np.arange(4)) is None
    assert augmenter.rng.bit_generator.state == before


def test_crop_without_segments_is_refused() -> None:
    with pytest.raises(ValueError, match="segment_crop needs segments"):
        cropping(0.5)


def test_missing_second_ends_a_run_and_nine_is_followed_by_ten() -> None:
    corpus = corpus_of(*(clip("bus", "lisbon-1", 1, second, "a") for second in (0, 1, 3, 9, 10, 11)))
    assert lengths(corpus) == [2, 2, 1, 3, 3, 3]


@pytest.mark.parametrize(
    "filename",
    ["audio/bus-lisbon-1-5-a.wav", "audio/bus-lisbon-1-5-x-a.wav", "audio/clip5.wav", "bus-lisbon-1-5-²-a.wav",
     "audio/bus-lisbon-2-5-1-a.wav", "audio/bus-lisbon-1-5-1-b.wav"],
)  # fmt: skip
def test_name_that_says_no_second_is_a_run_by_itself(filename: str) -> None:
    """The first is how ten-second clips are called in TAU19; the last two contradict the table."""
    others = [clip("bus", "lisbon-1", 5, second, "a") for second in (0, 2)]
    assert lengths(corpus_of(*others, tau_clip(filename, "bus", "lisbon-1", "a"))) == [1, 1, 1]


def test_no_rows_make_no_segments() -> None:
    corpus = corpus_of(clip("bus", "lisbon-1", 1, 0, "a"))
    assert find_segments(corpus, corpus.train_rows[:0]).length.tolist() == [0]


def test_field_recordings_have_runs_that_stay_out_of_the_validation_split(shared: Path) -> None:
    corpus = Corpus.open(shared / "data" / "field-recordings")
    training, _ = split_training_fold(corpus, ValidationSplit(fraction=0.2))
    segments = find_segments(corpus, training)
    assert (segments.length[training] > 1).sum() > 100
    np.testing.assert_array_equal(np.flatnonzero(segments.length), training)
