"""Counting parameters and MACs."""

import gc
import subprocess
import sys
import weakref
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

import pytest
import torch

from asc_experiments.models import build_model, measure_complexity
from asc_experiments.models.architectures.passt import SIZES
from asc_experiments.models.complexity import count_by_torchinfo
from asc_experiments.models.layers import conv_norm

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
    assert done.stdout.splitlines() == [
        "Complexity(parameters=126952, macs=31680000, macs_torchinfo=31684180, bytes=507808)", "compiler: False",
    ]  # fmt: skip


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
@pytest.mark.parametrize("arch", ["cp_mobile", "cp_mobile_2024", "cp_resnet", "passt"])
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


def test_bytes_go_by_data_types_and_macs_by_torchinfo_are_those_of_the_network_in_float32() -> None:
    """As the challenge's script counts a baseline in half precision: 122,296 bytes of its 128,000."""
    model = build_model("cp_mobile_2024")
    whole, half = measure_complexity(model, 256, 65), measure_complexity(model.half(), 256, 65)
    assert (whole.bytes, half.bytes) == (244_592, 122_296)
    assert half.macs_torchinfo == whole.macs_torchinfo
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float16}


def test_strided_convolutions_count_at_every_place_by_torchinfo() -> None:
    """torchinfo goes by the class's name: of a kind of convolution called otherwise each kernel would count once."""
    layer = conv_norm(6, 6, 3, (2, 1), groups=6)
    assert type(layer[0]) is not torch.nn.Conv2d
    assert count_by_torchinfo(torch.nn.Sequential(conv_norm(1, 6, 1), layer), 8, 10) == 6 * 80 + 12 + 54 * 40 + 12


def test_counting_draws_no_random_number_and_holds_no_network() -> None:
    torch.manual_seed(0)
    model = build_model("cp_mobile", base_channels=8)
    state, held = torch.random.get_rng_state(), weakref.ref(model)
    measure_complexity(model, 256, 64)
    assert torch.equal(torch.random.get_rng_state(), state)
    del model
    gc.collect()
    assert held() is None
