"""The door through which metrics come in."""

from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest

from asc_experiments.base.errors import AscError
from asc_experiments.metrics import METRICS, Metric, is_better_higher, is_part_of_one, register_metric


class Margin(Metric):
    """The largest logit less the label's; made up."""

    name = "shortfall"
    meaning = "how far the label's logit is below the largest"
    higher_is_better = False

    def per_clip(self, logits: np.ndarray, labels: np.ndarray) -> np.ndarray:
        return logits.max(axis=1) - logits[np.arange(len(labels)), labels]


@pytest.fixture
def registry() -> Iterator[None]:
    yield
    METRICS.pop("shortfall", None)


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ({"name": "accuracy"}, "is there already"),
        ({"name": "validation"}, "is no name for a metric"),
        ({"name": "a/b"}, "is no name for a metric"),
        ({"parts": ("overal",)}, "did you mean 'overall'?"),
        ({"parts": ("device",)}, "is not told of all clips"),
        ({"parts": ("overall", "macro")}, "add 'scene'"),
    ],
)
def test_metric_that_does_not_fit_is_refused(registry: None, said: dict[str, object], reason: str) -> None:
    with pytest.raises(AscError) as raised:
        register_metric(type("Wrong", (Margin,), said))
    assert reason in raised.value.line()
    assert "shortfall" not in METRICS


def test_metric_without_a_direction_is_refused(registry: None) -> None:
    class Aimless(Metric):
        name: ClassVar[str] = "shortfall"
        meaning: ClassVar[str] = "nothing"

        def per_clip(self, logits: np.ndarray, labels: np.ndarray) -> np.ndarray:
            return labels

    with pytest.raises(AscError, match="has no 'higher_is_better'"):
        register_metric(Aimless)


def test_registered_one_is_known_by_its_names_on_every_split(registry: None) -> None:
    assert not is_better_higher("accuracies/overall")
    register_metric(type("Better", (Margin,), {"higher_is_better": True, "unit": "%"}))
    assert is_better_higher("validation/shortfall/group/unseen")
    assert is_part_of_one("std/shortfall/overall")


def test_accuracies_go_up_and_the_rest_goes_down() -> None:
    assert is_better_higher("accuracy/group/unseen")
    assert is_better_higher("validation/accuracy/overall")
    lower = ("loss/overall", "device_generalization", "ece/overall", "complexity/macs")
    assert not any(is_better_higher(name) for name in lower)


def test_accuracies_and_dg_are_told_in_percent() -> None:
    assert all(is_part_of_one(name) for name in ("accuracy/macro", "device_generalization"))
    assert not any(is_part_of_one(name) for name in ("loss/overall", "ece/overall", "complexity/macs"))


def test_every_metric_of_the_program_is_on_the_page_of_metrics() -> None:
    page = (Path(__file__).parents[2] / "docs" / "reference" / "tags-and-metrics.md").read_text()
    assert [name for name, metric in METRICS.items() if metric.source is None and f"`{name}" not in page] == []
