"""Gates are limits on the network that is shipped, in parts of one and whole numbers."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from asc_experiments.base.entry_points import Source
from asc_experiments.base.errors import AscError
from asc_experiments.metrics import DG, METRICS, OVERALL_ACCURACY, UNSEEN_ACCURACY, Metric, register_metric
from asc_experiments.tracking import Tracking
from asc_experiments.tracking.registry.candidate import Candidate
from asc_experiments.tracking.registry.gates import Gates, Measured, limits_of, measure

PARAMETERS = 13_648  # of CP-Mobile with 8 base channels and 3 scenes


@pytest.fixture
def candidate(tracking: Tracking, log_trial: object) -> Candidate:
    scores = {UNSEEN_ACCURACY: 0.5, DG: 0.1, "accuracy/device/s4": 0.45, "ece/overall": 0.2, "shortfall/overall": 2.5}
    log_trial(0, [0.6, 0.7, 0.65], metrics=scores)  # type: ignore[operator]
    return Candidate.best_of(tracking, "s")


def test_what_is_measured_is_the_shipped_network_beside_its_trial(candidate: Candidate) -> None:
    measured = {each.option: each for each in measure(candidate, Gates())}
    accuracy = measured["min_accuracy"]
    assert accuracy.value == 0.7
    assert (accuracy.mean, accuracy.std) == (pytest.approx(0.65), pytest.approx(0.05))
    counted = sum(parameter.numel() for parameter in candidate.network.model.parameters())
    assert measured["max_parameters"].value == counted == PARAMETERS
    assert measured["max_macs"].value == candidate.complexity.macs > 1_000_000
    assert measured["max_macs_torchinfo"].value == candidate.complexity.macs_torchinfo > candidate.complexity.macs
    assert all(each.passed for each in measured.values())


@pytest.mark.parametrize(
    ("gates", "failing"),
    [
        ({"max_parameters": PARAMETERS}, []),
        ({"max_parameters": PARAMETERS - 1}, ["parameters 13,648 > 13,647"]),
        ({"max_bytes": PARAMETERS}, []),
        ({"max_bytes": PARAMETERS, "precision": "float16"}, ["bytes at float16 27,296 > 13,648"]),
        ({"max_bytes": 4 * PARAMETERS, "precision": "float32"}, []),
        ({"max_macs": 1}, ["MACs per second (ptflops)"]),
        ({"max_macs_torchinfo": 1}, ["MACs per second (torchinfo)"]),
        ({"metrics": {OVERALL_ACCURACY: 0.7}}, []),
        ({"metrics": {OVERALL_ACCURACY: 0.66}}, []),
        ({"metrics": {OVERALL_ACCURACY: 0.71}}, ["accuracy 0.7000 < 0.7100"]),
        (
            {"metrics": {UNSEEN_ACCURACY: 0.51, DG: 0.09}},
            ["accuracy, unseen 0.5000 < 0.5100", "DG 0.1000 > 0.0900"],
        ),
        ({"metrics": {"accuracy/device/s4": 0.45, "ece/overall": 0.2}}, []),
        (
            {"metrics": {"accuracy/device/s4": 0.5, "ece/overall": 0.1}},
            ["accuracy, s4 0.4500 < 0.5000", "ECE 0.2000 > 0.1000"],
        ),
    ],
)
def test_a_gate_is_judged_by_the_shipped_network(
    candidate: Candidate, gates: dict[str, object], failing: list[str]
) -> None:
    measured = measure(candidate, Gates(**gates))  # type: ignore[arg-type]
    failed = [f"{each.name} {each.comparison}" for each in measured if not each.passed]
    assert len(failed) == len(failing)
    assert all(found.startswith(expected) for found, expected in zip(failed, failing, strict=True))


@pytest.mark.parametrize(
    ("gate", "value", "hint"),
    [
        (OVERALL_ACCURACY, 55.0, "--min-accuracy 55: is not a part of one; for 55 % write 0.55"),
        (UNSEEN_ACCURACY, 1.01, "for 1.01 % write 0.0101"),
        (DG, 5.0, "for 5 % write 0.05"),
        (OVERALL_ACCURACY, -0.1, "from 0 to 1"),
        (OVERALL_ACCURACY, 101.0, "from 0 to 1"),
        (OVERALL_ACCURACY, math.nan, "from 0 to 1"),
        (DG, math.inf, "from 0 to 1"),
        ("accuracy/device/s4", 45.0, "--gate accuracy/device/s4=45: is not a part of one; for 45 % write 0.45"),
        ("loss/overall", math.inf, "is no limit"),
    ],
)
def test_percent_are_refused_with_what_is_meant(gate: str, value: float, hint: str) -> None:
    with pytest.raises(AscError, match=hint):
        Gates(metrics={gate: value})


def test_a_gate_on_what_was_not_measured_is_refused(tracking: Tracking, log_trial: object) -> None:
    log_trial(0, [0.6])  # type: ignore[operator]
    with pytest.raises(AscError, match=r"--min-unseen 0.5: the network of trial 0 has no accuracy/group/unseen"):
        measure(Candidate.best_of(tracking, "s"), Gates(metrics={UNSEEN_ACCURACY: 0.5}))


@given(st.floats(0, 1), st.floats(0, 1))
def test_every_value_passes_as_most_or_as_least_and_at_its_limit_as_both(value: float, limit: float) -> None:
    most, least = (Measured("x", option, value, limit=limit).passed for option in ("max_dg", "min_accuracy"))
    assert most or least
    assert (most and least) == (value == limit)


def test_a_value_that_is_no_number_passes_nothing() -> None:
    assert not Measured("x", "max_dg", math.nan, limit=1.0).passed
    assert not Measured("x", "min_accuracy", math.nan, limit=0.0).passed


def test_a_gate_says_on_what_it_was_measured_and_where_the_limit_is_within_the_noise_of_clips(
    candidate: Candidate,
) -> None:
    measured = {each.option: each for each in measure(candidate, Gates(metrics={OVERALL_ACCURACY: 0.69}))}
    accuracy = measured["min_accuracy"]
    assert accuracy.clips == "540 test clips of 27 places"
    assert accuracy.low is not None
    assert accuracy.high is not None
    assert accuracy.low < 0.69 < 0.7 < accuracy.high
    assert accuracy.is_close
    said = "accuracy 0.7000 ≥ 0.6900 (on 540 test clips of 27 places; the interval over places [0."
    assert accuracy.statement.startswith(said)
    assert accuracy.picked_from == 3, "so that the interval is none of 95 %"
    plain = replace(accuracy, picked_from=1)
    assert "the 95 % interval over places [0." in plain.statement
    far = {each.option: each for each in measure(candidate, Gates(metrics={OVERALL_ACCURACY: 0.4}))}["min_accuracy"]
    assert far.statement == "accuracy 0.7000 ≥ 0.4000 (on 540 test clips of 27 places)"
    assert measured["max_parameters"].statement == measured["max_parameters"].name + " 13,648"


def test_dg_has_what_chance_alone_shows_beside_it(candidate: Candidate) -> None:
    (dg,) = (each for each in measure(candidate, Gates(metrics={DG: 0.2})) if each.option == "max_dg")
    assert dg.floor is not None
    assert 0 < dg.floor < math.sqrt(0.7 * 0.3 / 270 / 2), "the devices heard the same places"
    assert f"a network equally good on every device shows about {dg.floor:.4f}" in dg.statement


def test_older_run_has_its_number_of_clips_beside_its_accuracy(tracking: Tracking, log_trial: object) -> None:
    log_trial(0, [0.6], keeps_answers=False)  # type: ignore[operator]
    (accuracy,) = (each for each in measure(Candidate.best_of(tracking, "s"), Gates()) if each.option == "min_accuracy")
    assert (accuracy.clips, accuracy.low) == ("540 test clips", None)


@pytest.mark.parametrize("higher_is_better", [False, True])
def test_a_metric_of_another_package_is_gated_in_its_direction_and_unit(
    candidate: Candidate, higher_is_better: bool
) -> None:
    class Shortfall(Metric):
        name = "shortfall"
        meaning = "how far the label's logit is below the largest"

        def per_clip(self, logits: np.ndarray, labels: np.ndarray) -> np.ndarray:
            return logits.max(axis=1) - logits[np.arange(len(labels)), labels]

    try:
        register_metric(type("Other", (Shortfall,), {"higher_is_better": higher_is_better}))
        METRICS["shortfall"].source = Source(distribution="other", version="1", digest="0f")
        shown = {each.option: each for each in measure(candidate, Gates())}
        option = "min_shortfall/overall" if higher_is_better else "max_shortfall/overall"
        assert shown[option].value == 2.5, "it is shown without a gate too"
        (found,) = (
            each for each in measure(candidate, Gates(metrics={"shortfall/overall": 2.6})) if each.limit is not None
        )
        assert found.comparison == f"2.5000 {'<' if higher_is_better else '≤'} 2.6000"
        assert found.passed is not higher_is_better
        with pytest.raises(AscError, match="has no shortfall/device/s9; "):
            measure(candidate, Gates(metrics={"shortfall/device/s9": 1.0}))
    finally:
        METRICS.pop("shortfall", None)


@pytest.mark.parametrize(
    ("metric", "hint"),
    [
        ("brier/overall", "valid: accuracy, device_generalization, ece, entropy, loss, or install the package"),
        ("accuracy/grop/unseen", "did you mean 'accuracy/group/NAME'?"),
        ("loss", "valid: loss/device/NAME, loss/group/NAME, loss/overall"),
        ("accuracy/device", "did you mean 'accuracy/device/NAME'?"),
        ("validation/accuracy/overall", "did you mean 'accuracy/overall'?"),
    ],
)
def test_a_metric_that_nobody_registered_is_one_line_with_those_that_are(metric: str, hint: str) -> None:
    with pytest.raises(AscError, match="unknown metric") as raised:
        Gates(metrics={metric: 0.5})
    assert hint in raised.value.line()


@pytest.mark.parametrize(
    ("texts", "reason"),
    [
        (["accuracy/macro"], "is not METRIC=LIMIT"),
        (["accuracy/macro=half"], "is not METRIC=LIMIT"),
        (["=0.5"], "is not METRIC=LIMIT"),
        (["loss/overall=1", "loss/overall=2"], "has another limit beside it"),
        (["accuracy/overall=0.5"], "has another limit beside it"),
    ],
)
def test_what_is_typed_as_no_limit_is_refused(texts: list[str], reason: str) -> None:
    with pytest.raises(AscError, match=reason):
        limits_of(texts, {OVERALL_ACCURACY: 0.6, DG: None})


def test_limits_are_those_of_all_options() -> None:
    assert limits_of(["loss/overall=1.5"], {OVERALL_ACCURACY: 0.6, DG: None}) == {
        OVERALL_ACCURACY: 0.6,
        "loss/overall": 1.5,
    }
