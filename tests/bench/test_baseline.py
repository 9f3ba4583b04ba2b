"""The baseline, beside which this program is measured, computes the same."""

import numpy as np
import pytest
import torch

from asc_experiments.bench.baseline import PlainClips, PlainTrainer
from asc_experiments.training import ClipSource, Trainer, make_recipe
from asc_experiments.training.loop import predict_logits

CPU = torch.device("cpu")
SCENES = tuple("abcdefghij")
SIZES = {"cp_mobile": {"base_channels": 8}, "cp_resnet": {"base_channels": 10}, "passt": {"size": "xxs"}}


def clips(count: int = 8) -> ClipSource:
    waveforms = np.random.default_rng(0).integers(-3_000, 3_000, (count, 32_000), dtype=np.int16)
    return ClipSource(waveforms, np.arange(count) % 10, np.arange(count) % 2 == 0, CPU)


@pytest.mark.parametrize("arch", sorted(SIZES))
def test_plain_logits_are_ours(arch: str) -> None:
    recipe, source = make_recipe(arch, "none", epochs=1, **SIZES[arch]), clips()
    ours, plain = Trainer(recipe, source, SCENES), PlainTrainer(recipe, len(SCENES), CPU)
    plain.model.load_state_dict(ours.network.model.state_dict())
    said = plain.evaluate(np.asarray(source.waveforms(np.arange(8)).mul(32_768)).astype(np.int16), 3)
    expected = predict_logits(ours.network, source, np.arange(8))
    precise = 1e-3 if arch != "passt" else 0.05  # which this program computes in bfloat16
    np.testing.assert_allclose(said.numpy(), expected, atol=precise * max(1.0, float(np.abs(expected).max())))


@pytest.mark.parametrize("distilled", [False, True])
def test_plain_epoch_learns(distilled: bool) -> None:
    recipe = make_recipe("cp_mobile", "dirfms", epochs=1, batch_size=8, base_channels=8)
    source, dirs = clips(16), np.eye(2, 200, dtype=np.float32)
    waveforms = (source.waveforms(np.arange(16)).numpy() * 32_768).astype(np.int16)
    plain = PlainTrainer(recipe, len(SCENES), CPU)
    before = [value.clone() for value in plain.model.parameters()]
    given = PlainClips(waveforms, np.arange(16) % 10, source.is_reference, recipe, dirs)
    loss = plain.train_epoch(given, torch.zeros(16, 10) if distilled else None, workers=0)
    assert np.isfinite(loss)
    assert any(not torch.equal(old, new) for old, new in zip(before, plain.model.parameters(), strict=True))
