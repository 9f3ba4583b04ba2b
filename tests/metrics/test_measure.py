"""Metrics are told of all clips and of their parts."""

import numpy as np
import pytest

from asc_experiments.metrics import METRICS, Metric, measure, metric_names

GROUPS = {"a": "real", "s4": "unseen"}
SCENES = ("bus", "park")


class Largest(Metric):
    """Two numbers a clip, and the range of the first times the mean of the second; made up."""

    name = "largest"
    meaning = "nothing"
    higher_is_better = True

    def per_clip(self, logits: np.ndarray, labels: np.ndarray) -> np.ndarray:
        return np.stack([logits.max(axis=1), labels], axis=1)

    def aggregate(self, values: np.ndarray, devices: np.ndarray) -> float:
        return float(np.ptp(values[:, 0]) * values[:, 1].mean())


def test_aggregate_gets_the_clips_of_each_part() -> None:
    logits = np.array([[1.0, 0], [5, 0], [2, 0], [9, 0]])
    found = measure([Largest()], logits, np.array([0, 1, 1, 1]), ["a", "a", "s4", "s4"], GROUPS, SCENES)
    assert found == {
        "largest/overall": 8 * 0.75,
        "largest/device/a": 4 * 0.5,
        "largest/device/s4": 7.0,
        "largest/group/real": 4 * 0.5,
        "largest/group/unseen": 7.0,
        "largest/scene/bus": 0.0,
        "largest/scene/park": 7.0,
    }


def test_names_are_those_of_what_is_measured() -> None:
    labels = np.array([0, 1])
    for every in (False, True):
        metrics = [metric for metric in METRICS.values() if every or metric.every_epoch]
        found = measure(metrics, np.zeros((2, 2)), labels, ["a", "s4"], GROUPS, SCENES)
        assert set(found) == set(metric_names(["a", "s4"], ["real", "unseen"], SCENES, every))


def test_calibration_is_told_overall_per_device_and_per_group() -> None:
    logits, metrics = np.array([[9.0, 0.0], [9.0, 0.0]]), [METRICS["ece"], METRICS["entropy"]]
    found = measure(metrics, logits, np.array([0, 1]), ["a", "s4"], GROUPS, SCENES)
    parts = ["overall", "device/a", "device/s4", "group/real", "group/unseen"]
    assert set(found) == {f"{what}/{part}" for what in ("ece", "entropy") for part in parts}
    assert found["ece/device/a"] < 0.001 < 0.99 < found["ece/device/s4"] == found["ece/group/unseen"]
    assert found["entropy/overall"] == pytest.approx(found["entropy/device/a"])
