"""Counting parameters and MACs."""

import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

import pytest
import torch

from asc_experiments.models import build_model, measure_complexity
from asc_experiments.models.architectures.passt import SIZES

MELS, FRAMES = 128, 100
SIXTEEN_LAYERS = (32, 16, 4)

COUNT = """
import sys
from asc_experiments.models import build_model, measure_complexity
print(measure_complexity(build_model("cp_mobile"), 256, 65))
print("compiler:", "torch._dynamo" in sys.modules)
"""


def test_counting_does_not_load_the_compiler_which_takes_a_second() -> None:
    done = subprocess.run([sys.executable, "-c", COUNT], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["Complexity(parameters=126952, macs=31680000)", "compiler: False"]


def counted_by_hand(width: int, depth: int, scenes: int = 10) -> int:
    """A PaSST's MACs for one second: 12 x 9 patches of 16 x 16, two tokens more, a bias counted as an operation."""
    patches = 12 * ((FRAMES - 16) // 10 + 1)
    tokens = patches + 2
    linear = tokens * (3 * width**2 + width**2 + 2 * 4 * width**2)
    biases = tokens * (3 * width + width + 4 * width + width)
    attention = 2 * tokens**2 * width
    return patches * (16 * 16 + 1) * width + depth * (linear + biases + attention) + (width + 1) * scenes


@pytest.mark.parametrize(
    ("size", "millions"), [(SIZES["xxs"], 219.3), (SIXTEEN_LAYERS, 35.4), (SIZES["xs"], 1_236.6)], ids=str
)
def test_attention_is_part_of_what_a_transformer_costs(size: tuple[int, int, int], millions: float) -> None:
    width, depth, heads = size
    macs = measure_complexity(build_model("passt", embed_dim=width, depth=depth, num_heads=heads), MELS, FRAMES).macs
    assert macs == counted_by_hand(width, depth)
    assert macs / 1e6 == pytest.approx(millions, abs=0.05)


@pytest.mark.parametrize(
    "around",
    [
        lambda: torch.autocast("cpu", torch.bfloat16), torch.no_grad, torch.enable_grad, torch.inference_mode,
        nullcontext,
    ],
    ids=["autocast", "no_grad", "enable_grad", "inference_mode", "nothing"],
)  # fmt: skip
@pytest.mark.parametrize("arch", ["cp_mobile", "cp_resnet", "passt"])
def test_count_is_the_same_in_whatever_block_it_is_taken(
    arch: str, around: Callable[[], AbstractContextManager]
) -> None:
    size = {"embed_dim": 32, "depth": 2, "num_heads": 4} if arch == "passt" else {}
    outside = measure_complexity(build_model(arch, **size), MELS, FRAMES)
    with around():
        assert measure_complexity(build_model(arch, **size), MELS, FRAMES) == outside


def test_counting_leaves_the_network_as_it_was() -> None:
    model = build_model("cp_mobile").train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    measure_complexity(model, 256, 64)
    assert model.training
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
