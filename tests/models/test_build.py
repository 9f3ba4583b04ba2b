"""Networks are built by name, train in batches, and refuse what does not fit."""

import pytest
import torch

from asc_experiments.models import ARCHITECTURES, LogMel, build_model

TINY = {
    "cp_mobile": {"base_channels": 8}, "cp_mobile_2024": {"base_channels": 8}, "cp_resnet": {"base_channels": 10},
    "passt": {"size": "xxs"},
}  # fmt: skip


@pytest.mark.parametrize("arch", TINY)
def test_waveforms_become_logits_of_any_number_of_scenes(arch: str) -> None:
    frontend = LogMel.for_arch(arch)
    features = frontend(torch.randn(3, 32_000))
    assert features.shape == (3, 1, frontend.shape.mels, frontend.frames(32_000))
    model = build_model(arch, n_classes=7, **TINY[arch])
    assert model(features).shape == (3, 7)


@pytest.mark.parametrize("arch", TINY)
def test_every_parameter_that_matters_gets_a_gradient(arch: str) -> None:
    torch.manual_seed(0)
    model = build_model(arch, **TINY[arch])
    features = LogMel.for_arch(arch)(torch.randn(4, 32_000))
    for _ in range(2):  # CP-ResNet's last layer and second convolutions start at zero
        model(features).square().mean().backward()
        with torch.no_grad():
            for parameter in model.parameters():
                if parameter.grad is not None:
                    parameter -= 0.1 * parameter.grad + 0.01 * torch.randn_like(parameter)
    model.zero_grad()
    model(features).square().mean().backward()
    idle = [n for n, p in model.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
    assert all(name.startswith("head_dist") for name in idle), idle


def test_patchout_drops_rows_in_training_only() -> None:
    torch.manual_seed(0)
    model = build_model("passt", size="xxs", patchout_frequency=6)
    lengths = []
    model.blocks.register_forward_pre_hook(lambda _, inputs: lengths.append(inputs[0].shape[1]))
    features = torch.randn(2, 1, 128, 100)
    model.train()(features)
    model.eval()(features)
    assert lengths == [2 + 6 * 9, 2 + 12 * 9]


def test_passt_takes_ten_seconds_and_no_more() -> None:
    model = build_model("passt", size="xxs").eval()
    assert model(torch.randn(1, 1, 128, 998)).shape == (1, 10)
    with pytest.raises(ValueError, match="at most 1,005 frames"):
        model(torch.randn(1, 1, 128, 1_100))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"arch": "cp_mobil"}, "did you mean 'cp_mobile'"),
        ({"arch": "cp_mobile", "base_channel": 8}, "did you mean 'base_channels'"),
        ({"arch": "cp_resnet", "base_channels": 6}, "even base_channels of at least 8"),
        ({"arch": "cp_resnet", "base_channels": 9}, "even base_channels of at least 8"),
        ({"arch": "passt", "size": "huge"}, "unknown passt size 'huge'"),
        ({"arch": "passt", "embed_dim": 100, "num_heads": 3}, "not a multiple"),
        ({"arch": "passt", "patchout_frequency": 12}, "patchout_frequency"),
    ],
)
def test_wrong_settings_are_refused(arguments: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        build_model(**arguments)


def test_upper_mel_edge_moves_the_bands() -> None:
    frontend = LogMel.for_arch("cp_mobile")
    noise = torch.randn(1, 32_000)
    assert not torch.allclose(frontend(noise), frontend(noise, fmax=15_001.0))
    torch.testing.assert_close(frontend(noise), frontend(noise, fmax=15_500.0))


def test_frontend_above_half_the_sampling_rate_is_refused() -> None:
    with pytest.raises(ValueError, match="half the sampling rate"):
        LogMel.for_arch("passt", sample_rate=16_000)
    with pytest.raises(ValueError, match="unknown architecture"):
        LogMel.for_arch("resnet")


def test_log_mels_are_float32_inside_autocast() -> None:
    frontend, noise = LogMel.for_arch("cp_mobile"), torch.randn(1, 32_000)
    with torch.autocast("cpu", torch.bfloat16):
        inside = frontend(noise)
    torch.testing.assert_close(inside, frontend(noise), rtol=0, atol=0)


@pytest.mark.parametrize("arch", TINY)
def test_limit_of_a_length_is_where_the_network_refuses_it(arch: str) -> None:
    architecture = ARCHITECTURES[arch]
    shortest = architecture.frontend.least_samples
    assert "at least" in architecture.limit(shortest - 1)
    with pytest.raises(RuntimeError, match=r"[Pp]adding"):
        LogMel.for_arch(arch)(torch.zeros(1, shortest - 1))
    assert LogMel.for_arch(arch)(torch.zeros(1, shortest)).shape[-1] == architecture.frontend.frames(shortest)
    if architecture.most_frames:
        longest = architecture.most_frames * architecture.frontend.hop
        assert architecture.limit(longest) == ""
        assert architecture.limit(longest + 1) == "at most 10.05 s"
        network = build_model("passt", n_classes=2, embed_dim=16, depth=1, num_heads=2).eval()
        assert network(torch.zeros(1, 1, 128, architecture.most_frames)).shape == (1, 2)
        with pytest.raises(ValueError, match=r"at most 1,005 frames"):
            network(torch.zeros(1, 1, 128, architecture.most_frames + 1))


@pytest.mark.parametrize("frames", [16, 25, 26])
def test_passt_computes_clips_of_one_patch_in_bfloat16_as_in_float32(frames: int) -> None:
    torch.manual_seed(0)
    network = build_model("passt", n_classes=3, embed_dim=16, depth=1, num_heads=2).eval()
    for _ in range(5):  # where it was wrong, it was differently so each time
        clips = torch.randn(20, 1, 128, frames)
        with torch.no_grad():
            exact = network(clips)
            with torch.autocast("cpu", torch.bfloat16):
                found = network(clips).float()
        assert (found - exact).abs().max() < 0.05
