"""Two ways are timed in turn, and what is said of them follows from what was timed."""

import pytest
import torch

from asc_experiments.bench import timing
from asc_experiments.bench.timing import Measured, compare, median_ms


class Clock:
    """Stands still but where work is done."""

    def __init__(self) -> None:
        self.now = 0.0
        self.done: list[str] = []

    def perf_counter(self) -> float:
        return self.now

    def work(self, name: str, seconds: list[float]) -> object:
        remaining = iter(seconds)

        def do() -> None:
            self.done.append(name)
            self.now += next(remaining)

        return do


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(timing, "time", clock)
    return clock


def test_ways_take_turns_and_the_first_round_does_not_count(clock: Clock) -> None:
    ours, plain = clock.work("ours", [99, 1, 2, 4]), clock.work("plain", [99, 4, 4, 4])
    measured = compare(ours, plain, clips=8, rounds=3, device=torch.device("cpu"), floor=16.0)
    assert clock.done == ["ours", "plain"] * 4
    assert measured == Measured(4.0, "clips_per_s", 2.0, 2.0, (1.0, 4.0), 16.0)


def test_plain_way_may_do_fewer_clips(clock: Clock) -> None:
    ours, plain = clock.work("ours", [1, 1, 1]), clock.work("plain", [1, 1, 1])
    measured = compare(ours, plain, clips=10, rounds=2, device=torch.device("cpu"), plain_clips=5)
    assert (measured.value, measured.plain, measured.ratio) == (10.0, 5.0, 2.0)


def test_without_a_plain_way_there_is_no_ratio(clock: Clock) -> None:
    measured = compare(clock.work("ours", [1, 2, 2]), None, clips=4, rounds=2, device=torch.device("cpu"))
    assert measured.facts() == {"clips_per_s": 2.0}


def test_facts_have_the_names_that_json_has(clock: Clock) -> None:
    facts = Measured(4.0, "clips_per_s", 2.0, 2.0, (1.5, 2.5), 8.0).facts()
    assert facts == {
        "clips_per_s": 4.0, "plain_clips_per_s": 2.0, "ratio": 2.0, "lowest_ratio": 1.5, "highest_ratio": 2.5,
        "floor_clips_per_s": 8.0, "of_floor": 0.5,
    }  # fmt: skip


def test_median_is_of_all_times_but_the_first(clock: Clock) -> None:
    assert median_ms(clock.work("it", [9, 0.003, 0.001, 0.002]), 3) == pytest.approx(2.0)
