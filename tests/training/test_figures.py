"""Figures are drawn from what there is; the same figures give the same bytes."""

import io

import numpy as np
import pytest
from PIL import Image

from asc_experiments.training.figures import Bars, confusion_figure, confusions, device_figure

GROUPS = {"a": "real", "s1": "seen", "s4": "unseen"}


def pixels(png: bytes) -> tuple[int, int]:
    with Image.open(io.BytesIO(png)) as image:
        image.load()
        return image.size


def bars(label: str, accuracy: float, **spreads: float) -> Bars:
    return Bars(label, dict.fromkeys(GROUPS, accuracy), spreads)


@pytest.mark.parametrize("series", [[bars("one", 0.5)], [bars("one", 0.5, a=0.1), bars("other $x_1$ <b>", 0.0)]])
def test_bars_per_device_are_drawn_for_one_and_for_several_networks(series: list[Bars]) -> None:
    assert pixels(device_figure("teacher", series, GROUPS)) == (880, 396)


def test_same_figure_gives_the_same_bytes() -> None:
    one, other = (device_figure("teacher", [bars("one", 0.5)], GROUPS) for _ in range(2))
    assert one == other


def test_device_that_one_network_was_not_scored_on_has_no_bar() -> None:
    series = [bars("one", 0.5), Bars("other", {"a": 0.3}, {})]
    assert pixels(device_figure("", series, GROUPS))


def test_confusions_count_what_was_chosen_for_what_it_is() -> None:
    logits = np.array([[1.0, 0, 0], [0, 1, 0], [0, 0, 1], [0, 0, 1]])
    found = confusions(logits, np.array([0, 0, 2, 2]))
    np.testing.assert_array_equal(found, [[1, 1, 0], [0, 0, 0], [0, 0, 2]])


def test_scene_without_clips_is_no_division_by_zero() -> None:
    with np.errstate(all="raise"):
        assert pixels(confusion_figure("empty", np.zeros((3, 3), dtype=int), ("bus", "park", "tram")))
