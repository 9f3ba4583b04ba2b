"""Stored networks, served networks, and files of any length and rate."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from asc_experiments.base.errors import AscError
from asc_experiments.training import SceneNetwork, load_network, make_recipe, save_network
from asc_experiments.training.inference import classify, classify_files, find_sound_files, windows
from asc_experiments.training.serving import ScenePredictor


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


@pytest.mark.parametrize("name", ["network.json", "weights.safetensors"])
@pytest.mark.parametrize("damage", ["gone", "cut", "other"])
def test_damaged_network_is_a_clear_error(network: SceneNetwork, tmp_path: Path, name: str, damage: str) -> None:
    save_network(network, tmp_path)
    path = tmp_path / name
    if damage == "gone":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[:100] if damage == "cut" else b"{}")
    with pytest.raises(AscError, match="holds no readable network"):
        load_network(tmp_path)


def test_served_network_gives_probabilities_per_scene(network: SceneNetwork) -> None:
    table = ScenePredictor(network).predict(np.zeros((2, 32_000), dtype=np.float32))
    assert list(table.columns) == ["bus", "park", "tram"]
    np.testing.assert_allclose(table.sum(axis=1), 1.0)


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 500), st.integers(1, 90))
def test_windows_cover_every_sample(samples: int, length: int) -> None:
    signal = np.arange(samples)
    cut = windows(signal, length)
    assert cut.shape[1] == length
    assert set(cut.flatten()) == set(signal)
    assert len(cut) == max(1, -(-samples // length))


def test_long_file_averages_its_seconds(network: SceneNetwork) -> None:
    samples = np.random.default_rng(0).normal(0, 0.1, 64_000).astype(np.float32)
    halves = (classify(network, samples[:32_000]) + classify(network, samples[32_000:])) / 2
    np.testing.assert_allclose(classify(network, samples), halves, atol=1e-6)


def test_broken_file_is_named_and_the_next_follows(network: SceneNetwork, tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_bytes(b"not a sound")
    soundfile.write(tmp_path / "b.flac", np.full((4_000, 2), 0.1), 8_000)
    found = list(classify_files(network, find_sound_files([tmp_path])))
    assert [prediction.path.name for prediction in found] == ["a.wav", "b.flac"]
    assert "not a readable sound file" in found[0].error
    assert found[1].scene in network.scenes
    assert found[1].distribution is not None
    assert sum(found[1].distribution.values()) == pytest.approx(1.0)


def test_nothing_to_classify_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(AscError, match="holds no sound files"):
        find_sound_files([tmp_path])
    with pytest.raises(AscError, match="no such file or folder"):
        find_sound_files([tmp_path / "nowhere"])
