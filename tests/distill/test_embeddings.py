"""Embeddings of teachers: computed once, kept with the teacher, part of keys of students; refused where none are."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from asc_experiments.base.errors import AscError
from asc_experiments.base.hashing import digest_bytes, digest_json
from asc_experiments.distill import Ensemble, TeacherBank, TrainingContext, embeddings
from asc_experiments.distill.embeddings import EMBEDDINGS, EMBEDDINGS_DIGEST, standardised
from asc_experiments.distill.keys import training_identity
from asc_experiments.distill.specialise import Specialisation
from asc_experiments.distill.standalone_student import train_single_student
from asc_experiments.distill.student import soft_targets, student_identity
from asc_experiments.edge.origin import Origin
from asc_experiments.models import ARCHITECTURES
from asc_experiments.tracking.trials import GENERAL_RUN, MODEL_ID
from asc_experiments.training import KL, Features, Recipe, make_recipe
from asc_experiments.training.loop import predict_embeddings

Open = Callable[..., TrainingContext]
LOSS = {"loss": "features", "feature_weight": 0.5}


def tiny(arch: str = "cp_mobile", **settings: object) -> Recipe:
    size = 10 if arch == "cp_resnet" else 8
    return make_recipe(arch, "none", **({"base_channels": size, "epochs": 1, "batch_size": 64} | settings))


@pytest.fixture
def computed(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many clips' embeddings were computed, each time."""
    asked: list[int] = []

    def predict(network: object, clips: object, rows: np.ndarray) -> np.ndarray:
        asked.append(len(rows))
        return predict_embeddings(network, clips, rows)  # type: ignore[arg-type]

    monkeypatch.setattr("asc_experiments.distill.embeddings.predict_embeddings", predict)
    return asked


def test_they_are_computed_once_and_found_again_until_they_are_damaged(
    open_bench: Open, workspace: Path, computed: list[int]
) -> None:
    bench = open_bench()
    bank = TeacherBank(bench.tracking)
    ensemble = Ensemble((bank.get(tiny(), bench), bank.get(tiny("cp_resnet"), bench)))
    taught = len(bench.rows[0])
    keys = []
    for _ in range(2):
        targets = soft_targets(bench, ensemble, Features())
        assert targets is not None
        assert targets.embeddings is not None
        keys.append(student_identity(bench, tiny(), targets))
    assert computed == [taught, taught], "one pass for each teacher"
    assert keys[0] == keys[1]
    assert targets.embeddings.dims == (40, 4)
    np.testing.assert_array_equal(targets.embeddings.rows, np.sort(bench.rows[0]))
    for each in targets.embeddings.of_teachers:
        assert each.dtype == np.float16
        means, deviations = each.astype(np.float64).mean(axis=0), each.astype(np.float64).std(axis=0)
        np.testing.assert_allclose(means, 0, atol=1e-2)
        assert set(np.round(deviations, 2)) <= {0.0, 1.0}
    record = bench.tracking.get(ensemble.teachers[0].record.run_id)
    assert record.status == "FINISHED"
    assert EMBEDDINGS_DIGEST in record.tags
    (file, _) = sorted(workspace.rglob(EMBEDDINGS.partition("/")[2]), key=lambda path: record.run_id not in str(path))
    file.write_bytes(file.read_bytes()[:-9])
    embeddings._read.cache_clear()
    again = soft_targets(bench, ensemble, Features())
    assert computed == [taught] * 3
    assert student_identity(bench, tiny(), again) == keys[0], "the same network says the same"


def test_key_of_a_student_knows_the_loss_and_is_as_before_for_the_published_one(open_bench: Open) -> None:
    bench = open_bench()
    ensemble = Ensemble((TeacherBank(bench.tracking).get(tiny(), bench),))
    published = soft_targets(bench, ensemble, KL(temperature=3.0))
    assert published is not None
    assert published.embeddings is None
    student = training_identity(tiny(), bench.store.corpus_digest, bench.split, bench.conditions(tiny()))
    logits = digest_bytes(np.ascontiguousarray(published.logits).tobytes())
    said = {"student": student, "distillation": {"logits": logits, "temperature": 3.0, "label_weight": 0.02}}
    assert student_identity(bench, tiny(), published) == digest_json(said)
    losses = [Features(), Features(feature_weight=1.0), Features(temperature=3.0)]
    others = {student_identity(bench, tiny(), soft_targets(bench, ensemble, loss)) for loss in losses}
    assert len(others | {digest_json(said)}) == 4


def test_student_of_features_is_logged_found_again_and_specialised(open_bench: Open, computed: list[int]) -> None:
    bench = open_bench()
    tracking = bench.tracking
    key = TeacherBank(tracking).get(tiny(), bench).key
    run_id, _ = train_single_student(open_bench, tracking, tiny(seed=5), [key], LOSS)
    record = tracking.get(run_id)
    told = {name: record.params[name] for name in ("loss", "temperature", "label_weight", "feature_weight")}
    assert told == {"loss": "features", "temperature": "2.0", "label_weight": "0.02", "feature_weight": "0.5"}
    plain, _ = train_single_student(open_bench, tracking, tiny(seed=5), [key], {})
    assert "loss" not in tracking.get(plain).params, "runs of the published loss say what they did"
    macs = "complexity/macs"
    assert record.metrics[macs] == tracking.get(plain).metrics[macs]
    assert train_single_student(open_bench, tracking, tiny(seed=5), [key], LOSS)[0] == run_id

    by_device, _ = train_single_student(
        open_bench, tracking, tiny(seed=5), [key], LOSS, specialise=Specialisation(devices=("a",), epochs=1)
    )
    specialised = tracking.get(by_device)
    assert specialised.tags[GENERAL_RUN] == run_id
    assert specialised.params["feature_weight"] == "0.5"
    assert len(computed) == 1
    targets = Origin.of(tracking, f"models:/{record.tags[MODEL_ID]}").targets(bench)
    assert targets is not None
    assert targets.loss == Features(feature_weight=0.5)
    assert targets.embeddings is not None, "int8 fine-tuning learns by the same loss"


def test_teachers_and_students_without_embeddings_are_refused_before_there_is_a_run(
    open_bench: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = open_bench()
    tracking, bank = bench.tracking, TeacherBank(bench.tracking)
    teacher = bank.get(tiny(), bench)
    tracking.client.delete_tag(teacher.record.run_id, MODEL_ID)
    expected = rf"teacher {teacher.key} \(cp_mobile-8-none-s0\): has logits and no network, and loss 'features' needs"
    with pytest.raises(AscError, match=expected):
        train_single_student(open_bench, tracking, tiny(), [teacher.key], LOSS)
    other = bank.get(tiny("cp_resnet"), bench)
    monkeypatch.setattr(type(ARCHITECTURES["cp_resnet"]), "head", "")
    with pytest.raises(AscError, match=r"teacher .* architecture 'cp_resnet' has no embedding: .* or loss kl"):
        train_single_student(open_bench, tracking, tiny(), [other.key], LOSS)
    with pytest.raises(AscError, match=r"student .* architecture 'cp_resnet' has no embedding: .* or loss kl"):
        train_single_student(open_bench, tracking, tiny("cp_resnet"), [other.key], LOSS)
    assert not tracking.search([tracking.experiment("students")])


def test_dimension_that_never_changes_is_zero_when_standardised() -> None:
    values = np.array([[1.0, 5.0], [3.0, 5.0]], dtype=np.float16)
    np.testing.assert_array_equal(standardised(values), [[-1, 0], [1, 0]])
