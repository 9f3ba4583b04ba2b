"""Frontends and networks give the published code's numbers from the published weights."""

import ast
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from asc_experiments.models import LogMel, build_model, measure_complexity

SIZES = ("base_channels", "channels_multiplier", "expansion_rate", "embed_dim", "depth", "num_heads")


@pytest.mark.parametrize("arch", ["cp_mobile", "cp_resnet", "passt"])
def test_log_mels_are_the_published_ones(shared: Path, arch: str) -> None:
    golden = np.load(shared / "parity" / "frontend.npz")
    features = LogMel.for_arch(arch, sample_rate=32_000)(torch.from_numpy(golden["waveform_32k"]))
    expected = golden[f"logmel_{arch}"]
    assert features.shape == (len(expected), 1, *expected.shape[1:])
    np.testing.assert_allclose(features[:, 0].numpy(), expected, atol=1e-4)


@pytest.mark.parametrize("name", ["cp_mobile_b16", "cp_mobile_b32", "cp_resnet_b16", "cp_resnet_b32", "passt_tiny"])
def test_logits_are_the_published_ones(shared: Path, name: str) -> None:
    golden = np.load(shared / "parity" / f"{name}.npz")
    config = ast.literal_eval(str(golden["config"]))
    arch = "passt" if name.startswith("passt") else name[:9]
    model = build_model(arch, n_classes=10, **{key: config[key] for key in SIZES if key in config})
    state = {key[3:]: torch.from_numpy(golden[key]) for key in golden.files if key.startswith("sd/")}
    model.load_state_dict(state, strict=True)
    with torch.no_grad():
        logits = model.eval()(torch.from_numpy(golden["features"]))
    np.testing.assert_allclose(logits.numpy(), golden["logits"], atol=1e-4)
    assert sum(parameter.numel() for parameter in model.parameters()) == int(golden["n_params"])


@pytest.mark.parametrize(
    ("arch", "base", "parameters"),
    [
        ("cp_mobile", 8, 13_942), ("cp_mobile", 16, 39_868), ("cp_mobile", 24, 77_314), ("cp_mobile", 32, 126_952),
        ("cp_mobile", 64, 481_200), ("cp_mobile", 128, 1_940_784), ("cp_resnet", 16, 25_300),
        ("cp_resnet", 32, 127_684), ("cp_resnet", 64, 565_924), ("cp_resnet", 128, 2_376_292),
    ],
)  # fmt: skip
def test_parameters_are_the_published_ones(arch: str, base: int, parameters: int) -> None:
    model = build_model(arch, base_channels=base)
    assert sum(parameter.numel() for parameter in model.parameters()) == parameters


def test_macs_are_the_published_ones() -> None:
    assert measure_complexity(build_model("cp_mobile"), 256, 65).macs == pytest.approx(31.68e6, rel=1e-3)
    assert measure_complexity(build_model("cp_resnet"), 256, 43).macs == pytest.approx(28.84e6, rel=1e-3)


def test_baseline_of_2024_has_the_published_parameters_and_macs_by_torchinfo() -> None:
    costs = measure_complexity(build_model("cp_mobile_2024"), 256, 65)
    assert (costs.parameters, costs.macs_torchinfo) == (61_148, 29_419_156)


def recomputed(state: dict[str, torch.Tensor], x: torch.Tensor) -> torch.Tensor:
    """The baseline of 2024 by the names in its state dict: kernels with batch norm, shortcuts where widths stay."""

    def layer(name: str, x: torch.Tensor, stride: tuple[int, int] = (1, 1)) -> torch.Tensor:
        kernel = state[f"{name}.0.weight"]
        groups = x.shape[1] if kernel.shape[1] == 1 < x.shape[1] else 1
        x = F.conv2d(x, kernel, None, stride, kernel.shape[-1] // 2, 1, groups)
        statistics = (state[f"{name}.1.{part}"] for part in ("running_mean", "running_var", "weight", "bias"))
        return F.batch_norm(x, *statistics)

    for place in (0, 1):
        x = F.relu(layer(f"in_c.{place}", x, (2, 2)))
    for block, stride in {"s1.b1": 1, "s1.b2": 1, "s1.b3": (1, 2), "s2.b4": (2, 1), "s2.b5": 1, "s3.b6": 1}.items():
        stride = stride if isinstance(stride, tuple) else (1, 1)
        y = F.relu(layer(f"stages.{block}.block.0", x))
        y = layer(f"stages.{block}.block.2", F.relu(layer(f"stages.{block}.block.1", y, stride)))
        if x.shape[1] == y.shape[1]:
            y = y + (x if stride == (1, 1) else F.avg_pool2d(x, 3, stride, 1))
        x = F.relu(y)
    return layer("feed_forward", x).mean((2, 3))


def test_baseline_of_2024_computes_what_the_names_in_its_state_dict_say() -> None:
    torch.manual_seed(0)
    model = build_model("cp_mobile_2024")
    with torch.no_grad():
        model(torch.randn(8, 1, 256, 65))  # running statistics other than 0 and 1
        given = torch.randn(2, 1, 256, 65)
        torch.testing.assert_close(model.eval()(given), recomputed(model.state_dict(), given), atol=1e-5, rtol=1e-5)


def test_passt_s_has_85_million_parameters() -> None:
    with torch.device("meta"):  # nothing is allocated or drawn
        model = build_model("passt", size="s")
    assert sum(parameter.numel() for parameter in model.parameters()) == pytest.approx(85e6, rel=0.02)
