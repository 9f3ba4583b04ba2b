"""What a perfectly calibrated network shows of a calibration error: the closed form beside a direct simulation."""

import numpy as np
import pytest

from asc_experiments.metrics.ece import ece
from asc_experiments.statistics.calibration_floor import calibration_floor


def simulated(clips: int, low: float, high: float, draws: int = 300) -> float:
    """The mean ECE of networks that are right as often as they are sure."""
    rng = np.random.default_rng(0)
    found = []
    for _ in range(draws):
        confidence = rng.uniform(low, high, clips)
        found.append(ece(confidence, rng.random(clips) < confidence))
    return float(np.mean(found))


@pytest.mark.parametrize("clips", [81, 243, 729, 5_000])
@pytest.mark.parametrize(
    ("accuracy", "scenes", "low", "high"), [(0.337, 8, 0.125, 0.549), (0.6, 10, 0.2, 1.0), (0.9, 10, 0.8, 1.0)]
)
def test_closed_form_is_what_a_simulation_shows(
    clips: int, accuracy: float, scenes: int, low: float, high: float
) -> None:
    assert calibration_floor(clips, accuracy, scenes) == pytest.approx(simulated(clips, low, high), rel=0.08)


def test_eighty_clips_show_a_tenth_and_many_show_next_to_nothing() -> None:
    assert calibration_floor(81, 0.337, 8) == pytest.approx(0.10, abs=0.01)
    assert calibration_floor(30_000, 0.6, 10) < 0.01


@pytest.mark.parametrize("accuracy", [0.0, 0.1, 1.0])
def test_who_guesses_or_is_always_right_is_as_sure_of_that(accuracy: float) -> None:
    assert 0 <= calibration_floor(200, accuracy, 10) < 0.05
