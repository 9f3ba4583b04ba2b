"""A table of waveforms in, a table of scenes out."""

import numpy as np
import pandas as pd
import pytest
import torch

from asc_experiments.base.errors import AscError
from asc_experiments.training import SceneNetwork, make_recipe
from asc_experiments.training.inference import classify
from asc_experiments.training.serving import ScenePredictor


def predictor(*scenes: str) -> ScenePredictor:
    torch.manual_seed(0)
    return ScenePredictor(SceneNetwork(make_recipe("cp_mobile", base_channels=8), scenes).eval())


def noise(samples: int) -> np.ndarray:
    return np.random.default_rng(samples).normal(0, 0.1, samples).astype(np.float32)


def test_an_array_is_rows_at_32_khz() -> None:
    served = predictor("bus", "park", "tram")
    waveforms = noise(64_000).reshape(2, 32_000)
    table = served.predict(waveforms)
    assert list(table.columns) == [
        "scene", "probability", "probability/bus", "probability/park", "probability/tram",
    ]  # fmt: skip
    with torch.no_grad():
        expected = served.network(torch.from_numpy(waveforms)).softmax(dim=-1).numpy()
    np.testing.assert_allclose(table.iloc[:, 2:].to_numpy(), expected, atol=1e-6)


def test_scenes_named_like_other_columns_lose_nothing() -> None:
    table = predictor("scene", "probability", "waveform").predict(noise(2_000)[None])
    assert len(set(table.columns)) == len(table.columns) == 5
    assert table["scene"].item() in ("scene", "probability", "waveform")
    assert (
        table["probability"].item() == table.iloc[0, 2:].max() == table[f"probability/{table['scene'].item()}"].item()
    )


def test_many_rows_of_mixed_lengths_keep_their_order_and_index() -> None:
    served = predictor("bus", "park", "tram")
    rng = np.random.default_rng(0)
    waveforms = [noise(int(samples)) for samples in rng.integers(1, 200_000, size=40)]
    table = served.predict(pd.DataFrame({"waveform": waveforms}, index=range(100, 140)))
    assert list(table.index) == list(range(100, 140))
    expected = np.stack([classify(served.network, waveform) for waveform in waveforms])
    np.testing.assert_allclose(table.iloc[:, 2:].to_numpy(), expected, atol=1e-6)


def test_no_rows_give_no_rows() -> None:
    table = predictor("bus", "park").predict(pd.DataFrame({"waveform": []}))
    assert table.shape == (0, 4)


@pytest.mark.parametrize("rate", [None, float("nan"), pd.NA, 32_000, 32_000.0, np.int64(32_000)])
def test_an_empty_rate_is_32_khz(rate: object) -> None:
    served, waveform = predictor("bus", "park"), noise(1_000)
    table = served.predict(pd.DataFrame({"waveform": [waveform], "sampling_rate": [rate]}))
    pd.testing.assert_frame_equal(table, served.predict(waveform[None]))


@pytest.mark.parametrize(
    ("waveform", "rate", "words"),
    [
        ([], 32_000, "holds no samples"),
        ([0.1, np.inf], 32_000, "not finite"),
        ([0.1, None], 32_000, "not finite"),
        ([[0.1], [0.2]], 32_000, "no list of numbers"),
        ([[0.1], [0.2, 0.3]], 32_000, "no list of numbers"),
        (["a"], 32_000, "no list of numbers"),
        (0.1, 32_000, "no list of numbers"),
        ([0.1], 0, "sampling rate of 0 Hz"),
        ([0.1], -1, "sampling rate of -1 Hz"),
        ([0.1], 99, "sampling rate of 99 Hz"),
        ([0.1], 8_000.5, "no whole number"),
        ([0.1], float("inf"), "no whole number"),
        ([0.1], "fast", "no number"),
    ],
)
def test_the_first_row_that_is_no_sound_is_named(waveform: object, rate: object, words: str) -> None:
    sounds = pd.DataFrame({"waveform": [[0.1], waveform, []], "sampling_rate": [None, rate, None]}, dtype=object)
    with pytest.raises(AscError, match=f"row 1: .*{words}"):
        predictor("bus", "park").predict(sounds)


def test_other_input_is_refused_with_what_to_give() -> None:
    with pytest.raises(AscError, match="no column 'waveform'"):
        predictor("bus", "park").predict(pd.DataFrame({"wave": [[0.1]]}))
    with pytest.raises(AscError, match="3 dimensions; give"):
        predictor("bus", "park").predict(np.zeros((2, 2, 2)))


def test_rows_go_to_the_network_of_their_device_and_others_to_the_general_one() -> None:
    torch.manual_seed(0)
    recipe, scenes = make_recipe("cp_mobile", base_channels=8), ("bus", "park", "tram")
    general = SceneNetwork(recipe, scenes).eval()
    general.of_devices = {device: SceneNetwork(recipe, scenes).eval() for device in ("a", "s1")}
    served = ScenePredictor(general)
    devices = ["s1", "a", "s9", None, float("nan"), "s1", 3]
    waveforms = [noise(40_000 + number) for number in range(len(devices))]
    table = served.predict(pd.DataFrame({"waveform": waveforms, "device": devices}, index=range(50, 57)))
    assert list(table.index) == list(range(50, 57))
    networks = [general.for_device(device if isinstance(device, str) else None) for device in devices]
    expected = np.stack([classify(network, each) for network, each in zip(networks, waveforms, strict=True)])
    np.testing.assert_allclose(table.iloc[:, 2:].to_numpy(), expected, atol=1e-6)
    without = served.predict(pd.DataFrame({"waveform": waveforms}))
    expected = np.stack([classify(general, each) for each in waveforms])
    np.testing.assert_allclose(without.iloc[:, 2:].to_numpy(), expected, atol=1e-6)


def test_a_model_of_one_network_ignores_devices() -> None:
    served = predictor("bus", "park")
    sounds = pd.DataFrame({"waveform": [noise(32_000)], "device": ["a"]})
    pd.testing.assert_frame_equal(served.predict(sounds), served.predict(sounds[["waveform"]]))
