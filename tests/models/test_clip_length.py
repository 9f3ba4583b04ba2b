"""Clips of any length that an architecture takes go through its frontend, its network and its counts."""

import pytest
import torch

from asc_experiments.models import ARCHITECTURES, LogMel, build_model, measure_complexity

TINY = {
    "cp_mobile": {"base_channels": 8},
    "cp_mobile_2024": {"base_channels": 8},
    "cp_resnet": {"base_channels": 8},
    "passt": {"embed_dim": 16, "depth": 1, "num_heads": 2},
}
SECONDS = (0.2, 0.5, 1, 4, 10)


def test_every_architecture_of_the_program_is_tried() -> None:
    assert set(TINY) == {name for name, each in ARCHITECTURES.items() if each.source is None}


@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("seconds", SECONDS)
@pytest.mark.parametrize("arch", TINY)
def test_clips_of_a_length_are_learned_from_and_answered(arch: str, seconds: float, precision: torch.dtype) -> None:
    architecture, samples = ARCHITECTURES[arch], round(32_000 * seconds)
    assert architecture.limit(samples) == ""
    torch.manual_seed(0)
    features = LogMel.for_arch(arch)(0.1 * torch.randn(2, samples))
    assert features.shape[1:] == (1, architecture.frontend.mels, architecture.frontend.frames(samples))
    model = build_model(arch, n_classes=3, **TINY[arch]).train()
    with torch.autocast("cpu", torch.bfloat16, enabled=precision == torch.bfloat16):
        logits = model(features)
    logits.float().logsumexp(dim=1).sum().backward()
    assert logits.shape == (2, 3)
    used = [each.grad for each in model.parameters() if each.grad is not None]
    assert all(torch.isfinite(each).all() for each in used)
    assert torch.isfinite(model.eval()(features)).all()


@pytest.mark.parametrize("arch", TINY)
def test_shortest_clip_is_taken_and_a_sample_less_is_refused(arch: str) -> None:
    architecture = ARCHITECTURES[arch]
    frontend, model = LogMel.for_arch(arch), build_model(arch, n_classes=3, **TINY[arch]).eval()
    least = next(samples for samples in range(1, 32_000) if not architecture.limit(samples))
    assert torch.isfinite(model(frontend(torch.randn(2, least)))).all()
    assert architecture.limit(least - 1) == f"at least {least / 32_000:.3g} s"
    with pytest.raises(RuntimeError):
        model(frontend(torch.randn(2, least - 1)))


@pytest.mark.parametrize("arch", TINY)
def test_work_grows_with_the_clip_and_parameters_do_not(arch: str) -> None:
    shape, model = ARCHITECTURES[arch].frontend, build_model(arch, n_classes=3, **TINY[arch])
    short, long = (measure_complexity(model, shape.mels, shape.frames(n * 32_000)) for n in (1, 4))
    assert (long.parameters, long.bytes) == (short.parameters, short.bytes)
    most = 17 if arch == "passt" else 4.5  # attention grows with the square of its clip
    assert 3.5 < long.macs / short.macs < most


def test_passt_reads_the_first_time_positions_of_a_shorter_clip() -> None:
    """Published weights are of ten seconds; as their authors do, a shorter clip takes the first columns."""
    torch.manual_seed(0)
    model = build_model("passt", n_classes=3, **TINY["passt"]).eval()
    features = torch.randn(1, 1, 128, 100)
    before = model(features)
    with torch.no_grad():
        model.time_new_pos_embed[..., 9:].normal_()
        torch.testing.assert_close(model(features), before, rtol=0, atol=0)
        model.time_new_pos_embed[..., :9].normal_()
    assert not torch.allclose(model(features), before)
