"""bfloat16 is used where it pays, and what is kept stays float32."""

from collections.abc import Callable
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from asc_experiments.base.errors import AscError
from asc_experiments.training import ClipSource, Trainer, make_recipe, precision
from asc_experiments.training.loop import predict_logits
from asc_experiments.training.precision import autocast, computes_in_bfloat16

CPU = torch.device("cpu")
SCENES = tuple("abcdefghij")


@pytest.fixture
def able(monkeypatch: pytest.MonkeyPatch) -> Callable[[bool], None]:
    """Set whether this processor multiplies bfloat16."""

    def set_(able: bool) -> None:
        monkeypatch.setattr(precision, "_multiplies_bfloat16", lambda: able)

    return set_


@pytest.mark.parametrize(
    ("arch", "training", "able_to", "expected"),
    [
        ("cp_mobile", True, True, True), ("cp_mobile", False, True, False), ("cp_resnet", False, True, False),
        ("passt", True, True, True), ("passt", False, True, True), ("passt", True, False, False),
        ("cp_mobile", True, False, False), ("passt", False, False, False),
    ],
)  # fmt: skip
def test_processor_uses_bfloat16_for_training_and_for_transformers(
    able: Callable, arch: str, training: bool, able_to: bool, expected: bool
) -> None:
    able(able_to)
    assert computes_in_bfloat16(make_recipe(arch), CPU, training) == expected
    with autocast(make_recipe(arch), CPU, training):
        assert torch.is_autocast_enabled("cpu") == expected


@pytest.mark.parametrize("training", [True, False])
def test_gpu_always_uses_bfloat16(able: Callable, training: bool) -> None:
    able(False)
    assert computes_in_bfloat16(make_recipe("cp_mobile"), torch.device("cuda"), training)


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_environment_may_ask_for_float32(able: Callable, monkeypatch: pytest.MonkeyPatch, device: str) -> None:
    able(True)
    monkeypatch.setenv("ASC_PRECISION", "float32")
    assert not computes_in_bfloat16(make_recipe("passt"), torch.device(device), True)
    monkeypatch.setenv("ASC_PRECISION", "auto")
    assert computes_in_bfloat16(make_recipe("passt"), torch.device(device), True)
    monkeypatch.setenv("ASC_PRECISION", "half")
    with pytest.raises(AscError, match="valid: auto, float32"):
        computes_in_bfloat16(make_recipe("passt"), torch.device(device), True)


def test_float32_of_a_gpu_is_not_rounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", True)
    monkeypatch.setenv("ASC_PRECISION", "float32")
    autocast(make_recipe("cp_mobile"), CPU, training=True)
    assert torch.backends.cudnn.allow_tf32
    autocast(make_recipe("cp_mobile"), torch.device("cuda"), training=True)
    assert not torch.backends.cudnn.allow_tf32


@pytest.mark.parametrize("flags", [{}, {"avx512_bf16": False}, {"avx512_bf16": True}, {"amx_bf16": True}])
def test_processor_is_asked_for_what_it_can_do(monkeypatch: pytest.MonkeyPatch, flags: dict[str, bool]) -> None:
    precision._multiplies_bfloat16.cache_clear()
    monkeypatch.setattr(torch, "cpu", SimpleNamespace(get_capabilities=lambda: flags))
    assert precision._multiplies_bfloat16() == any(flags.values())
    precision._multiplies_bfloat16.cache_clear()


@pytest.mark.parametrize("arch", ["cp_mobile", "cp_resnet", "passt"])
def test_what_bfloat16_trains_is_float32_and_close_to_what_float32_trains(able: Callable, arch: str) -> None:
    """One step of gradient descent; PyTorch computes bfloat16 on any processor, be it slowly."""
    chance = np.random.default_rng(0)
    waveforms = chance.integers(-3_000, 3_000, (16, 32_000), dtype=np.int16)
    clips = ClipSource(waveforms, np.arange(16) % 10, np.zeros(16, bool), CPU)
    size = {"cp_mobile": {"base_channels": 8}, "cp_resnet": {"base_channels": 10}, "passt": {"size": "xxs"}}[arch]
    plain = {"roll": 0, "fmax_jitter": 0, "frequency_mask": 0}
    said, losses = [], []
    for able_to in (True, False):
        able(able_to)
        trainer = Trainer(make_recipe(arch, "none", epochs=1, batch_size=16, **size, **plain), clips, SCENES)
        losses.append(trainer.train_epoch(np.arange(16)))
        assert all(value.dtype == torch.float32 for value in trainer.network.parameters())
        assert all(value.dtype != torch.bfloat16 for value in trainer.network.state_dict().values())
        able(False)
        said.append(predict_logits(trainer.network.eval(), clips, np.arange(16)))
    assert not np.array_equal(*said)
    assert losses[0] == pytest.approx(losses[1], abs=0.02)
    assert np.abs(said[0] - said[1]).max() < 0.1 * np.abs(said[1]).max() + 0.05
