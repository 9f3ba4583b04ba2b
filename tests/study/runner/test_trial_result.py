"""A trial's run holds everything that one wants to see of it: scores, what explains them, figures, the corpus."""

import io
from collections.abc import Callable

import pytest
from PIL import Image

from asc_experiments.study.definition.study_file import Objective
from asc_experiments.study.executors.jobs import SeedResult
from asc_experiments.study.runner.driver import Driver
from asc_experiments.study.runner.replication import _means
from asc_experiments.study.runner.trial_result import _over_seeds
from asc_experiments.tracking import RunRecord, Tracking
from asc_experiments.tracking.client.records import KIND
from asc_experiments.tracking.trials import TRAINING_SECONDS, finished_trials, spread_of


@pytest.fixture
def trial(driver: Callable[..., Driver], tracking: Tracking) -> RunRecord:
    """The first trial of the tiny study: two teachers, students of two seeds."""
    driver({"trials": 1, "seeds": 2}).run()
    return finished_trials(tracking, "tiny")[0]


def picture(tracking: Tracking, record: RunRecord, name: str) -> tuple[int, int]:
    with (
        tracking.artifacts(record.run_id, f"figures/{name}.png") as path,
        Image.open(io.BytesIO(path.read_bytes())) as image,
    ):
        image.load()
        return image.size


def test_trial_holds_what_explains_its_students_their_time_figures_and_corpus(
    trial: RunRecord, tracking: Tracking
) -> None:
    """One test, because the trial takes a dozen seconds."""
    check_explanations(trial)
    check_time(trial, tracking)
    teacher = tracking.search([tracking.experiment("teachers")], "attributes.status = 'FINISHED'")[0]
    check_figures_and_corpus(trial, tracking)
    check_figures_and_corpus(teacher, tracking)


def check_explanations(trial: RunRecord) -> None:
    metrics = trial.metrics
    for part in ("overall", "device/s4", "group/unseen"):
        for name in (f"ece/{part}", f"entropy/{part}", f"agreement/{part}"):
            assert name in metrics
            assert spread_of(name) in metrics
        assert 0 <= metrics[f"ensemble/disagreement/{part}"] <= 1
        assert 0 <= metrics[f"ensemble/ece/{part}"] <= 1
    assert metrics["targets/entropy"] > 0
    assert 0 <= metrics["targets/accuracy"] <= 1
    assert "validation/ece/overall" in metrics


def check_time(trial: RunRecord, tracking: Tracking) -> None:
    seeds = tracking.search([trial.experiment_id], f"tags.`{KIND}` = 'seed'")
    assert len(seeds) == 2
    assert trial.metrics[TRAINING_SECONDS] == pytest.approx(sum(seed.metrics[TRAINING_SECONDS] for seed in seeds))
    assert spread_of(TRAINING_SECONDS) not in trial.metrics


def check_figures_and_corpus(record: RunRecord, tracking: Tracking) -> None:
    assert picture(tracking, record, "devices") == (880, 396)
    assert picture(tracking, record, "confusion") > (500, 500)
    (data,) = tracking.client.get_run(record.run_id).inputs.dataset_inputs
    assert data.dataset.name == "corpus"


def students(*metrics: dict[str, float]) -> tuple[SeedResult, ...]:
    return tuple(SeedResult(f"run {seed}", f"m-{seed}", seed, of) for seed, of in enumerate(metrics))


@pytest.mark.parametrize("first", [0, 1])
def test_students_that_were_measured_by_different_versions_are_compared_by_what_all_have(first: int) -> None:
    """An adopted student of an earlier attempt may lack a metric that the others have, or have one more."""
    older = {"accuracy/overall": 0.5, "loss/overall": 2.0, "gone/overall": 1.0, TRAINING_SECONDS: 3.0}
    newer = {"accuracy/overall": 0.7, "loss/overall": 1.0, "ece/overall": 0.1, TRAINING_SECONDS: 4.0}
    both = students(older, newer) if first == 0 else students(newer, older)
    scores = _over_seeds(both)
    assert set(scores) == {"accuracy/overall", "std/accuracy/overall", "loss/overall", "std/loss/overall"} | {
        TRAINING_SECONDS
    }
    assert scores["accuracy/overall"] == pytest.approx(0.6)
    assert scores[TRAINING_SECONDS] == 7.0
    assert "replicated/accuracy/overall" in _means(Objective(metric="accuracy/overall", split="test"), list(both))
