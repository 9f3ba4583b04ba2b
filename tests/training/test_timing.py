"""How long a training takes is measured on clips that stand for all."""

import numpy as np
import torch

from asc_experiments.training import ClipSource, make_recipe
from asc_experiments.training.loop import Trainer
from asc_experiments.training.timing import spread, time_convolution, time_training


def test_rows_are_spread_over_all_of_them() -> None:
    np.testing.assert_array_equal(spread(np.arange(100, 200), 3), [100, 150, 199])
    np.testing.assert_array_equal(spread(np.arange(4), 8), [0, 1, 2, 3])
    assert len(set(spread(np.arange(50), 48).tolist())) == 48


def test_network_and_convolution_take_time() -> None:
    waveforms = np.random.default_rng(0).integers(-9_000, 9_000, (60, 32_000), dtype=np.int16)
    clips = ClipSource(waveforms, np.arange(60) % 10, np.ones(60, dtype=bool), torch.device("cpu"))
    scenes = tuple(map(str, range(10)))
    recipe = make_recipe("cp_mobile", base_channels=8)
    pace = time_training(recipe, clips, np.arange(60), lambda each: Trainer(each, clips, scenes))
    assert pace.training > 0
    assert pace.evaluation > 0
    assert time_convolution(np.eye(3, 500, dtype=np.float32), clips, np.arange(60)) > 0
