"""``asc bench`` through the command line, on the least that it takes."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from asc_experiments.bench.suite import chosen, opened


def test_json_has_an_object_per_line_of_the_table(asc: Callable, tmp_path: Path) -> None:
    lines = ["student_distillation_epoch", "cp_resnet_evaluation", "tracking_epoch"]
    only = [word for line in lines for word in ("--only", line)]
    result = asc("bench", *only, "--clips", "64", "--rounds", "2", "--json", "--profile", "-o", tmp_path / "b.json")
    assert result.code == 0
    measured = json.loads(result.out)
    assert list(measured) == ["student_distillation_epoch", "cp_resnet_evaluation", "tracking_epoch"]
    epoch = measured["student_distillation_epoch"]
    assert epoch["ratio"] > 0
    assert epoch["lowest_ratio"] <= epoch["ratio"] <= epoch["highest_ratio"]
    assert 0 < epoch["of_floor"] < 1, "nothing is faster than the machine at its best"
    assert measured["tracking_epoch"]["ms"] > 0
    assert result.err.count("of a student's epoch: ") == 3
    record = json.loads((tmp_path / "b.json").read_text())
    assert record["works"] == measured
    assert record["machine"].startswith(("CPU: ", "GPU: "))
    assert (record["clips"], record["rounds"]) == (64, 2)


def test_unknown_line_is_named_with_the_valid_ones(asc: Callable) -> None:
    result = asc("bench", "--only", "speed", "--clips", "64")
    assert result.code == 2
    assert result.err.splitlines()[-1].startswith(
        "error: --only speed: is not measured; valid: preparing, preparing_24_bits, s"
    )


def test_every_line_is_measured_and_has_a_unit() -> None:
    with opened(64, 2) as suite:
        names = list(chosen(suite.works(), []))
    assert len(names) == len(set(names))
    for part in ("frontend", "step", "training_epoch", "evaluation"):
        assert {f"{arch}_{part}" for arch in ("student", "cp_resnet", "passt")} <= set(names)
    assert {"preparing", "student_distillation_epoch", "driver_trial", "tracking_share", "help"} <= set(names)


@pytest.mark.parametrize("option", [["--rounds", "1"], ["--clips", "3"]])
def test_settings_that_measure_nothing_are_refused(asc: Callable, option: list[str]) -> None:
    assert asc("bench", *option).code == 2
