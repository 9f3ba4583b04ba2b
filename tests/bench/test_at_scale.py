"""A training on a large corpus beside one on a small corpus, on the least that it takes."""

from pathlib import Path

import pytest

from asc_experiments.base.errors import AscError
from asc_experiments.bench.at_scale import benchmark_at_scale


def test_either_is_measured(synth_corpus: Path, tmp_path: Path) -> None:
    measured = benchmark_at_scale(synth_corpus, tmp_path, 256, 1)
    assert measured["scale.clips"] == 256
    assert 0.2 < measured["scale.ratio"] < 5, "it is the same work"
    for name in ("large", "small"):
        assert measured[f"scale.{name}_opened_s"] > 0
        assert measured[f"scale.{name}_mib"] > 100


def test_what_keeps_a_training_from_beginning_is_told(tmp_path: Path) -> None:
    with pytest.raises(AscError, match="cannot be trained on"):
        benchmark_at_scale(tmp_path / "nowhere", tmp_path, 256, 1)
