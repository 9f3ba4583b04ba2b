"""The floor is counted from the work itself."""

import pytest
import torch
from torch import nn

from asc_experiments.bench.machine import Machine, Work, at_best, frontend_work, network_work
from asc_experiments.models import build_model, measure_complexity
from asc_experiments.models.frontend import FRONTENDS

SLOW = Machine(bandwidth=100.0, float32=10.0, bfloat16=40.0)


def test_measured_rates_are_positive_numbers() -> None:
    machine = Machine.measure(torch.device("cpu"))
    assert 1e8 < machine.bandwidth < 1e14
    assert 1e8 < machine.float32 < 1e16
    assert machine.bfloat16 > 0


@pytest.mark.parametrize(
    ("work", "seconds"),
    [(Work(20, 100), 2.0), (Work(20, 300), 3.0), (Work(20, 10, bfloat16=True), 0.5), (Work(0, 50), 0.5)],
)
def test_work_takes_as_long_as_the_slower_of_products_and_memory(work: Work, seconds: float) -> None:
    assert work.seconds(SLOW) == seconds


def test_works_that_follow_each_other_add_up() -> None:
    assert at_best([Work(20, 0), Work(0, 200)], SLOW) == 1 / 4


@pytest.mark.parametrize(
    ("arch", "mels", "size"), [("cp_mobile", 256, {}), ("passt", 128, {"embed_dim": 32, "depth": 16, "num_heads": 4})]
)
def test_products_of_a_network_are_its_macs(arch: str, mels: int, size: dict[str, int]) -> None:
    model = build_model(arch, **size)
    work = network_work(model, torch.zeros(1, 1, mels, 100), training=False)
    assert work.operations == 2 * measure_complexity(model, mels, 100).macs


def test_patchout_leaves_a_transformer_less_to_do_in_training() -> None:
    whole, half = (build_model("passt", embed_dim=32, depth=2, num_heads=2, patchout_frequency=n) for n in (0, 6))
    features = torch.zeros(1, 1, 128, 100)
    assert network_work(half, features, training=True).operations < network_work(whole, features, True).operations


def test_training_is_three_times_the_products_and_bfloat16_half_the_memory() -> None:
    model, features = nn.Conv2d(1, 4, 3), torch.zeros(1, 1, 16, 16)
    forward, training = (network_work(model, features, training) for training in (False, True))
    assert training.operations == 3 * forward.operations
    assert training.traffic > forward.traffic
    assert network_work(model, features, True, bfloat16=True).traffic == training.traffic / 2


def test_shorter_hop_is_more_work_for_a_frontend() -> None:
    mobile, resnet = (frontend_work(FRONTENDS[arch], 32_000, 32_000) for arch in ("cp_mobile", "cp_resnet"))
    assert mobile.operations > resnet.operations > 0
    assert mobile.traffic > resnet.traffic > 0
