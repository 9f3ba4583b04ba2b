"""How long a training takes is measured on clips that stand for all."""

from collections.abc import Callable

import numpy as np
import pytest
import torch

from asc_experiments.training import ClipSource, make_recipe, timing
from asc_experiments.training.loop import Trainer, predict_logits, predictor
from asc_experiments.training.network import SceneNetwork
from asc_experiments.training.timing import spread, time_convolution, time_training


def test_rows_are_spread_over_all_of_them() -> None:
    np.testing.assert_array_equal(spread(np.arange(100, 200), 3), [100, 150, 199])
    np.testing.assert_array_equal(spread(np.arange(4), 8), [0, 1, 2, 3])
    assert len(set(spread(np.arange(50), 48).tolist())) == 48


@pytest.fixture
def clips() -> ClipSource:
    count = 40 * torch.get_num_threads()
    waveforms = np.random.default_rng(0).integers(-9_000, 9_000, (count, 32_000), dtype=np.int16)
    return ClipSource(waveforms, np.arange(count) % 10, np.ones(count, dtype=bool), torch.device("cpu"))


def made(clips: ClipSource) -> Trainer:
    return Trainer(make_recipe("cp_mobile", base_channels=8), clips, tuple(map(str, range(10))))


def test_network_and_convolution_take_time(clips: ClipSource) -> None:
    pace = time_training(made(clips).recipe, clips, np.arange(40), lambda _: made(clips))
    assert pace.training > 0
    assert pace.evaluation > 0
    assert time_convolution(np.eye(3, 500, dtype=np.float32), clips, np.arange(40)) > 0


def test_making_a_network_ready_and_threads_without_clips_are_no_part_of_what_a_clip_takes(
    clips: ClipSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    made_ready: list[SceneNetwork] = []

    def watched(network: SceneNetwork, clips: ClipSource) -> Callable[[np.ndarray], np.ndarray]:
        made_ready.append(network)
        predict = predictor(network, clips)

        def counted(rows: np.ndarray) -> np.ndarray:
            asked.append(len(rows))
            return predict(rows)

        return counted

    monkeypatch.setattr(timing, "predictor", watched)
    monkeypatch.setattr(timing, "_PATIENCE_S", float("inf"))  # however busy the machine is
    rows = np.arange(40 * torch.get_num_threads())
    time_training(made(clips).recipe, clips, rows, lambda _: made(clips))
    assert len(made_ready) == 1
    assert asked[0] == 8
    assert len(asked[1:]) >= 2
    assert set(asked[1:]) == {32 * torch.get_num_threads()}, "CP-Mobile takes 32 clips a thread"


def test_predictor_says_what_predict_logits_does_as_often_as_it_is_asked(clips: ClipSource) -> None:
    network = made(clips).network
    rows = np.arange(40)
    before, predict = predict_logits(network, clips, rows), predictor(network, clips)
    np.testing.assert_array_equal(predict(rows), before)
    np.testing.assert_array_equal(predict(rows), before)
