"""A network hears windows as long as the clips that it was trained on, wherever it is used and stored."""

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from asc_experiments.models import ARCHITECTURES
from asc_experiments.training import ClipSource, SceneNetwork, Trainer, load_network, make_recipe, save_network
from asc_experiments.training.inference import classify_along, classify_files
from asc_experiments.training.loop import predict_logits
from asc_experiments.training.network import complexity_of
from asc_experiments.training.serving import ScenePredictor

SCENES, LENGTHS = ("bus", "park", "tram"), (16_000, 32_000, 128_000)


def network_of(samples: int, **settings: object) -> SceneNetwork:
    torch.manual_seed(0)
    return SceneNetwork(make_recipe("cp_mobile", **({"base_channels": 8} | settings)), SCENES, samples).eval()


def noise(samples: int) -> np.ndarray:
    return np.random.default_rng(samples).normal(0, 0.1, samples).astype(np.float32)


def answers(network: SceneNetwork, waveforms: np.ndarray) -> np.ndarray:
    with torch.no_grad():
        return network(torch.from_numpy(waveforms)).softmax(dim=-1).numpy()


def clips_of(samples: int) -> ClipSource:
    waveforms = (noise(12 * samples).reshape(12, samples) * 32_768).astype(np.int16)
    return ClipSource(waveforms, np.arange(12) % 3, np.ones(12, dtype=bool), torch.device("cpu"))


@pytest.mark.parametrize("samples", LENGTHS)
def test_stored_network_says_how_long_its_clips_are(samples: int, tmp_path: Path) -> None:
    save_network(network_of(samples), tmp_path)
    assert load_network(tmp_path).samples == samples


def test_network_of_an_earlier_version_hears_one_second_as_it_did(tmp_path: Path) -> None:
    save_network(network_of(16_000), tmp_path)
    path = tmp_path / "network.json"
    description = json.loads(path.read_text())
    del description["samples"]
    path.write_text(json.dumps(description))
    assert load_network(tmp_path).samples == 32_000


@pytest.mark.parametrize("samples", LENGTHS)
def test_trained_network_has_the_length_of_its_clips(samples: int) -> None:
    augment = {"fms_probability": 1.0, "time_mask": 8, "roll": 4_000, "mixup_alpha": 0.3}
    recipe = make_recipe("cp_mobile", base_channels=8, epochs=1, batch_size=4, **augment)
    clips = clips_of(samples)
    network = Trainer(recipe, clips, SCENES).fit(np.arange(12))
    assert network.samples == samples
    assert np.isfinite(predict_logits(network, clips, np.arange(12))).all()


@pytest.mark.parametrize("samples", LENGTHS)
def test_logits_of_clips_do_not_depend_on_how_many_are_computed_at_a_time(
    samples: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    network, clips, rows = network_of(samples), clips_of(samples), np.arange(12)
    seen: list[int] = []
    whole = type(clips).waveforms
    monkeypatch.setattr(type(clips), "waveforms", lambda self, r: (seen.append(len(r)), whole(self, r))[1])
    found = predict_logits(network, clips, rows)
    assert max(seen) == min(12, ARCHITECTURES["cp_mobile"].evaluation_clips * 32_000 // samples)
    with torch.no_grad():
        expected = torch.cat([network(whole(clips, rows[row : row + 1])) for row in rows]).numpy()
    np.testing.assert_allclose(found, expected, atol=2e-5)


@pytest.mark.parametrize("samples", LENGTHS)
def test_file_is_answered_with_the_mean_over_windows_of_that_length(samples: int, tmp_path: Path) -> None:
    network, long, short = network_of(samples), noise(2 * samples + samples // 2), noise(samples // 3)
    for name, sound in (("long", long), ("short", short)):
        soundfile.write(tmp_path / f"{name}.wav", sound, 32_000, subtype="FLOAT")
    found = list(classify_files(network, [tmp_path / "long.wav", tmp_path / "short.wav"]))
    cut = np.stack([long[:samples], long[samples : 2 * samples], long[-samples:]])
    for prediction, windows in zip(found, (cut, np.resize(short, (1, samples))), strict=True):
        assert prediction.distribution is not None
        expected = answers(network, windows).mean(axis=0)
        np.testing.assert_allclose(list(prediction.distribution.values()), expected, atol=1e-5)


@pytest.mark.parametrize("samples", LENGTHS)
def test_windows_along_a_file_are_of_that_length(samples: int, tmp_path: Path) -> None:
    sound = noise(2 * samples + 1_000)
    soundfile.write(tmp_path / "a.wav", sound, 32_000, subtype="FLOAT")
    network = network_of(samples)
    found = list(classify_along(network, [tmp_path / "a.wav"], samples / 32_000))
    begins = [0, samples, samples + 1_000]
    assert [(each.begin, each.end) for each in found] == [(b / 32_000, (b + samples) / 32_000) for b in begins]
    expected = answers(network, np.stack([sound[begin : begin + samples] for begin in begins]))
    given = np.array([list((each.distribution or {}).values()) for each in found])
    np.testing.assert_allclose(given, expected, atol=1e-5)


@pytest.mark.parametrize("samples", LENGTHS)
def test_served_rows_are_heard_in_windows_of_that_length(samples: int) -> None:
    network, sounds = network_of(samples), noise(4 * samples).reshape(2, 2 * samples)
    table = ScenePredictor(network).predict(sounds)
    expected = [answers(network, sound.reshape(2, samples)).mean(axis=0) for sound in sounds]
    np.testing.assert_allclose(table.iloc[:, 2:].to_numpy(), expected, atol=1e-5)


def test_complexity_is_that_of_a_clip() -> None:
    recipe = make_recipe("cp_mobile", base_channels=8)
    of = {samples: complexity_of(recipe, SCENES, samples) for samples in LENGTHS}
    assert of[32_000] == complexity_of(recipe, SCENES)
    assert of[128_000] == network_of(128_000).complexity()
    assert of[16_000].macs < of[32_000].macs < of[128_000].macs
    assert of[16_000].macs_torchinfo < of[32_000].macs_torchinfo < of[128_000].macs_torchinfo
