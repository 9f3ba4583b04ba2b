"""Latency is told with its spread."""

from asc_experiments.edge.running import time_one
from tests.edge.conftest import graph_of, scrambled, sounds, tiny


def test_latency_has_a_median_and_a_spread() -> None:
    inputs = scrambled(tiny()).frontend(sounds(1)).numpy()
    latency = time_one(graph_of(tiny()), inputs, repeats=10)
    assert 0 < latency.fast_ms <= latency.median_ms <= latency.slow_ms
    assert latency.repeats == 10
