"""Stored networks, served networks, and files of any length and rate."""

import pickle
import tempfile
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file

from asc_experiments.base.errors import AscError
from asc_experiments.training import SceneNetwork, load_network, make_recipe, save_network
from asc_experiments.training.inference import (
    classify,
    classify_along,
    classify_files,
    find_sound_files,
    left_out,
    windows,
)


@pytest.fixture(scope="module")
def network() -> SceneNetwork:
    torch.manual_seed(0)
    return SceneNetwork(make_recipe("cp_mobile", base_channels=8), ("bus", "park", "tram")).eval()


def test_stored_network_gives_the_same_logits(network: SceneNetwork, tmp_path: Path) -> None:
    save_network(network, tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["network.json", "weights.safetensors"]
    waveforms = torch.randn(2, 32_000)
    with torch.no_grad():
        assert torch.equal(load_network(tmp_path)(waveforms), network(waveforms))


def test_stored_weights_are_plain_tensors(network: SceneNetwork, tmp_path: Path) -> None:
    save_network(network, tmp_path)
    stored = load_file(tmp_path / "weights.safetensors")
    assert stored.keys() == network.model.state_dict().keys()
    assert all(torch.equal(stored[name], value) for name, value in network.model.state_dict().items())
    with pytest.raises(pickle.UnpicklingError):
        torch.load(tmp_path / "weights.safetensors", weights_only=True)


@pytest.mark.parametrize("name", ["network.json", "weights.safetensors"])
@pytest.mark.parametrize("damage", ["gone", "cut", "other", "list"])
def test_damaged_network_is_a_clear_error(network: SceneNetwork, tmp_path: Path, name: str, damage: str) -> None:
    save_network(network, tmp_path)
    path = tmp_path / name
    if damage == "gone":
        path.unlink()
    else:
        path.write_bytes({"cut": path.read_bytes()[:100], "other": b"{}", "list": b"[]"}[damage])
    with pytest.raises(AscError, match="holds no readable network"):
        load_network(tmp_path)


def test_weights_of_another_size_are_a_clear_error(network: SceneNetwork, tmp_path: Path) -> None:
    save_network(SceneNetwork(make_recipe("cp_mobile", base_channels=16), network.scenes), tmp_path)
    weights = (tmp_path / "weights.safetensors").read_bytes()
    save_network(network, tmp_path)
    (tmp_path / "weights.safetensors").write_bytes(weights)
    with pytest.raises(AscError, match="holds no readable network"):
        load_network(tmp_path)


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 500), st.integers(1, 90))
def test_windows_cover_every_sample(samples: int, length: int) -> None:
    signal = np.arange(samples)
    cut = windows(signal, length)
    assert cut.shape[1] == length
    assert set(cut.flatten()) == set(signal)
    assert len(cut) == max(1, -(-samples // length))


def test_short_clip_is_repeated_and_a_remainder_reaches_back() -> None:
    np.testing.assert_array_equal(windows(np.array([1, 2, 3]), 7), [[1, 2, 3, 1, 2, 3, 1]])
    np.testing.assert_array_equal(windows(np.arange(7), 3), [[0, 1, 2], [3, 4, 5], [4, 5, 6]])


def test_long_file_averages_its_seconds(network: SceneNetwork) -> None:
    samples = np.random.default_rng(0).normal(0, 0.1, 64_000).astype(np.float32)
    halves = (classify(network, samples[:32_000]) + classify(network, samples[32_000:])) / 2
    np.testing.assert_allclose(classify(network, samples), halves, atol=1e-6)


def test_broken_file_is_named_and_the_next_follows(network: SceneNetwork, tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_bytes(b"not a sound")
    soundfile.write(tmp_path / "aa.wav", np.array([0.1, np.nan]), 32_000, subtype="FLOAT")
    soundfile.write(tmp_path / "ab.wav", np.zeros(0), 32_000)
    soundfile.write(tmp_path / "b.flac", np.full((4_000, 2), 0.1), 8_000)
    found = list(classify_files(network, find_sound_files([tmp_path])[0]))
    assert [prediction.path.name for prediction in found] == ["a.wav", "aa.wav", "ab.wav", "b.flac"]
    assert "not a readable sound file" in found[0].error
    assert [prediction.error for prediction in found[1:3]] == [
        "holds samples that are not finite (NaN or infinite)", "holds no samples",
    ]  # fmt: skip
    assert not found[3].error
    assert found[3].distribution is not None
    assert found[3].distribution[found[3].scene] == found[3].probability == max(found[3].distribution.values())
    assert sum(found[3].distribution.values()) == pytest.approx(1.0)


@settings(max_examples=15, deadline=None)
@given(st.lists(st.sampled_from([0, 5, 32_000, 33_000, 70_000, 600_000]), min_size=1, max_size=30))
def test_files_classified_together_are_as_if_each_were_alone(lengths: list[int]) -> None:
    alone = SceneNetwork(make_recipe("cp_mobile", base_channels=8), ("bus", "park", "tram")).eval()
    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder, f"{number}.wav") for number in range(len(lengths))]
        sounds = [rng.normal(0, 0.1, length).astype(np.float32) for length in lengths]
        for path, sound in zip(paths, sounds, strict=True):
            soundfile.write(path, sound, 32_000, subtype="FLOAT")
        found = list(classify_files(alone, paths))
    assert [prediction.path for prediction in found] == paths
    for prediction, sound in zip(found, sounds, strict=True):
        assert bool(prediction.error) == (len(sound) == 0)
        if prediction.distribution is not None:
            said = list(prediction.distribution.values())
            np.testing.assert_allclose(said, classify(alone, sound), atol=1e-6)


def test_files_are_read_as_they_are_needed(network: SceneNetwork, tmp_path: Path) -> None:
    paths = [tmp_path / f"{number}.wav" for number in range(40)]
    for path in paths[:20]:
        soundfile.write(path, np.full(32_000, 0.1), 32_000)
    found = classify_files(network, paths)
    assert not next(found).error
    for path in paths[20:]:
        soundfile.write(path, np.full(32_000, 0.1), 32_000)
    assert not any(prediction.error for prediction in found)


def test_whatever_libsndfile_reads_is_found_and_the_rest_is_named(network: SceneNetwork, tmp_path: Path) -> None:
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, 48_000)
    for name in ("a.WAV", "b.mp3", "c.aiff", "d.au", "e.ogg"):
        soundfile.write(tmp_path / name, noise, 48_000)
    (tmp_path / "cover.jpg").write_bytes(b"picture")
    (tmp_path / "voice.m4a").write_bytes(b"sound of another kind")
    found, others = find_sound_files([tmp_path])
    assert [path.name for path in found] == ["a.WAV", "b.mp3", "c.aiff", "d.au", "e.ogg"]
    assert left_out(others).endswith(f": {tmp_path / 'cover.jpg'}, {tmp_path / 'voice.m4a'}")
    assert [prediction.error for prediction in classify_files(network, found)] == [""] * 5


