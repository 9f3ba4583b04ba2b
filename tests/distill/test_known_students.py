"""A student that is found again has the metrics of packages that were installed since."""

from collections.abc import Callable, Iterator

import numpy as np
import pytest

from asc_experiments.base.entry_points import Source
from asc_experiments.distill import TrainingContext
from asc_experiments.distill.known_students import with_further_scores
from asc_experiments.distill.student import train_student
from asc_experiments.metrics import METRICS, Metric, register_metric
from asc_experiments.training import make_recipe

Open = Callable[..., TrainingContext]


@pytest.fixture
def installed_later() -> Iterator[Callable[[], None]]:
    """Install a package that brings a metric."""

    class Certainty(Metric):
        name = "certainty"
        meaning = "the largest logit; made up"
        higher_is_better = True

        def per_clip(self, logits: np.ndarray, labels: np.ndarray) -> np.ndarray:
            return logits.max(axis=1)

    def install() -> None:
        register_metric(Certainty)
        METRICS["certainty"].source = Source(distribution="certain", version="1.0", digest="c0ffee")

    yield install
    METRICS.pop("certainty", None)


def test_they_are_measured_from_its_logits_and_logged_once(
    open_bench: Open, installed_later: Callable[[], None]
) -> None:
    bench = open_bench()
    recipe = make_recipe("cp_mobile", base_channels=8, epochs=1, batch_size=64)
    with bench.tracking.run(bench.tracking.experiment("students"), recipe.name, "student") as run:
        train_student(bench, recipe, run)
    before = bench.tracking.get(run.run_id)
    assert with_further_scores(bench, before) is before, "nothing is missing"
    installed_later()
    found = with_further_scores(bench, before)
    added = found.metrics.keys() - before.metrics.keys()
    assert {"certainty/overall", "certainty/device/a", "certainty/scene/park"} <= added
    assert all("certainty" in name for name in added)
    assert bench.tracking.get(run.run_id).metrics == found.metrics
    assert with_further_scores(bench, found) is found
