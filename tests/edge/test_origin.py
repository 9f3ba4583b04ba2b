"""A model's run, split and teachers are found from the model, however it is named."""

from collections.abc import Callable

import numpy as np
import pytest

from asc_experiments.base.errors import AscError
from asc_experiments.corpus import ValidationSplit
from asc_experiments.distill import Ensemble, TeacherBank, TrainingContext
from asc_experiments.edge.origin import Origin
from asc_experiments.tracking import Tracking
from asc_experiments.tracking.registry.network_store import log_network
from asc_experiments.tracking.trials import HELD_OUT, MODEL_ID, TEACHERS
from asc_experiments.training import KL, SceneNetwork
from tests.edge.conftest import Student, scrambled, tiny


def log_model(tracking: Tracking, parent: str | None = None, **tags: str) -> tuple[str, str]:
    """A run with a model; their ids."""
    network: SceneNetwork = scrambled(tiny())
    with tracking.run(tracking.experiment("students"), "student", "student", tags, parent) as run:
        model_id = log_network(run, network)
        run.tags({MODEL_ID: model_id})
    return run.run_id, model_id


def test_students_run_split_corpus_and_targets_are_found(student: Student, bench: TrainingContext) -> None:
    origin = Origin.of(student.tracking, student.uri)
    assert origin.run is not None
    assert origin.run.run_id == student.run_id
    assert origin.split == ValidationSplit(fraction=0.3)
    assert origin.corpus == bench.store.corpus_digest
    targets = origin.targets(bench)
    assert targets is not None
    assert targets.loss == KL(temperature=3.0, label_weight=0.1)
    teacher = TeacherBank(student.tracking).named(student.teacher)
    assert np.array_equal(targets.logits, Ensemble((teacher,)).logits(bench.corpus.filenames))


def test_registered_version_leads_to_the_same_run(tracking: Tracking) -> None:
    run_id, model_id = log_model(tracking)
    tracking.client.create_registered_model("shipped")
    with tracking.current():
        tracking.client.create_model_version("shipped", f"models:/{model_id}", model_id=model_id)
    tracking.client.set_registered_model_alias("shipped", "champion", "1")
    for uri in (f"models:/{model_id}", "models:/shipped/1", "models:/shipped@champion"):
        origin = Origin.of(tracking, uri)
        assert origin.model_id == model_id, uri
        assert origin.run is not None
        assert origin.run.run_id == run_id


def test_student_of_a_trial_learned_from_the_trials_teachers(student: Student, bench: TrainingContext) -> None:
    tracking = student.tracking
    with tracking.run(tracking.experiment("study"), "trial 0", "trial", {TEACHERS: student.teacher}) as trial:
        trial.params({"ensemble_rule": "mean_probabilities"})
    _, model_id = log_model(tracking, trial.run_id)
    targets = Origin.of(tracking, f"models:/{model_id}").targets(bench)
    assert targets is not None
    assert targets.loss == KL()
    teacher = TeacherBank(tracking).named(student.teacher)
    expected = Ensemble((teacher,), "mean_probabilities").logits(bench.corpus.filenames)
    assert np.array_equal(targets.logits, expected)


def test_student_of_labels_has_no_targets(tracking: Tracking, bench: TrainingContext) -> None:
    _, model_id = log_model(tracking)
    assert Origin.of(tracking, f"models:/{model_id}").targets(bench) is None


@pytest.mark.parametrize("gone", ["teacher", "run", "trial"])
def test_what_it_learned_from_being_gone_is_refused(
    tracking: Tracking, bench: TrainingContext, gone: str, open_bench: Callable[..., TrainingContext]
) -> None:
    with tracking.run(tracking.experiment("study"), "trial 0", "trial", {TEACHERS: "1f3a"}) as trial:
        pass
    run_id, model_id = log_model(tracking, trial.run_id)
    if gone != "teacher":
        tracking.delete(run_id if gone == "run" else trial.run_id)
    with pytest.raises(AscError, match="teacher 1f3a.* is gone" if gone == "teacher" else "the run that tells"):
        Origin.of(tracking, f"models:/{model_id}").targets(bench)


def test_split_is_known_or_told_to_be_unknown(tracking: Tracking) -> None:
    _, held_out = log_model(tracking, **{HELD_OUT: ValidationSplit(fraction=0.2, seed=1).model_dump_json()})
    assert Origin.of(tracking, f"models:/{held_out}").split == ValidationSplit(fraction=0.2, seed=1)
    _, unknown = log_model(tracking)
    assert Origin.of(tracking, f"models:/{unknown}").split is None