def test_many_files_left_out_are_counted() -> None:
    assert left_out([Path(f"{n}.txt") for n in range(8)]).endswith(": 0.txt, 1.txt, 2.txt, 3.txt, 4.txt and 3 more")


def test_nothing_to_classify_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(AscError, match="holds no sound files"):
        find_sound_files([tmp_path])
    with pytest.raises(AscError, match="no such file or folder"):
        find_sound_files([tmp_path / "nowhere"])


def test_a_table_is_not_read_as_a_sound(tmp_path: Path) -> None:
    (tmp_path / "fold1_test.csv").write_text("filename\naudio/a.wav\n")
    with pytest.raises(AscError, match="is a table, and no sound; give the sound files that it lists"):
        find_sound_files([tmp_path / "fold1_test.csv"])


@pytest.mark.parametrize(
    ("samples", "every", "begins"),
    [
        (96_000, 1.0, [0, 32_000, 64_000]),
        (100_000, 1.0, [0, 32_000, 64_000, 68_000]),  # the last one reaches back
        (64_000, 0.25, [0, 8_000, 16_000, 24_000, 32_000]),
        (96_000, 2.0, [0, 64_000]),
        (32_000, 1.0, [0]),
        (100, 1.0, [0]),
    ],
)
def test_windows_of_a_file_are_told_with_their_times(
    network: SceneNetwork, tmp_path: Path, samples: int, every: float, begins: list[int]
) -> None:
    sound = np.random.default_rng(0).normal(0, 0.1, samples).astype(np.float32)
    soundfile.write(tmp_path / "a.wav", sound, 32_000, subtype="FLOAT")
    found = list(classify_along(network, [tmp_path / "a.wav"], every))
    assert [prediction.begin for prediction in found] == [begin / 32_000 for begin in begins]
    assert [prediction.end for prediction in found] == [min(begin + 32_000, samples) / 32_000 for begin in begins]
    assert [prediction.is_last for prediction in found] == [False] * (len(begins) - 1) + [True]
    for prediction, begin in zip(found, begins, strict=True):
        expected = classify(network, sound[begin : begin + 32_000])
        assert prediction.distribution is not None
        np.testing.assert_allclose(list(prediction.distribution.values()), expected, atol=1e-6)


def test_a_broken_file_among_windows_is_named_and_the_next_follows(network: SceneNetwork, tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_bytes(b"not a sound")
    soundfile.write(tmp_path / "b.wav", np.full(64_000, 0.1), 32_000)
    broken, first, second = classify_along(network, [tmp_path / "a.wav", tmp_path / "b.wav"], 1.0)
    assert "not a readable sound file" in broken.error
    assert broken.is_last
    assert (first.begin, second.begin) == (0.0, 1.0)


def test_files_of_several_devices_are_answered_in_their_order(network: SceneNetwork, tmp_path: Path) -> None:
    torch.manual_seed(1)
    several = SceneNetwork(network.recipe, network.scenes).eval()
    several.of_devices = {"a": network, "s1": SceneNetwork(network.recipe, network.scenes).eval()}
    paths = []
    for number, device in enumerate(["a", "s1", "b", "a", "b", "s1"]):
        paths.append(tmp_path / f"{number}-{device}.wav")
        soundfile.write(paths[-1], np.random.default_rng(number).normal(0, 0.1, 32_000), 32_000)
    paths.insert(2, tmp_path / "gone-a.wav")

    def device_of(path: Path) -> str:
        return path.stem.split("-")[1]

    found = list(classify_files(several, paths, device_of))
    assert [each.path for each in found] == paths
    assert found[2].error
    along = list(classify_along(several, paths, 1.0, device_of))
    for each, other in zip(found, along, strict=True):
        if not each.error:
            samples = soundfile.read(each.path, dtype="float32")[0]
            expected = classify(several.for_device(device_of(each.path)), samples)
            np.testing.assert_allclose(list((each.distribution or {}).values()), expected, atol=1e-6)
            np.testing.assert_allclose(list((other.distribution or {}).values()), expected, atol=1e-6)
